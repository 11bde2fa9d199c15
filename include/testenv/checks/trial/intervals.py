"""Which logical dates a trial runs: few, and such that there is something to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from testenv.core.dataset import Dataset
from testenv.core.pipelines import Archetype, Pipeline, Pipelines

BATCH, STREAMING = 3, 2
"""Logical dates of a pipeline."""

DAYS = timedelta(days=3)
CHANGED = "updated_at"
"""The column by which rows are extracted; a contract without it says nothing of when its rows change."""

SEED = datetime(2026, 1, 1, tzinfo=UTC)
"""First of the three days that the seed's new rows lie in (estate/seed/README.md)."""


class Changes(Protocol):
    """When rows of the operational database changed. A table that is not there never did."""

    def minutes(self, table: str, start: datetime, end: datetime) -> Iterable[datetime]:
        """Minutes from `start` to before `end` in which some did, in any order."""

    def last(self, table: str, before: datetime) -> datetime | None:
        """The last time before `before`."""


@dataclass(frozen=True)
class Window:
    """The days that are looked at: from `start` to before `end`."""

    start: datetime
    end: datetime

    @classmethod
    def before(cls, end: datetime) -> Window:
        """The days before a midnight."""
        return cls(end - DAYS, end)


def window_of(dataset: Dataset) -> Window:
    """The last days before a dataset's snapshot; of the seed, which has none, its own."""
    if dataset.snapshot is None:
        return Window(SEED, SEED + DAYS)
    return Window.before(_midnight(dataset.snapshot))


def intervals(
    affected: Collection[str],
    pipelines: Pipelines,
    dataset: Dataset,
    changes: Changes,
    by_data: Collection[str] = (),
) -> dict[str, tuple[str, ...]]:
    """Pipeline → logical dates, oldest first. What is in no catalogue (dbt) runs for the days.

    Of that, what is affected `by_data` alone runs for the last: it then finds all that was written for the others.

    The days are the last before the snapshot on which a source of the affected pipelines changed, so that they have
    something to do; a pipeline whose own sources changed before those alone runs for its own last days.
    """
    known = [pipelines[id_] for id_ in affected if id_ in pipelines]
    window = window_of(dataset)
    last = {each.id: time for each in known if (time := _last(each, dataset, window.end, changes))}
    if last and max(last.values()) < window.start:
        window = _ending_with(max(last.values()))
    found = {}
    for id_ in sorted(affected):
        own = id_ in last and last[id_] < window.start
        found[id_] = _dates(pipelines.get(id_), dataset, _ending_with(last[id_]) if own else window, changes)
        if id_ in by_data and id_ not in pipelines:
            found[id_] = found[id_][-1:]
    return found


def all_dates(pipeline: Pipeline, dataset: Dataset, changes: Changes) -> tuple[str, ...]:
    """Every logical date of a pipeline for which there is something to do in the dataset's window, oldest first."""
    return _dates(pipeline, dataset, window_of(dataset), changes, most=None)


def _ending_with(time: datetime) -> Window:
    return Window.before(_midnight(time) + timedelta(days=1))


def _midnight(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _last(pipeline: Pipeline, dataset: Dataset, before: datetime, changes: Changes) -> datetime | None:
    """When a source of a pipeline last changed; None where nobody can say."""
    match pipeline.archetype:
        case Archetype.POSTGRES:
            times = [changes.last(each.partition(".")[2], before) for each in pipeline.inputs]
        case Archetype.S3:
            times = list(_landed(pipeline, dataset))
        case Archetype.KAFKA:
            times = []
    return max((time for time in times if time and time < before), default=None)


def _landed(pipeline: Pipeline, dataset: Dataset) -> Iterator[datetime]:
    """Starts of the days whose runs read the files of a feed."""
    back = timedelta(days=pipeline.lookback_days)
    for each in pipeline.inputs:
        yield from (day + back for day in _days(dataset, each.partition(".")[2]))


def _dates(
    pipeline: Pipeline | None, dataset: Dataset, window: Window, changes: Changes, most: int | None = BATCH
) -> tuple[str, ...]:
    if pipeline is None:
        return tuple(_text(window.start + timedelta(days=number)) for number in range(BATCH))
    if pipeline.streaming:
        return choose(pipeline.schedule, window, (), STREAMING)
    match pipeline.archetype:
        case Archetype.POSTGRES:
            tables = [each.partition(".")[2] for each in pipeline.inputs]
            changed = [time for table in tables for time in changes.minutes(table, window.start, window.end)]
        case Archetype.S3:
            changed = list(_landed(pipeline, dataset))
        case Archetype.KAFKA:
            changed = []
    inside = [time for time in changed if window.start <= time < window.end]
    if not inside and pipeline.archetype is Archetype.S3:
        inside = changed  # runs that read a feed days later lie beyond the window, and without a file they would fail
    return choose(pipeline.schedule, window, inside, most)


def choose(schedule: str, window: Window, times: Iterable[datetime], most: int | None) -> tuple[str, ...]:
    """Starts of the schedule's intervals that hold one of `times`: first, last, and evenly between, at most `most`.

    Where there are no times, the first intervals that begin in the window, or the one that holds its start.
    """
    starts = sorted({_start(schedule, time) for time in times})
    if not starts:
        starts = _first(schedule, window, most or BATCH)
    if most and len(starts) > most:
        starts = [starts[round(number * (len(starts) - 1) / (most - 1))] for number in range(most)]
    return tuple(map(_text, starts))


def _first(schedule: str, window: Window, most: int) -> list[datetime]:
    from croniter import croniter

    times = croniter(schedule, window.start - timedelta(seconds=1))
    found: list[datetime] = [times.get_next(datetime) for _ in range(most)]
    return [time for time in found if time < window.end] or [_start(schedule, window.start)]


def _start(schedule: str, time: datetime) -> datetime:
    """Start of the interval that holds `time`."""
    from croniter import croniter

    minute = time.replace(second=0, microsecond=0)
    found: datetime = croniter(schedule, minute + timedelta(seconds=1)).get_prev(datetime)
    return found


def _days(dataset: Dataset, feed: str) -> Sequence[datetime]:
    """Days on which files of a feed landed."""
    prefix = f"landing/{feed}/dt="
    days = {path.removeprefix(prefix).partition("/")[0] for path in dataset.files if path.startswith(prefix)}
    return [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in sorted(days)]


def _text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
