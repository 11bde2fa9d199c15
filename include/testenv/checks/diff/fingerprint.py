"""Fingerprints: equal if and only if two tables hold the same rows as often, in whatever order (but for chance, 2⁻⁶⁴).

A fingerprint is small and outlives its table, so what a run leaves can be compared with what the run before it left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from testenv.core.errors import Invalid


@dataclass(frozen=True)
class Fingerprint:
    """`hash` is of whole rows, `columns` of each column alone: it says where a difference lies without reading rows.

    `tolerant` columns are not in `hash`: whether theirs differ by more than is allowed, only `diff` can tell.
    `method` is the hash that was used; hashes of two methods have nothing to do with each other.
    """

    method: str
    rows: int
    hash: int
    columns: Mapping[str, int] = field(default_factory=dict)
    tolerant: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Mismatch:
    """How an output differs. `undecided` are columns with a tolerance that are not equal: only `diff` can tell more."""

    output: str
    rows: tuple[int | None, int | None]
    columns: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    only_in_before: tuple[str, ...] = ()
    only_in_after: tuple[str, ...] = ()
    moved: bool = False
    """Every column holds what it held, in other rows."""

    def __str__(self) -> str:
        before, after = self.rows
        if before is None or after is None:
            return f"{self.output}: is not there {'before' if before is None else 'after'}"
        told = [f"{before} rows became {after}"] if before != after else []
        told += [
            f"{what} {', '.join(names)}"
            for what, names in (
                ("other values in", self.columns),
                ("not equal, perhaps within tolerance:", self.undecided),
                ("columns gone:", self.only_in_before),
                ("columns new:", self.only_in_after),
            )
            if names
        ]
        told += ["the values of each column are the same, in other rows"] if self.moved else []
        return f"{self.output}: {'; '.join(told)}"


def mismatches(before: Mapping[str, Fingerprint], after: Mapping[str, Fingerprint]) -> tuple[Mismatch, ...]:
    """Every output whose fingerprint changed, by name; none: all are as they were.

    Raises `Invalid` for two fingerprints that were taken by different methods.
    """
    return tuple(_mismatches(before, after))


def _mismatches(before: Mapping[str, Fingerprint], after: Mapping[str, Fingerprint]) -> Iterator[Mismatch]:
    for output in sorted({*before, *after}):
        one, other = before.get(output), after.get(output)
        if one is None or other is None:
            yield Mismatch(output, (one.rows if one else None, other.rows if other else None))
        elif one.method != other.method:
            raise Invalid(
                f"{output}: a fingerprint by {one.method} cannot be compared with one by {other.method}. Take both anew"
            )
        elif one != other:
            yield _mismatch(output, one, other)


def _mismatch(output: str, one: Fingerprint, other: Fingerprint) -> Mismatch:
    common = [name for name in one.columns if name in other.columns]
    differ = [name for name in common if one.columns[name] != other.columns[name]]
    tolerant = one.tolerant | other.tolerant
    same_columns = one.columns.keys() == other.columns.keys()
    return Mismatch(
        output,
        (one.rows, other.rows),
        columns=tuple(name for name in differ if name not in tolerant),
        undecided=tuple(name for name in differ if name in tolerant),
        only_in_before=tuple(name for name in one.columns if name not in other.columns),
        only_in_after=tuple(name for name in other.columns if name not in one.columns),
        moved=one.rows == other.rows and same_columns and not differ and one.hash != other.hash and bool(common),
    )
