"""Which pipelines of a trial depend on each other, and so in which order their runs go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from testenv.core.errors import InvalidCatalog

if TYPE_CHECKING:
    from testenv.checks.trial.plan import Run, Subject


class Lineage:
    """The pipelines `ordered` so that what writes comes before what reads. Raises `InvalidCatalog` for a cycle."""

    def __init__(self, chosen: Iterable[Subject]) -> None:
        by_id = {each.id: each for each in chosen}
        self._upstream = {id_: _all_above(id_, by_id) for id_ in sorted(by_id)}
        if cycle := sorted(id_ for id_, above in self._upstream.items() if id_ in above):
            raise InvalidCatalog(f"pipelines: {', '.join(cycle)} read from each other. No order of runs is right")
        self.ordered = sorted(by_id.values(), key=lambda each: (len(self._upstream[each.id]), each.id))
        self._writes = {each.id: each.writes for each in self.ordered}
        self._unknown = {each.id for each in self.ordered if each.reads is None}

    def upstream(self, id_: str) -> tuple[str, ...]:
        """All pipelines that it reads from, through others too."""
        return tuple(sorted(self._upstream[id_]))

    def feeds(self, id_: str, readers: Collection[str]) -> bool:
        """Whether any of `readers` reads from it."""
        return any(id_ in self._upstream[each] for each in readers)

    def related(self, one: str, other: str) -> bool:
        """Whether runs of the two must not go side by side: one reads from the other, or both write one table."""
        read = one in self._upstream[other] or other in self._upstream[one]
        unknown = {one, other} <= self._unknown
        return one == other or read or unknown or bool(self._writes[one] & self._writes[other])

    def in_turn(self, groups: Sequence[Sequence[Run]], *, one_by_one: Collection[str] = ()) -> tuple[Run, ...]:
        """The runs of all groups, each after those of earlier groups to whose pipelines its own is related.

        `one_by_one`: pipelines of which one runs at a time, as streams are killed at a point that is the environment's.
        """
        runs: list[Run] = []
        for group in groups:
            before = list(runs)
            for run in group:
                alone = run.pipeline in one_by_one
                after = tuple(
                    at
                    for at, earlier in enumerate(before)
                    if self.related(earlier.pipeline, run.pipeline) or (alone and earlier.pipeline in one_by_one)
                )
                runs.append(run.model_copy(update={"after": after}))
        return tuple(runs)


def _all_above(id_: str, by_id: dict[str, Subject]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [id_]
    while waiting:
        for each in _above(by_id[waiting.pop()], by_id) - found:
            found.add(each)
            waiting.append(each)
    return frozenset(found)


def _above(subject: Subject, by_id: dict[str, Subject]) -> set[str]:
    """Those that write what it reads. Of two that read everything, neither is known to write for the other."""
    if subject.reads is None:
        return {other.id for other in by_id.values() if other.reads is not None}
    return {other.id for other in by_id.values() if other.writes & subject.reads and other.id != subject.id}
