"""Rows outside any database: files of a lake or a landing zone, records of a topic. Polars hashes them."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from testenv.checks.diff.table import KEY, ROW, WHOLE, Sums, seed

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from testenv.checks.diff.table import Hashes, Pairs

Read = Callable[[Sequence[str] | None], "Iterator[pa.RecordBatch]"]
"""Gives the rows anew at every call, of the columns that are named (None: all)."""

_ROW_SEED = 0x5EED
_BATCH_ROWS = 1 << 17


class FrameTable(ABC):
    """Rows that Polars hashes. Nothing is pushed down, as there is nobody to push to: one pass tells all."""

    most_keys = 1 << 20

    @abstractmethod
    def _scan(self, columns: Sequence[str]) -> Iterator[pl.LazyFrame]:
        """The rows, in as many parts as are to be in memory one at a time, or as a scan that streams."""

    @property
    @abstractmethod
    def _schema(self) -> pl.Schema: ...

    @property
    def method(self) -> str:
        import polars as pl

        return f"polars {pl.__version__}"

    @functools.cached_property
    def types(self) -> Mapping[str, str]:
        return {name: str(kind) for name, kind in self._schema.items()}

    def sums(self, columns: Sequence[str], each: Sequence[str]) -> Sums:
        import polars as pl

        rows, total, by_column = 0, 0, dict.fromkeys(each, 0)
        apart = {name: f"column {at}" for at, name in enumerate(each)}
        hashes = [_row_hash(columns).alias(ROW), *(_hash(name).alias(label) for name, label in apart.items())]
        wanted = [pl.len().alias("rows"), *(each.sum() for each in hashes)]  # the sum of UInt64 wraps around
        for frame in self._frames([*dict.fromkeys([*columns, *each])]):
            [found] = frame.select(wanted).collect(engine="streaming").to_dicts()
            rows += found["rows"]
            total += found[ROW]
            for name, label in apart.items():
                by_column[name] += found[label]
        return Sums(rows, total % WHOLE, {name: value % WHOLE for name, value in by_column.items()})

    def hashes(self, key: Sequence[str], columns: Sequence[str], buckets: Sequence[int] | None) -> Iterator[Pairs]:
        for frame in self._frames(columns):
            hashed = frame.select(_row_hash(key).alias(KEY), _row_hash(columns).alias(ROW))
            for found in hashed.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=False, engine="streaming"):
                yield found[KEY].to_numpy(), found[ROW].to_numpy()

    def rows(self, key: Sequence[str], columns: Sequence[str], wanted: Hashes) -> Iterator[pl.DataFrame]:
        import polars as pl

        keys = pl.Series(wanted).implode()
        for frame in self._frames(columns):  # a filter reaches into the scan, a join does not
            hashes = _row_hash(key).alias(KEY), _row_hash(columns).alias(ROW)
            yield frame.filter(_row_hash(key).is_in(keys)).with_columns(hashes).collect(engine="streaming")

    def _frames(self, columns: Sequence[str]) -> Iterator[pl.LazyFrame]:
        kinds = [(name, self._schema[name]) for name in columns]
        for frame in self._scan(columns):
            yield frame.select(*(_canonical(name, kind) for name, kind in kinds))


class ArrowTable(FrameTable):
    """Rows that come as Arrow batches, such as the records of a topic. Memory: one batch."""

    def __init__(self, schema: pa.Schema, read: Read) -> None:
        self._arrow, self._read = schema, read

    @functools.cached_property
    def _schema(self) -> pl.Schema:
        return _polars(self._empty).schema

    @property
    def _empty(self) -> pa.RecordBatch:
        import pyarrow as pa

        return pa.RecordBatch.from_pylist([], self._arrow)

    def _scan(self, columns: Sequence[str]) -> Iterator[pl.LazyFrame]:
        for batch in chain([self._empty], self._read(columns)):
            yield _polars(batch.select([*columns])).lazy()


def _polars(batch: pa.RecordBatch) -> pl.DataFrame:
    import polars as pl

    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _canonical(name: str, kind: pl.DataType) -> pl.Expr:
    """One form of equal values. Polars' hash itself takes -0.0 for 0.0 and every NaN for one, and widths for one."""
    import polars as pl

    column = pl.col(name)
    match kind:
        case pl.Float32():
            return column.cast(pl.Float64)
        case pl.Datetime(time_zone=zone):
            # Some writers keep milliseconds and some nanoseconds: equal to the microsecond is equal.
            return (column.dt.convert_time_zone("UTC") if zone else column).cast(pl.Datetime("us", zone and "UTC"))
        case pl.Categorical() | pl.Enum():
            return column.cast(pl.String)
    return column


def _hash(name: str) -> pl.Expr:
    import polars as pl

    return pl.col(name).hash(seed(name))


def _row_hash(names: Sequence[str]) -> pl.Expr:
    """Hashed once more: a sum of what is merely combined would not see values that changed rows."""
    import polars as pl

    if not names:
        return pl.lit(0, pl.UInt64)
    return functools.reduce(lambda one, other: one ^ other, map(_hash, names)).hash(_ROW_SEED)
