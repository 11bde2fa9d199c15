"""Which parent a child has, computed from the child's place alone: every parent's number of children is exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from testenv.datasets.synthesize.counter import Words


@dataclass(frozen=True, eq=False)
class Allocation:
    """Groups of parents that have equally many children each: where the groups begin, among parents and children.

    A group never has more parents than children. The parents after the last group have none.
    """

    parents: Words
    children: Words

    def parent(self, child: Words) -> Words:
        """The parent's place for each child's: in order, so that it is never greater than the child's."""
        group = np.searchsorted(self.children, child, side="right") - 1
        sizes, counts = np.diff(self.parents), np.diff(self.children)
        return self.parents[group] + (child - self.children[group]) * sizes[group] // counts[group]


@lru_cache(maxsize=256)
def allocate(fan_out: tuple[tuple[float, float], ...], parents: int, children: int) -> Allocation:
    """Spread `children` over `parents` as `fan_out` says, by cumulative shares, so that nothing is lost by rounding.

    A group that is left without a parent, as there are few, gives its children to the others.
    """
    ends = np.rint(np.cumsum([0.0] + [share for share, _ in fan_out]) * parents).astype(np.int64).clip(0, parents)
    sizes = np.diff(ends)
    weights = np.array([share for _, share in fan_out]) * (sizes > 0)
    if not weights.sum():
        sizes, weights = np.array([parents]), np.array([1.0])
    counts = np.diff(np.rint(np.cumsum([0.0, *weights]) / weights.sum() * children).astype(np.int64))
    sizes = np.minimum(sizes, counts)[counts > 0]
    counts = counts[counts > 0]
    return Allocation(*(np.concatenate([[0], np.cumsum(each)]).astype(np.uint64) for each in (sizes, counts)))
