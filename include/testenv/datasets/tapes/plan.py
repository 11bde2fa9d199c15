"""How to write a partition so that every record gets the offset it had. Pure: no broker here.

A producer cannot choose offsets, but three things of Kafka's take some: records that are deleted afterwards fill up the
first offsets; the marker that ends a transaction takes one; the records of an aborted transaction take theirs and are
never read by who reads what is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from testenv.datasets.tapes.form import Partition

CHUNK = 500_000
"""Offsets that one aborted transaction takes at most: it must end before its timeout."""

WHOLE = 10_000
"""Records that are put into one transaction with the one before a gap, instead of being sent before it."""


@dataclass(frozen=True)
class Stretch:
    """First `fill` records to be deleted, then `run` of the tape's, then `gap` offsets without a record."""

    fill: int
    run: int
    gap: int

    @property
    def length(self) -> int:
        return self.fill + self.run + self.gap

    @property
    def committed(self) -> int:
        """How many of the last records before a gap of one go into a transaction, whose marker is the gap."""
        if self.gap != 1:
            return 0
        size = self.fill + self.run
        return size if size <= WHOLE else 1

    @property
    def aborted(self) -> int:
        """How many records an aborted transaction has after the run; its marker takes the last offset of the gap."""
        return self.gap - 1 if self.gap > 1 else 0


@dataclass(frozen=True)
class PartitionPlan:
    """Stretches in their order; the records before offset `first` are deleted in the end."""

    stretches: tuple[Stretch, ...]
    first: int


def plan(partition: Partition) -> PartitionPlan:
    """How to write `partition` into an empty log.

    One gap cannot be made: that of offset 0 alone, as no transaction is there to end. The log begins at 1 instead.
    """
    fill, first = partition.start, partition.start
    stretches: list[Stretch] = []
    for run, gap in _runs(partition):
        if gap == 1 and not (fill or run or stretches):
            fill = first = 1
            continue
        for part, size in enumerate(_chunks(gap)):
            stretches.append(Stretch(fill, run, size) if part == 0 else Stretch(0, 0, size))
            fill = 0
    if fill:
        stretches.append(Stretch(fill, 0, 0))
    return PartitionPlan(tuple(stretches), first)


def _runs(partition: Partition) -> Iterator[tuple[int, int]]:
    """How many records, and how large the gap after them."""
    at = partition.start
    for gap in partition.gaps:
        yield gap.offset - at, gap.length
        at = gap.offset + gap.length
    if at < partition.end or not partition.gaps:
        yield partition.end - at, 0


def _chunks(gap: int) -> Iterable[int]:
    """Parts of a gap, of which none but the whole is 1: an aborted transaction takes two offsets at least."""
    while gap > CHUNK:
        part = CHUNK if gap - CHUNK != 1 else CHUNK - 1
        yield part
        gap -= part
    yield gap
