"""What a trial does, step by step: decided before anything runs, from the affected pipelines and their lineage.

Sides run one after another from the same start. Runs of a step that do not depend on each other may go side by side;
`Run.after` says which must have ended.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from testenv.checks.trial.kills import Point
from testenv.checks.trial.lineage import Lineage
from testenv.checks.trial.record import Moment, Side
from testenv.core.contract import Contracts, Store
from testenv.core.pipelines import Pipelines

KILL_POINTS = tuple(point.value for point in Point)
"""Where a streaming job is killed, in the order in which a micro-batch passes them."""

SHUFFLED, AT_ONCE, INTERRUPTED = "shuffled", "at-once", "interrupted"
DISTURBANCES = (SHUFFLED, AT_ONCE, INTERRUPTED)
"""What a backfill is disturbed by."""

SLICE = 2
"""Runs of one pipeline that a backfill starts at once."""

RUN_SECONDS, TRIAL_SECONDS = 300, 1080
"""Limits of one run and of the whole trial: it is over within the twenty minutes of a verdict."""


@dataclass(frozen=True)
class Subject:
    """A pipeline of the trial. `intervals` are its logical dates, oldest first.

    `reads` and `writes` are contracts' ids; `reads` is None where nobody says: then it reads what all the others write.
    `sides` are those whose code has it.
    """

    id: str
    intervals: tuple[str, ...]
    reads: frozenset[str] | None = None
    writes: frozenset[str] = frozenset()
    streaming: bool = False
    sides: frozenset[Side] = frozenset(("base", "head"))

    @property
    def drains(self) -> bool:
        """Whether it is known to read a topic: then its place there is its order, whatever dates it runs for."""
        return any(each.startswith(f"{Store.KAFKA}.") for each in self.reads or ())


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Run(_Frozen):
    """A run of a pipeline for a logical date, once the runs at the places `after` of the same step have ended.

    `interrupted`: it is ended after its first task, and resumed. `kill_at`: its streaming job is killed at that point
    of its first micro-batch, so that it fails. `moment` is the one that it leads to; the step's if it is empty.
    """

    pipeline: str
    logical_date: str
    moment: str = ""
    after: tuple[int, ...] = ()
    interrupted: bool = False
    kill_at: str = ""


class Runs(_Frozen):
    """Runs of one side's code, on the way to `moment`, but for those that name another."""

    do: Literal["run"] = "run"
    side: Side
    moment: str
    runs: tuple[Run, ...]

    @property
    def moments(self) -> frozenset[str]:
        """All moments that its runs lead to."""
        return frozenset(map(self.moment_of, self.runs))

    def moment_of(self, run: Run) -> str:
        """The moment that one of its runs leads to."""
        return run.moment or self.moment


class Record(_Frozen):
    """Record the state of every output as `moment`; where that stands for others, as each of `of`."""

    do: Literal["record"] = "record"
    moment: str
    of: tuple[str, ...] = ()


class Reset(_Frozen):
    """Make everything be as it was at the start."""

    do: Literal["reset"] = "reset"


Step = Annotated[Runs | Record | Reset, Field(discriminator="do")]


class Alone(_Frozen):
    """Steps to go on with where `moment` differs from `like` in what `pipelines` wrote, and what to go on with then.

    Of several that take one moment apart, the next is tried only while something differs that none before has shown.
    Steps that come to a moment once more take the place of those that did before. What is `optional` tells more of what
    is known already, and is left where there is no time for it.
    """

    moment: str
    like: str
    pipelines: tuple[str, ...]
    steps: tuple[Step, ...]
    then: tuple[Alone, ...] = ()
    optional: bool = False


class Plan(_Frozen):
    """A whole trial.

    `upstream`: pipeline → those that it reads from; it does not run where one of them failed. `writes`: pipeline →
    datasets it declares. `allowed`: output → columns whose differences are no reason to go on with `alone`. `batches`:
    keys of folders of the lake that are no outputs of their own, as `batch` of `batch=7/`.
    """

    env_id: str
    dataset: str
    intervals: dict[str, tuple[str, ...]]
    steps: tuple[Step, ...]
    alone: tuple[Alone, ...] = ()
    upstream: dict[str, tuple[str, ...]] = {}
    writes: dict[str, tuple[str, ...]] = {}
    streaming: tuple[str, ...] = ()
    allowed: dict[str, tuple[str, ...]] = {}
    emulated: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    run_seconds: int = RUN_SECONDS
    seconds: int = TRIAL_SECONDS

    @property
    def sides(self) -> frozenset[Side]:
        """Sides whose code runs."""
        return frozenset(step.side for step in self.steps if isinstance(step, Runs))


def subjects(
    affected: Collection[str], base: Pipelines, head: Pipelines, intervals: Mapping[str, tuple[str, ...]]
) -> tuple[Subject, ...]:
    """The affected pipelines, as both sides' catalogues know them. One that neither lists reads what all others write.

    `intervals` has those that are to be run: what is not in it is left out.
    """
    found = []
    for id_ in sorted(set(affected) & intervals.keys()):
        known = [each[id_] for each in (head, base) if id_ in each]
        sides: list[Side] = [side for side, each in (("base", base), ("head", head)) if id_ in each]  # type: ignore[misc]
        if not known:
            found.append(Subject(id_, intervals[id_]))
            continue
        reads, writes = (frozenset(x for each in known for x in getattr(each, k)) for k in ("inputs", "outputs"))
        found.append(Subject(id_, intervals[id_], reads, writes, known[0].streaming, frozenset(sides)))
    return tuple(found)


def make_plan(
    env_id: str,
    dataset: str,
    chosen: Sequence[Subject],
    contracts: Contracts,
    emulated: Sequence[str] = (),
    feeding: Sequence[Subject] = (),
) -> Plan:
    """The trial of these pipelines in an environment, from a start that those of `feeding` have prepared.

    Raises `InvalidCatalog` where pipelines read from each other.
    """
    there, (steps, alone) = Lineage(chosen), steps_of(chosen)
    if feeding:
        fed = Lineage(feeding)
        steps = (Runs(side="base", moment=Moment.START, runs=_sequence(fed.ordered, fed)), *steps)
    lenient = {
        f"{each.store}:{each.name}": tuple(sorted({f.column for f in each.fields if f.ignored or f.tolerance}))
        for each in contracts.values()
    }
    return Plan(
        env_id=env_id,
        dataset=dataset,
        intervals={each.id: each.intervals for each in chosen},
        steps=steps,
        alone=alone,
        upstream={each.id: there.upstream(each.id) for each in chosen},
        writes={each.id: tuple(sorted(each.writes)) for each in chosen},
        streaming=tuple(sorted(each.id for each in chosen if each.streaming)),
        allowed={output: columns for output, columns in sorted(lenient.items()) if columns},
        emulated=tuple(emulated),
    )


def steps_of(chosen: Iterable[Subject]) -> tuple[tuple[Step, ...], tuple[Alone, ...]]:
    """The steps of a trial of these pipelines, and those to go on with where a disturbance shows."""
    there = Lineage(chosen)
    base, head = ([each for each in there.ordered if side in each.sides] for side in ("base", "head"))
    steps: list[Step] = [Record(moment=Moment.START)]
    if base:
        steps += [Runs(side="base", moment=Moment.BASE, runs=_sequence(base, there)), Record(moment=Moment.BASE)]
    if not head:
        return (*steps, Reset(), Record(moment=Moment.HEAD)), ()
    steps += [Reset()] if base else []
    steps += [_head(Moment.HEAD, _sequence(head, there)), Record(moment=Moment.HEAD)]
    steps += [_head(Moment.AGAIN, _again(head, there)), Record(moment=Moment.AGAIN)]
    batch, streams = ([each for each in head if each.streaming is wanted] for wanted in (False, True))
    needed = [each for each in head if not each.streaming or there.feeds(each.id, {one.id for one in batch})]
    backfill, crashed = partial(_backfill, needed, there), partial(_crashed, streams, there)
    apart: list[Alone] = []
    if batch:
        each_way = tuple(_alone(Moment.BACKFILL, batch, DISTURBANCES, backfill))
        apart.append(_apart(Moment.BACKFILL, batch, backfill(DISTURBANCES, Moment.BACKFILL), each_way))
    if streams:
        each_point = tuple(_alone(Moment.CRASHED, streams, KILL_POINTS, crashed))
        apart.append(_apart(Moment.CRASHED, streams, crashed(KILL_POINTS, Moment.CRASHED), each_point))
    if batch and streams:
        return (*steps, *_disturbed(head, there)), tuple(apart)
    return (*steps, *apart[0].steps), apart[0].then


def _apart(moment: str, chosen: Sequence[Subject], steps: tuple[Step, ...], then: tuple[Alone, ...]) -> Alone:
    pipelines = tuple(each.id for each in chosen)
    return Alone(moment=moment, like=Moment.HEAD, pipelines=pipelines, steps=steps, then=then)


def _alone(
    moment: Moment, chosen: Sequence[Subject], disturbances: Sequence[str], steps: Callable[..., tuple[Step, ...]]
) -> Iterator[Alone]:
    """Each disturbance by itself, to be tried where all of them together left something else than `head`; but for
    those that change nothing about these runs.
    """
    undisturbed = _runs(steps((), moment))
    for each in disturbances:
        found = steps((each,), f"{moment}/{each}")
        if _runs(found) != undisturbed:
            pipelines = tuple(one.id for one in chosen)
            yield Alone(moment=moment, like=Moment.HEAD, pipelines=pipelines, steps=found, optional=True)


def _runs(steps: Iterable[Step]) -> list[tuple[Run, ...]]:
    return [step.runs for step in steps if isinstance(step, Runs)]


def _head(moment: str, runs: tuple[Run, ...]) -> Runs:
    return Runs(side="head", moment=moment, runs=runs)


def _sequence(chosen: Sequence[Subject], there: Lineage) -> tuple[Run, ...]:
    """Date after date."""
    return there.in_turn(
        _rounds([[[Run(pipeline=each.id, logical_date=d)] for d in each.intervals] for each in chosen])
    )


def _again(chosen: Sequence[Subject], there: Lineage) -> tuple[Run, ...]:
    """A middle interval of each."""
    return there.in_turn(
        [
            [Run(pipeline=each.id, logical_date=each.intervals[(len(each.intervals) - 1) // 2])]
            for each in chosen
            if each.intervals
        ]
    )


def _disturbed(chosen: Sequence[Subject], there: Lineage) -> tuple[Step, ...]:
    """The backfill, and the streams killed, at once: where what is left is what it should be, that serves both."""
    groups = []
    for each in chosen:
        found = _killed(each, KILL_POINTS) if each.streaming else _sliced(each, DISTURBANCES)
        moment = Moment.CRASHED if each.streaming else Moment.BACKFILL
        groups.append([[run.model_copy(update={"moment": moment}) for run in runs] for runs in found])
    # The order to kill would be taken by any job that has a checkpoint, as of batch pipelines that drain a topic.
    draining = {each.id for each in chosen if each.streaming or each.drains or each.reads is None}
    runs = there.in_turn(_rounds(groups), one_by_one=draining)
    return (
        Reset(),
        _head(Moment.DISTURBED, runs),
        Record(moment=Moment.DISTURBED, of=(Moment.BACKFILL, Moment.CRASHED)),
    )


def _backfill(chosen: Sequence[Subject], there: Lineage, by: Collection[str], moment: str) -> tuple[Step, ...]:
    """Slice after slice; streams as they always run."""
    groups = [_sliced(each, () if each.streaming else by) for each in chosen]
    return Reset(), _head(moment, there.in_turn(_rounds(groups))), Record(moment=moment)


def _sliced(subject: Subject, by: Collection[str]) -> list[list[Run]]:
    """Its runs, disturbed; what drains a topic is neither shuffled nor run at once."""
    by = {INTERRUPTED} & set(by) if subject.drains else by
    dates = shuffled(subject.id, subject.intervals) if SHUFFLED in by else list(subject.intervals)
    size = SLICE if AT_ONCE in by else 1
    runs = [
        Run(pipeline=subject.id, logical_date=date, interrupted=INTERRUPTED in by and number == len(dates) - 1)
        for number, date in enumerate(dates)
    ]
    return [runs[at : at + size] for at in range(0, len(runs), size)]


def _rounds(groups: Sequence[Sequence[list[Run]]]) -> list[list[Run]]:
    """The groups of all pipelines, which are in order, round by round. All end with the same round: so what reads has
    read all that was written, though intervals of an hour and of a day may lie elsewhere.
    """
    most = max(map(len, groups), default=0)
    return [each[at - most] for at in range(most) for each in groups if at - most >= -len(each)]


def _crashed(chosen: Sequence[Subject], there: Lineage, points: Sequence[str], moment: str) -> tuple[Step, ...]:
    """One stream after the other."""
    groups = [runs for each in chosen for runs in _killed(each, points)]
    turns = there.in_turn(groups, one_by_one={each.id for each in chosen})
    return Reset(), _head(moment, turns), Record(moment=moment)


def _killed(subject: Subject, points: Sequence[str]) -> list[list[Run]]:
    """Killed at every point, one start after the other, and then left to run to its end."""
    first = subject.intervals[:1]
    kills = [[Run(pipeline=subject.id, logical_date=date, kill_at=point)] for date in first for point in points]
    return [*kills, *([Run(pipeline=subject.id, logical_date=date)] for date in subject.intervals)]


def shuffled(pipeline: str, dates: Sequence[str]) -> list[str]:
    """The dates in another order, always the same for a pipeline: the newest first, as only then does one come late."""
    if not dates:
        return []
    *older, newest = dates
    random.Random(pipeline).shuffle(older)
    return [newest, *older]
