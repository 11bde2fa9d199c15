"""Which rows differ, from the hashes of keys and rows alone; in as much memory as is asked for, whatever the tables."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testenv.checks.diff.table import KEY, ROW

if TYPE_CHECKING:
    import polars as pl

    from testenv.checks.diff.table import Pairs

COUNT = "__count__"
"""How many more rows of this hash base has than head; negative: head than base."""

PART_ROWS = 1 << 21
"""Rows of both sides that are compared at once: some 200 MB."""


@dataclass(frozen=True)
class Unequal:
    """A part of the keys: rows that the other side has not (`KEY`, `ROW`, `COUNT`), in order of the keys' hashes.

    `repeated`: how many of their keys occur more than once, in base and in head.
    """

    left: pl.DataFrame
    repeated: tuple[int, int]


def unequal(base: Iterable[Pairs], head: Iterable[Pairs], rows: int) -> Iterator[Unequal]:
    """Parts by range of the key's hash. `rows` is how many both sides have, about: more than fit wait in files."""
    parts = 1 << max(0, (rows // PART_ROWS).bit_length())
    with tempfile.TemporaryDirectory(prefix="testenv-diff-") as folder:
        sides = [_divided(side, parts, Path(folder, name)) for side, name in ((base, "base"), (head, "head"))]
        for part in range(parts):
            one, other = (_frame(side, part) for side in sides)
            left = _left(one, other)
            yield Unequal(left, (_repeated(one, left), _repeated(other, left)))


def _divided(pairs: Iterable[Pairs], parts: int, folder: Path) -> list[Any]:
    """For each part a file of its pairs, or the pairs themselves if there is one part."""
    import numpy as np

    if parts == 1:
        return [list(pairs)]
    folder.mkdir()
    files = [folder / f"{part:04d}" for part in range(parts)]
    streams = [file.open("wb") for file in files]
    try:
        for key, row in pairs:
            both = np.column_stack((key, row)).astype(np.uint64, copy=False)
            place = (both[:, 0] >> np.uint64(64 - (parts.bit_length() - 1))).astype(np.int64)
            order = np.argsort(place, kind="stable")
            ends = np.searchsorted(place[order], np.arange(parts), side="right")
            for part, chosen in enumerate(np.split(both[order], ends[:-1])):
                streams[part].write(chosen.tobytes())
    finally:
        for stream in streams:
            stream.close()
    return files


def _frame(side: list[Any], part: int) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    if isinstance(side[part], Path):
        both = np.fromfile(side[part], np.uint64).reshape(-1, 2)
        return pl.DataFrame({KEY: both[:, 0], ROW: both[:, 1]})
    frames = [pl.DataFrame({KEY: key, ROW: row}, {KEY: pl.UInt64, ROW: pl.UInt64}) for key, row in side[part]]
    return pl.concat(frames) if frames else pl.DataFrame(schema={KEY: pl.UInt64, ROW: pl.UInt64})


def _left(base: pl.DataFrame, head: pl.DataFrame) -> pl.DataFrame:
    """Rows of which one side has more, in order of their keys' hashes."""
    import polars as pl

    signed = pl.concat(side.with_columns(pl.lit(sign, pl.Int64).alias(COUNT)) for side, sign in ((base, 1), (head, -1)))
    if not (_repeats(base) or _repeats(head)):
        # Most rows are equal: those that have no equal are found first, and only their keys counted.
        both = [KEY, ROW]
        alone = pl.concat([base.join(head, on=both, how="anti"), head.join(base, on=both, how="anti")])
        signed = signed.join(alone, on=KEY, how="semi")
    return signed.group_by(KEY, ROW).agg(pl.col(COUNT).sum()).filter(pl.col(COUNT) != 0).sort(KEY, ROW)


def _repeats(side: pl.DataFrame) -> bool:
    return bool(side[KEY].n_unique() < len(side))


def _repeated(side: pl.DataFrame, left: pl.DataFrame) -> int:
    """How many of the keys that differ occur more than once."""
    import polars as pl

    counts = side.join(left, on=KEY, how="semi").group_by(KEY).len()
    return counts.filter(pl.col("len") > 1).height
