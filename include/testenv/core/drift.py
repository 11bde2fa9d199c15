"""What production really has, against what its contracts say. Any difference blocks a refresh before a row is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from testenv.core.contract import Contract, Contracts, Field

_SYNONYMS = {
    "int8": "bigint",
    "int4": "integer",
    "int": "integer",
    "int2": "smallint",
    "bool": "boolean",
    "float8": "double precision",
    "double": "double precision",
    "decimal": "numeric",
    "number": "numeric",
    "character varying": "varchar",
    "string": "text",
    "character": "char",
    "bpchar": "char",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "timestamp_ntz": "timestamp",
}
_WITH_SIZE = re.compile(r"(?P<name>[^(]+?)\s*\((?P<size>[\d,\s]+)\)(?P<rest>.*)")
_FITS = {
    ("timestamp", "integer"),
    ("number", "integer"),
    ("string", "date"),
    ("string", "timestamp"),
    ("date", "string"),
    ("timestamp", "string"),
}
"""Logical type of the contract, and type of a JSON value that it allows besides its own. JSON has no dates."""


@dataclass(frozen=True)
class Observed:
    """Paths that a store has of a dataset, and the type of each as the store calls it.

    What a store declares (columns, Avro) is all there is: what is not there is missing. The columns in `by_example`
    hold JSON, which declares nothing: a path that no document has is no difference, unless it is required and there
    were documents to look at.
    """

    types: Mapping[str, str]
    by_example: frozenset[str] = frozenset()
    has_examples: bool = True


@dataclass(frozen=True)
class Difference:
    """One thing that a contract and its store disagree on."""

    contract: str
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.contract}: {self.path}: {self.what}. {self.remedy}"


def differences(contracts: Contracts, observed: Mapping[str, Observed]) -> list[Difference]:
    """All that differs, of all datasets at once; empty when a refresh may begin.

    `observed` has what was found of each dataset, by the contract's id; a dataset of the stores that has no contract
    stands there too.
    """
    found: list[Difference] = []
    for id_ in sorted(contracts.keys() | observed.keys()):
        if id_ not in contracts:
            found.append(Difference(id_, "*", "is in production and has no contract", _write_contract(id_)))
        elif id_ not in observed:
            found.append(Difference(id_, "*", "is not in production", f"Delete contracts/{id_}.yaml if it is gone"))
        else:
            found += _of_one(contracts[id_], observed[id_])
    return found


def canonical_type(text: str) -> str:
    """A type's name as we compare it: one spelling for what Postgres, Snowflake and people call differently."""
    name = " ".join(text.lower().split())
    size = ""
    if match := _WITH_SIZE.fullmatch(name):
        name = (match["name"] + match["rest"]).strip()
        size = "(" + match["size"].replace(" ", "") + ")"
    name = _SYNONYMS.get(name, name)
    if name == "varchar" and not size:
        name = "text"
    return f"{name}{size}"


def _of_one(contract: Contract, observed: Observed) -> Iterator[Difference]:
    known = {field.path: field for field in contract.fields}
    for path, type_ in observed.types.items():
        if path not in known and type_ == "null" and any(each.startswith((f"{path}.", f"{path}[")) for each in known):
            continue  # an object or a list that is not there
        if path not in known:
            yield Difference(
                contract.id, path, f"is new ({type_}){_renamed(path, known, observed)}", _classify(contract)
            )
        elif not _fits(known[path], type_):
            expected = known[path].physical_type or known[path].type
            yield Difference(contract.id, path, f"is {type_}, the contract says {expected}", _revise(contract))
    for path, field in known.items():
        is_declared = field.column not in observed.by_example
        if path not in observed.types and (is_declared or (field.required and observed.has_examples)):
            yield Difference(contract.id, path, "is missing", _revise(contract))


def _fits(field: Field, type_: str) -> bool:
    expected, got = canonical_type(field.physical_type or field.type), canonical_type(type_)
    return expected == got or (field.type, type_) in _FITS or type_ == "null"


def _renamed(path: str, known: Iterable[str], observed: Observed) -> str:
    """Which field it may have been, where one of the same place is gone."""
    place = path.rpartition(".")[0]
    gone = [each for each in known if each not in observed.types and each.rpartition(".")[0] == place]
    return f", and {gone[0]!r} is gone: is it renamed?" if len(gone) == 1 else ""


def _classify(contract: Contract) -> str:
    return f"Add it to contracts/{contract.id}.yaml with its classification and semantic type, then refresh again"


def _revise(contract: Contract) -> str:
    return f"Mend production, or contracts/{contract.id}.yaml with a new version, then refresh again"


def _write_contract(id_: str) -> str:
    return f"Write contracts/{id_}.yaml, every field classified (docs/decisions/0005)"
