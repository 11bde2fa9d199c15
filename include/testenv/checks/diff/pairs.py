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

PARTS = 256

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
    """The pairs of one side, in a file: batch after batch, keys and then rows, by the first byte of the key, its part.

    `rows` and `sums` are of each part: number of rows, and sum of their hashes.
    """

    def __init__(self, pairs: Iterable[Pairs], file: IO[bytes]) -> None:
        import numpy as np

        self.rows, self.sums = np.zeros(PARTS, np.int64), np.zeros(PARTS, np.uint64)
        self._file = file
        self._batches: list[Any] = []
        for keys, hashes in pairs:
            place = (keys >> np.uint64(56)).astype(np.uint8)
            order = np.argsort(place, kind="stable")
            hashes = hashes[order]
            file.write(keys[order].data)
            file.write(hashes.data)
            rows = np.bincount(place, minlength=PARTS)
            starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(rows)))
            sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(hashes, dtype=np.uint64)))[starts]
            self.rows += rows
            self.sums += sums[1:] - sums[:-1]
            self._batches.append(starts)

    def frame(self, parts: Sequence[int]) -> pl.DataFrame:
        """The pairs of some parts."""
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
        return pl.DataFrame({KEY: np.concatenate(found[0]), ROW: np.concatenate(found[1])})


@contextmanager
def divided(base: Iterable[Pairs], head: Iterable[Pairs]) -> Iterator[tuple[Side, Side]]:
    """Both sides, until the end of the context."""
    with tempfile.TemporaryFile(prefix="testenv-diff-") as one, tempfile.TemporaryFile(prefix="testenv-diff-") as other:
        yield Side(base, one), Side(head, other)


def unequal(base: Side, head: Side) -> Iterator[Unequal]:
    """What differs, in order of the parts; parts whose rows and sums are equal are not looked at."""
    import numpy as np

    differ = np.flatnonzero((base.rows != head.rows) | (base.sums != head.sums))
    sizes = (base.rows + head.rows)[differ]
    for group in np.split(differ, np.flatnonzero(np.diff(np.cumsum(sizes) // PART_ROWS)) + 1):
        if len(group):
            one, other = (side.frame(group.tolist()) for side in (base, head))
            left = _left(one, other)
            yield Unequal(left, (_repeated(one, left), _repeated(other, left)))


def _left(base: pl.DataFrame, head: pl.DataFrame) -> pl.DataFrame:
    """Rows of which one side has more, in order of their keys' hashes."""
    import polars as pl

    signed = [side.with_columns(pl.lit(sign, pl.Int64).alias(COUNT)) for side, sign in ((base, 1), (head, -1))]
    if _repeats(base) or _repeats(head):
        counted = pl.concat(signed).group_by(KEY, ROW).agg(pl.col(COUNT).sum())
        return counted.filter(pl.col(COUNT) != 0).sort(KEY, ROW)
    # Most rows are equal. Sorting hashes, which finds those that are not, is far cheaper than a join.
    alone = pl.col(ROW).is_in(_once(base, head).implode())
    return pl.concat(side.filter(alone) for side in signed).sort(KEY, ROW)


def _once(base: pl.DataFrame, head: pl.DataFrame) -> pl.Series:
    """Hashes of rows that occur once in both sides together."""
    import numpy as np
    import polars as pl

    found = np.sort(np.concatenate((base[ROW].to_numpy(), head[ROW].to_numpy())))
    new = np.concatenate((np.ones(1, bool), found[1:] != found[:-1], np.ones(1, bool)))
    return pl.Series(found[new[:-1] & new[1:]] if len(found) else found)


def _repeats(side: pl.DataFrame) -> bool:
    import numpy as np

    keys = np.sort(side[KEY].to_numpy())
    return bool((keys[1:] == keys[:-1]).any())


def _repeated(side: pl.DataFrame, left: pl.DataFrame) -> int:
    """How many of the keys that differ occur more than once."""
    import polars as pl

    counts = side.join(left, on=KEY, how="semi").group_by(KEY).len()
    return counts.filter(pl.col("len") > 1).height
