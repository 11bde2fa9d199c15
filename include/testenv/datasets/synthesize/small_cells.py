"""What may be told of a column's values: nothing that fewer than `LEAST` rows have.

A profile leaves the production boundary, so its numbers are those of many rows: a category has at least `LEAST`, and a
number is either one that as many rows have, or a round one with as many rows near it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from testenv.datasets.synthesize.arrow import Whole

LEAST = 11
"""Rows that a cell must have to be told of."""

MOST_EDGES = 65
_LARGEST_STEP = 10**18
_GRAINS = [unit * 10**power for unit in (1, 60, 3600, 86_400) for power in range(13)]


def share(part: int, whole: int) -> float:
    """`part` of `whole`, to four digits; a part, or a rest, of too few rows counts as none."""
    if part < LEAST or not whole:
        return 0.0
    return 1.0 if whole - part < LEAST else round(part / whole, 4)


def categories(values: list[str] | Whole, counts: Whole) -> tuple[list[tuple[Any, float]], int]:
    """The values that enough rows have, with their rows, and how many rows have another. In the values' own order."""
    named = [
        (value if isinstance(value, str) else int(value), int(count))
        for value, count in zip(values, counts, strict=True)
        if count >= LEAST
    ]
    return sorted(named), int(counts.sum()) - sum(count for _, count in named)


def edges(values: Whole) -> tuple[int, ...]:
    """Numbers equally far apart in rank, each bin with enough rows, and none the number of too few. Sorted.

    Empty if there are too few rows for one bin.
    """
    if len(values) < LEAST:
        return ()
    ranked = np.sort(values)
    bins = min(MOST_EDGES - 1, len(ranked) // LEAST)
    places = np.arange(bins + 1) * (len(ranked) - 1) // bins
    told = [_told(int(ranked[place]), ranked) for place in places]
    return tuple(int(each) for each in np.maximum.accumulate(told))


def _told(value: int, ranked: Whole) -> int:
    if _rows(ranked, value, value) >= LEAST:
        return value
    step = 10
    while step < _LARGEST_STEP and _rows(ranked, value // step * step, value // step * step + step - 1) < LEAST:
        step *= 10
    found = value // step * step if step < _LARGEST_STEP else 0
    while 0 < _rows(ranked, found, found) < LEAST:  # a round number can be someone's, too
        found -= 1
    return found


def _rows(ranked: Whole, first: int, last: int) -> int:
    """How many rows lie in `first` … `last`, both included."""
    low, high = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    begin, end = np.int64(max(first, low)), np.int64(min(last, high))
    return int(np.searchsorted(ranked, end, "right") - np.searchsorted(ranked, begin, "left"))


def fan_out(children: Whole, parents: int, most: int = 256) -> tuple[tuple[float, float], ...]:
    """Groups of parents by how many children they have: shares of the parents and of the children, heaviest first.

    `children` has the number of each parent that has any. A group has at least `LEAST` parents, and so the few that
    have more than all others appear as their mean.
    """
    counts, of_them = np.unique(children, return_counts=True)
    total = int(children.sum())
    groups: list[tuple[int, int]] = []
    size = held = 0
    for count, number in zip(counts[::-1].tolist(), of_them[::-1].tolist(), strict=True):
        size, held = size + number, held + number * count
        if size >= LEAST and held * most >= total:
            groups.append((size, held))
            size = held = 0
    if size:
        groups = _joined(groups, size, held)
    childless = parents - len(children)
    if 0 < childless < LEAST:
        groups = _joined(groups, childless, 0)
    return tuple((_six_digits(size / parents), _six_digits(held / total)) for size, held in groups)


def grain(values: Whole) -> int:
    """The roundest step that all values are multiples of: a power of ten, or that of minutes, hours or days."""
    common = int(np.gcd.reduce(values)) if len(values) >= LEAST else 1
    return max((step for step in _GRAINS if common and common % step == 0), default=1)


def _six_digits(number: float) -> float:
    return float(f"{number:.6g}")


def _joined(groups: list[tuple[int, int]], size: int, held: int) -> list[tuple[int, int]]:
    """A group of too few goes to its neighbour, or stands alone where there is no other."""
    if not groups:
        return [(size, held)]
    *others, (last, its) = groups
    return [*others, (last + size, its + held)]
