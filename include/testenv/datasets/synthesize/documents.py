"""Documents in columns of JSON text, taken apart for a profile, and put together again from generated columns.

A document has a column for each leaf of its contract (`details.os.name`); a list one for its length,
(`scope.channels[]#`), and one for each leaf of its first items (`scope.channels[0]`, `terms.guarantors[0].name`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from testenv.core.contract import Contract, Field
from testenv.core.errors import Invalid
from testenv.datasets.feeds import parsed
from testenv.datasets.synthesize.arrow import Whole, whole

MOST_ITEMS = 8
"""Items that a generated list has at most."""

_READ: dict[str, tuple[pa.DataType, Callable[[Any], Any]]] = {
    "integer": (pa.int64(), int),
    "number": (pa.float64(), float),
    "boolean": (pa.bool_(), bool),
    "date": (pa.date32(), date.fromisoformat),
    "timestamp": (pa.timestamp("us", "UTC"), datetime.fromisoformat),
}
_SLOT = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True)
class Items:
    """The lists at one path: the length of each row's, and by leaf the values of all items, one after the other."""

    lengths: pa.Array
    leaves: dict[str, pa.Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Leaves:
    """A table's values by path: those of which a row has one, and those in lists, by the list's path (`a.b[]`)."""

    rows: int
    flat: dict[str, pa.Array]
    lists: dict[str, Items]

    def of(self, column: str) -> pa.Array:
        """What a column of the profile was made of."""
        path = leaf_of(column)
        if column in self.flat:
            return self.flat[column]
        if path.endswith("#"):
            return self.lists[path[:-1]].lengths
        return self.lists[path[: path.index("[]") + 2]].leaves[path]

    def pair(self, first: str, then: str) -> tuple[Whole, Whole]:
        """Two columns as whole numbers, of the rows that have both."""
        both = pa.table({"first": self.flat[first], "then": self.flat[then]}).drop_null().combine_chunks()
        return whole(_array(both.column("first"))), whole(_array(both.column("then")))


def length_of(path: str) -> str:
    """The column that has the length of the list at `path`."""
    return f"{path}#"


def leaf_of(column: str) -> str:
    """The contract's path of a column: of items, whichever they are."""
    return _SLOT.sub("[]", column)


def slot(path: str, number: int) -> str:
    """The column of a list's item."""
    return path.replace("[]", f"[{number}]", 1)


def is_document(contract: Contract, column: str) -> bool:
    """Whether a column holds documents. Raises `Invalid` where the contract has nothing of that name."""
    below = [each.path for each in contract.fields if each.column == column]
    if not below:
        raise Invalid(f"{contract.id}: the contract has no {column}. Classify it there, or leave the column out")
    return below != [column]


def can_be_told(contract: Contract) -> bool:
    """Whether all of a table can be taken apart: lists within lists cannot."""
    return all(each.path.count("[]") < 2 for each in contract.fields)


def leaves(contract: Contract, table: pa.Table) -> Leaves:
    """Take a table's documents apart. Raises `Invalid` for columns that stand in no contract, and lists in lists."""
    if not can_be_told(contract):
        raise Invalid(f"{contract.id} has lists within lists, which are not profiled. Leave the table out")
    found = Leaves(table.num_rows, {}, {})
    for name in table.column_names:
        if not is_document(contract, name):
            found.flat[name] = _array(table.column(name))
            continue
        documents = [None if text is None else parsed(text) for text in table.column(name).to_pylist()]
        for each in contract.fields:
            if each.column == name:
                _take(found, each, documents)
    return found


def _take(found: Leaves, leaf: Field, documents: list[Any]) -> None:
    """One leaf of all documents; what is not of its type counts as null."""
    path, is_list, rest = leaf.path.partition("[]")
    values = [_at(document, path.split(".")[1:]) for document in documents]
    if not is_list:
        found.flat[leaf.path] = _typed(leaf, values)
        return
    lists = [value if isinstance(value, list) else None for value in values]
    if f"{path}[]" not in found.lists:
        lengths = pa.array([None if each is None else len(each) for each in lists], pa.int32())
        found.lists[f"{path}[]"] = Items(lengths)
    items = [_at(item, rest.split(".")[1:]) for each in lists for item in each or ()]
    found.lists[f"{path}[]"].leaves[leaf.path] = _typed(leaf, items)


def _at(document: Any, names: list[str]) -> Any:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _typed(leaf: Field, values: list[Any]) -> pa.Array:
    kind, read = _READ.get(leaf.type, (pa.string(), str))

    def scalar(value: Any) -> Any:
        if value is None or isinstance(value, (dict, list)):
            return None
        try:
            return pa.scalar(read(value), kind).as_py()
        except (ValueError, TypeError, OverflowError, pa.ArrowException):
            return None

    return pa.array(map(scalar, values), kind)


def _array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    if isinstance(found, pa.ChunkedArray):
        found = found.chunk(0) if found.num_chunks else pa.array([], found.type)
    return found.cast(pa.string()) if pa.types.is_large_string(found.type) else found


# ---------------------------------------------------------------- the way back


def nested(contract: Contract, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Generated rows as the table has them: each document's columns as one of JSON text."""
    plain = {each.column: each for each in contract.fields if each.path == each.column}
    made: dict[str, Any] = {}
    for name in batch.schema.names:
        column = name.split(".")[0]
        if column in plain:
            made[name] = batch.column(name)
        elif column not in made:
            made[column] = pa.array(_texts(contract, column, batch), pa.string())
    order = dict.fromkeys(each.column for each in contract.fields)
    return pa.RecordBatch.from_pydict({name: made[name] for name in order if name in made})


@dataclass(frozen=True)
class _Column:
    """A generated column of a document: where its values belong, and in which item of the list there, if in any."""

    names: list[str]
    item: int | None
    below: list[str]
    values: list[Any]


def _texts(contract: Contract, column: str, batch: pa.RecordBatch) -> Iterator[str]:
    as_text = {each.path for each in contract.fields if each.physical_type == "string"}
    lists: list[_Column] = []
    values: list[_Column] = []
    for name in batch.schema.names:
        if name.split(".")[0] == column:
            path, number, rest = [*_SLOT.split(name.removesuffix("[]#"), maxsplit=1), "", ""][:3]
            held = [_written(value, leaf_of(name) in as_text) for value in batch.column(name).to_pylist()]
            made = _Column(path.split(".")[1:], int(number) if number else None, rest.split(".")[1:], held)
            (lists if name.endswith("#") else values).append(made)
    slots = {tuple(each.names): each.item + 1 for each in values if each.item is not None}
    of_objects = {tuple(each.names) for each in values if each.below}
    for row in range(len(batch)):
        document: dict[str, Any] = {}
        for each in lists:
            where, length = tuple(each.names), each.values[row]
            if length is not None:
                items = range(min(length, slots.get(where, 0)))
                _put(document, each.names, [{} if where in of_objects else None for _ in items])
        for each in values:
            if each.values[row] is not None:
                _fill(document, each, each.values[row])
        yield json.dumps(document, ensure_ascii=False)


def _fill(document: dict[str, Any], column: _Column, value: Any) -> None:
    """Put a value where it belongs, if the row's list is so long."""
    if column.item is None:
        _put(document, column.names, value)
        return
    items = _at(document, column.names) or []
    if column.item < len(items) and column.below:
        _put(items[column.item], column.below, value)
    elif column.item < len(items):
        items[column.item] = value


def _put(document: dict[str, Any], names: list[str], value: Any) -> None:
    for name in names[:-1]:
        document = document.setdefault(name, {})
    document[names[-1]] = value


def _written(value: Any, as_text: bool) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value) if as_text and value is not None else value
