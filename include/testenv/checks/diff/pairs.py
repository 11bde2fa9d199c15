"""Which rows differ, from the hashes of keys and rows alone; in as much memory as is asked for, whatever the tables."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from testenv.checks.diff.table import KEY, ROW

if TYPE_CHECKING:
    import polars as pl

    from testenv.checks.diff.table import Pairs

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
    """The pairs of one side, in a file: by batch, and in each batch by the first byte of the key's hash, its part.

    `rows` and `sums` are of each part: number of rows, and sum of their hashes.
    """

    def __init__(self, pairs: Iterable[Pairs], file: IO[bytes]) -> None:
        import numpy as np

        self.rows, self.sums = np.zeros(PARTS, np.int64), np.zeros(PARTS, np.uint64)
        self._file, self._ends = file, [np.zeros(PARTS, np.int64)]
        for keys, hashes in pairs:
            place = (keys >> np.uint64(56)).astype(np.uint8)
            order = np.argsort(place, kind="stable")
            both = np.empty((len(keys), 2), np.uint64)
            both[:, 0], both[:, 1] = keys[order], hashes[order]
            file.write(both.data)
            rows = np.bincount(place, minlength=PARTS)
            sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(both[:, 1], dtype=np.uint64)))
            ends = np.cumsum(rows)
            self.rows += rows
            self.sums += sums[ends] - sums[ends - rows]
            self._ends.append(self._ends[-1][-1] + ends)

    def frame(self, parts: Sequence[int]) -> pl.DataFrame:
        """The pairs of some parts."""
        import numpy as np
        import polars as pl

        found = [np.zeros((0, 2), np.uint64)]
        for before, ends in zip(self._ends, self._ends[1:], strict=False):
            for part in parts:
                start, end = (int(before[-1]) if part == 0 else int(ends[part - 1])), int(ends[part])
                if end > start:
                    self._file.seek(start * 16)
                    found.append(np.frombuffer(self._file.read((end - start) * 16), np.uint64).reshape(-1, 2))
        both = np.concatenate(found)
        return pl.DataFrame({KEY: both[:, 0], ROW: both[:, 1]})


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
