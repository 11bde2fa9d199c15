"""Compares the rows that hashes tell apart, value by value: here tolerances hold, and here examples come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from testenv.checks.diff.pairs import COUNT
from testenv.checks.diff.table import KEY, ROW
from testenv.core.contract import Tolerance

if TYPE_CHECKING:
    import polars as pl

HEAD = "\0head"
"""Ends the name of a column that holds head's values, beside base's."""

IN_BASE, IN_HEAD, DIFFERS = "__in_base__", "__in_head__", "__differs__"

RANK = "__rank__"
"""Place of a row among those of its key, by their hashes."""


def paired(base: pl.DataFrame, head: pl.DataFrame, left: pl.DataFrame) -> pl.DataFrame:
    """Rows of `left`, each beside the one of the other side that has its key: base's columns, and head's with `HEAD`.

    Where a key has several, they are paired in the order of their hashes. `IN_BASE` and `IN_HEAD` say who has it.
    """
    import polars as pl

    sides = []
    for rows, sign, mark in ((base, 1, IN_BASE), (head, -1, IN_HEAD)):
        most = left.with_columns(pl.col(COUNT) * sign).filter(pl.col(COUNT) > 0)
        kept = rows.join(most, on=[KEY, ROW], how="inner")
        kept = kept.filter(pl.int_range(pl.len()).over(KEY, ROW) < pl.col(COUNT)).sort(KEY, ROW)
        rank = pl.int_range(pl.len()).over(KEY).alias(RANK)
        sides.append(kept.with_columns(rank, pl.lit(True).alias(mark)).drop(ROW, COUNT))
    both = sides[0].join(sides[1], on=[KEY, RANK], how="full", coalesce=True, suffix=HEAD)
    return both.with_columns(pl.col(IN_BASE, IN_HEAD).fill_null(False))


def compared(pairs: pl.DataFrame, columns: Sequence[str], tolerances: Mapping[str, Tolerance]) -> pl.DataFrame:
    """`pairs`, with a column `DIFFERS` + NAME for each of `columns`: both sides have the row and differ in it."""
    import polars as pl

    both = pl.col(IN_BASE) & pl.col(IN_HEAD)
    return pairs.with_columns(
        (both & _differs(name, pairs.schema, tolerances.get(name))).alias(DIFFERS + name) for name in columns
    )


def _differs(name: str, schema: pl.Schema, tolerance: Tolerance | None) -> pl.Expr:
    import polars as pl

    one, other = pl.col(name), pl.col(name + HEAD)
    kinds = schema[name], schema[name + HEAD]
    if kinds[0] != kinds[1] and not all(kind.is_numeric() for kind in kinds):
        different = one.cast(pl.String).ne_missing(other.cast(pl.String))
    else:
        different = one.ne_missing(other)
    if tolerance is None:
        return different
    if all(kind.is_temporal() for kind in kinds):
        apart = (_time(one, kinds[0]) - _time(other, kinds[1])).abs()
        close = apart <= pl.duration(microseconds=round(tolerance.seconds * 1e6))
    else:
        numbers = [each.cast(pl.Float64, strict=False) for each in (one, other)]
        larger = pl.max_horizontal(each.abs() for each in numbers)
        apart = (numbers[0] - numbers[1]).abs()
        close = (apart <= tolerance.absolute) | (apart <= larger * tolerance.relative)
        # Infinity is no distance from itself, and any from a number; NaN is equal to NaN alone.
        close &= numbers[0].is_finite() & numbers[1].is_finite()
    return different & ~close.fill_null(False)


def _time(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    import polars as pl

    zone = getattr(kind, "time_zone", None)
    there = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zone else column
    return there.cast(pl.Datetime("us"))
