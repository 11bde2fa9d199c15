"""What a store must do so that its tables can be compared: hash where the rows are, and send as few as possible."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Hashes = np.ndarray[Any, np.dtype[np.uint64]]
    Pairs = tuple[Hashes, Hashes]

KEY, ROW = "__key__", "__row__"
"""Names of the columns that hold the hash of a row's key, and of the row."""

WHOLE = 1 << 64
"""Sums of hashes are taken modulo this."""


@dataclass(frozen=True)
class Sums:
    """Number of rows, sum of their hashes, and of each column's."""

    rows: int
    hash: int
    columns: Mapping[str, int]


class Table(Protocol):
    """A table at rest. `columns` are those compared; every call names them in the same order on both sides."""

    @property
    def method(self) -> str:
        """The hash that is used, and of which release: only what is equal here can be compared."""

    @property
    def types(self) -> Mapping[str, str]:
        """Column → its type, in the table's order."""

    @property
    def most_keys(self) -> int:
        """How many keys `rows` may be asked for at once."""

    def sums(self, columns: Sequence[str], each: Sequence[str]) -> Sums:
        """Of rows of `columns`, and of each of `each` alone. One pass."""

    def hashes(self, key: Sequence[str], columns: Sequence[str], buckets: Sequence[int] | None) -> Iterator[Pairs]:
        """Hash of the key and of the row, of each row (in `buckets`, where the table is divided). One pass."""

    def rows(self, key: Sequence[str], columns: Sequence[str], wanted: Hashes) -> Iterator[pl.DataFrame]:
        """`columns`, `KEY` and `ROW` of the rows whose key's hash is among `wanted`; at least one frame. One pass."""


@runtime_checkable
class Divided(Table, Protocol):
    """A table whose store divides rows by key, so that of equal parts none need travel."""

    @property
    def buckets(self) -> int:
        """Into how many parts."""

    def bucket_sums(self, key: Sequence[str], columns: Sequence[str]) -> Mapping[int, tuple[int, int]]:
        """Bucket → number of rows and sum of their hashes. One pass."""


def seed(column: str) -> int:
    """A column's own seed: equal values in two columns have two hashes, in whatever order the columns stand."""
    return zlib.crc32(column.encode()) >> 1
