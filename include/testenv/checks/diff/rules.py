"""How a contract says that its data is to be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testenv.checks.diff.result import Thresholds
from testenv.core.contract import Contract, Tolerance
from testenv.core.errors import InvalidCatalog

_THRESHOLDS = {
    "onlyInBase": "only_in_base",
    "onlyInHead": "only_in_head",
    "changed": "changed",
    "duplicates": "duplicates",
    "columns": "columns",
}


@dataclass(frozen=True)
class Rules:
    """Key columns (none: whole rows are compared), columns that do not count, and how far others may be apart."""

    key: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)


def rules_of(contract: Contract) -> Rules:
    """From the contract's primary key and its fields' `ignoreInComparison` and `tolerance`."""
    return Rules(
        key=contract.key,
        ignored=frozenset(each.column for each in contract.fields if each.ignored),
        tolerances={each.column: each.tolerance for each in contract.fields if each.tolerance},
    )


def thresholds_of(contract: Contract) -> Thresholds:
    """From the contract's custom property `differences`. Raises `InvalidCatalog` for what it may not say."""
    said: Any = contract.options.get("differences", {})
    if not isinstance(said, Mapping) or not said.keys() <= _THRESHOLDS.keys():
        raise InvalidCatalog(f"{contract.id}: differences: may hold {[*_THRESHOLDS]}, got {said!r}")
    for name, value in said.items():
        kind = bool if name == "columns" else (int, float)
        if not isinstance(value, kind) or (name != "columns" and (isinstance(value, bool) or value < 0)):
            must = "true or false" if name == "columns" else "a number of rows or a share"
            raise InvalidCatalog(f"{contract.id}: differences: {name}: must be {must}, got {value!r}")
    return Thresholds(**{_THRESHOLDS[name]: value for name, value in said.items()})
