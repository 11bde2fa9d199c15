"""What a diff found, and whether it is within what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Kind = Literal["only in base", "only in head", "changed", "duplicate in base", "duplicate in head"]


@dataclass(frozen=True)
class Example:
    """One row that differs, masked as all data here is. `values`: column → what base and head hold, where it differs;
    for a row that one side alone has, its whole row, None on the other side."""

    kind: Kind
    key: tuple[Any, ...]
    values: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """Exact counts of rows, and a few examples of each kind: those with the smallest keys.

    Rows of a key that occurs several times are paired after equal ones are set aside; without a key, rows are equal or
    on one side only. `alike` are rows that are not identical but equal within the tolerances. `by_column`: in how many
    changed rows a column differs. `duplicates`: keys that occur more than once, in base and in head. `retyped`: column
    → its types in base and head.
    """

    base_rows: int
    head_rows: int
    only_in_base: int = 0
    only_in_head: int = 0
    changed: int = 0
    alike: int = 0
    by_column: Mapping[str, int] = field(default_factory=dict)
    duplicates: tuple[int, int] = (0, 0)
    columns_only_in_base: tuple[str, ...] = ()
    columns_only_in_head: tuple[str, ...] = ()
    retyped: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the tables are equal, within the tolerances. A key that both repeat alike is no difference."""
        rows = self.only_in_base or self.only_in_head or self.changed
        return not (rows or self.columns_only_in_base or self.columns_only_in_head or self.retyped)


@dataclass(frozen=True)
class Thresholds:
    """What may differ: a number of rows if whole, else a share of the rows of the larger side. Default: nothing.

    `duplicates` is about keys that head repeats, whatever base does. `columns` allows other columns and types.
    """

    only_in_base: float = 0
    only_in_head: float = 0
    changed: float = 0
    duplicates: float = 0
    columns: bool = False


def passes(found: Difference, allowed: Thresholds) -> bool:
    """Whether nothing differs more than is allowed."""
    return not violations(found, allowed)


def violations(found: Difference, allowed: Thresholds) -> tuple[str, ...]:
    """Each threshold that is passed, with what was found and what is allowed."""
    return tuple(_violations(found, allowed))


def _violations(found: Difference, allowed: Thresholds) -> Iterator[str]:
    counts = {
        "only_in_base": found.only_in_base,
        "only_in_head": found.only_in_head,
        "changed": found.changed,
        "duplicates": found.duplicates[1],
    }
    rows = max(found.base_rows, found.head_rows)
    for limit in fields(allowed):
        if limit.name in counts:
            most = getattr(allowed, limit.name)
            bound = most if isinstance(most, int) or most >= 1 else most * rows
            if counts[limit.name] > bound:
                what = limit.name.replace("_", " ")
                yield f"{what}: {counts[limit.name]} of {rows} rows, allowed are {int(bound)}"
    if not allowed.columns:
        for side, names in (("base", found.columns_only_in_base), ("head", found.columns_only_in_head)):
            if names:
                yield f"columns only in {side}: {', '.join(names)}"
        for name, (one, other) in found.retyped.items():
            yield f"column {name}: was {one}, is {other}"
