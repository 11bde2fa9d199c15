"""Which rows differ, from the hashes of keys and rows alone; in as much memory as is asked for, whatever the tables."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from testenv.checks.diff.table import KEY, ROW

if TYPE_CHECKING:
    import polars as pl

    from testenv.checks.diff.table import Hashes, Pairs

COUNT = "__count__"
"""How many more rows of this hash base has than head; negative: head than base."""

PARTS = 1 << 8
"""Keys are divided by the first bits of their hash: into parts, which lie together in a file, ..."""

BUCKETS = 1 << 20
"""... and finer, to be compared by sum."""

PART_ROWS = 1 << 21
"""Rows of both sides that are compared at once: some 200 MB."""


@dataclass(frozen=True)
class Unequal:
    """A part of the keys: rows that the other side has not (`KEY`, `ROW`, `COUNT`), in order of the keys' hashes.

    `repeated`: how many of their keys occur more than once, in base and in head.
    """

    left: pl.DataFrame
    repeated: tuple[int, int]


class Side:
    """The pairs of one side, in a file: batch after batch, keys and then rows, part by part.

    `rows`: number of rows of each part. `sums`: sum of the rows' hashes of each bucket.
    """

    def __init__(self, pairs: Iterable[Pairs], file: IO[bytes]) -> None:
        import numpy as np

        self.rows, self.sums = np.zeros(PARTS, np.int64), np.zeros(BUCKETS, np.uint64)
        self._file = file
        self._batches: list[Any] = []
        for keys, hashes in pairs:
            place = _first(keys, PARTS).astype(np.uint8)  # of bytes the sort is a count
            order = np.argsort(place, kind="stable")
            keys, hashes = keys[order], hashes[order]
            file.write(keys.data)
            file.write(hashes.data)
            rows = np.bincount(place, minlength=PARTS)
            self.rows += rows
            # One more for each row: also rows of nothing, whose hash is 0, are counted.
            np.add.at(self.sums, _first(keys, BUCKETS), hashes + np.uint64(1))
            self._batches.append(np.concatenate((np.zeros(1, np.int64), np.cumsum(rows))))

    def frame(self, parts: Sequence[int], wanted: Any) -> pl.DataFrame:
        """The pairs of some parts, of those buckets for which `wanted` says so."""
        import numpy as np
        import polars as pl

        runs = np.split(parts, np.flatnonzero(np.diff(parts) > 1) + 1)  # what lies together is read together
        found: tuple[list[Hashes], list[Hashes]] = ([np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)])
        at = 0
        for starts in self._batches:
            for run in runs:
                start, end = int(starts[run[0]]), int(starts[run[-1] + 1])
                for column, offset in zip(found, (at, at + int(starts[-1])), strict=True):
                    self._file.seek((offset + start) * 8)
                    column.append(np.frombuffer(self._file.read((end - start) * 8), np.uint64))
            at += 2 * int(starts[-1])
        keys, hashes = map(np.concatenate, found)
        kept = wanted[_first(keys, BUCKETS)]
        return pl.DataFrame({KEY: keys[kept], ROW: hashes[kept]})


def _first(keys: Hashes, of: int) -> Any:
    """Place of each key among so many (a power of two), by its first bits: an index, so signed."""
    import numpy as np

    return (keys >> np.uint64(65 - of.bit_length())).astype(np.int64)


@contextmanager
def divided(base: Iterable[Pairs], head: Iterable[Pairs]) -> Iterator[tuple[Side, Side]]:
    """Both sides, until the end of the context."""
    with tempfile.TemporaryFile(prefix="testenv-diff-") as one, tempfile.TemporaryFile(prefix="testenv-diff-") as other:
        yield Side(base, one), Side(head, other)


def unequal(base: Side, head: Side) -> Iterator[Unequal]:
    """What differs, in order of the parts; buckets whose sums are equal are not looked at."""
    import numpy as np

    differ = base.sums != head.sums
    parts = np.flatnonzero(differ.reshape(PARTS, -1).any(axis=1))
    sizes = (base.rows + head.rows)[parts]
    for group in np.split(parts, np.flatnonzero(np.diff(np.cumsum(sizes) // PART_ROWS)) + 1):
        if len(group):
            one, other = (side.frame(group.tolist(), differ) for side in (base, head))
            left = _left(one, other)
            yield Unequal(left, (_repeated(one, left), _repeated(other, left)))


def _left(base: pl.DataFrame, head: pl.DataFrame) -> pl.DataFrame:
    """Rows of which one side has more, in order of their keys' hashes."""
    import polars as pl

    signed = [side.with_columns(pl.lit(sign, pl.Int64).alias(COUNT)) for side, sign in ((base, 1), (head, -1))]
    counted = pl.concat(signed).group_by(KEY, ROW).agg(pl.col(COUNT).sum())
    return counted.filter(pl.col(COUNT) != 0).sort(KEY, ROW)


def _repeated(side: pl.DataFrame, left: pl.DataFrame) -> int:
    """How many of the keys that differ occur more than once."""
    import polars as pl

    counts = side.join(left, on=KEY, how="semi").group_by(KEY).len()
    return counts.filter(pl.col("len") > 1).height
