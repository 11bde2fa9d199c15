"""Logical dates are few, and such that there is something to do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from tests.unit.testenv.checks.trial.world import pipeline

from testenv.checks.trial.intervals import Window, choose, intervals, window_of
from testenv.core.dataset import Dataset
from testenv.core.pipelines import Archetype

SEED = Dataset(
    version="seed-1",
    files={f"landing/settlements/dt={day}/part-1.json": "x" for day in ("2024-02-29", "2026-01-01", "2026-01-02")},
    postgres={},
    snowflake={},
    topics=(),
)
SHOT = SEED.model_copy(update={"snapshot": datetime(2026, 5, 10, 2, 15, tzinfo=UTC)})
"""As if production's feeds had come to their end months before it was taken."""

DAYS = tuple(f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(*texts: str) -> Iterable[datetime]:
    return [at(text) for text in texts]


class Changed:
    """Tables, and when their rows changed; `*` stands for all of them."""

    def __init__(self, **tables: Iterable[str]) -> None:
        self.tables = {table: list(times(*texts)) for table, texts in tables.items()}

    def minutes(self, table: str, start: datetime, end: datetime) -> Iterable[datetime]:
        return [time for time in self._of(table) if start <= time < end]

    def last(self, table: str, before: datetime) -> datetime | None:
        return max((time for time in self._of(table) if time < before), default=None)

    def _of(self, table: str) -> list[datetime]:
        return self.tables.get(table, self.tables.get("*", []))


def dates(known: object, *changed: str, dataset: Dataset = SEED) -> tuple[str, ...]:
    return intervals(["it"], {"it": known} if known else {}, dataset, Changed(**{"*": changed}))["it"]  # type: ignore[dict-item]


def test_a_daily_pipeline_runs_for_the_days_with_rows() -> None:
    assert dates(pipeline("it"), "2026-01-01T05:00", "2026-01-03T23:59", "2026-01-03T01:00") == (DAYS[0], DAYS[2])


def test_an_hourly_one_runs_for_three_of_the_hours_with_rows() -> None:
    changed = [f"2026-01-0{day}T0{hour}:30" for day in (1, 2, 3) for hour in (1, 5)]
    found = dates(pipeline("it", schedule="@hourly"), *changed)
    assert found == ("2026-01-01T01:00:00Z", "2026-01-02T01:00:00Z", "2026-01-03T05:00:00Z")


def test_where_nothing_changed_the_first_intervals_run() -> None:
    assert dates(pipeline("it", schedule="@hourly")) == tuple(f"2026-01-01T0{hour}:00:00Z" for hour in range(3))
    assert dates(pipeline("it", schedule="@monthly")) == (DAYS[0],)
    assert dates(pipeline("it", schedule="0 0 15 * *")) == ("2025-12-15T00:00:00Z",)


def test_rows_outside_of_the_days_do_not_count() -> None:
    assert dates(pipeline("it"), "2025-12-31T23:59", "2026-01-02T00:00", "2026-01-04T00:00") == (DAYS[1],)


@pytest.mark.parametrize(
    ("schedule", "time", "start"),
    [
        ("30 2 * * *", "2026-01-02T02:29", "2026-01-01T02:30:00Z"),
        ("30 2 * * *", "2026-01-02T02:30", "2026-01-02T02:30:00Z"),
        ("@hourly", "2026-01-02T02:59:59.999999", "2026-01-02T02:00:00Z"),
    ],
)
def test_a_time_is_in_the_interval_that_holds_it(schedule: str, time: str, start: str) -> None:
    assert choose(schedule, Window(at("2026-01-01"), at("2026-01-04")), times(time), 3) == (start,)


def test_a_feed_runs_for_the_days_on_which_files_landed() -> None:
    feed = {"archetype": Archetype.S3, "inputs": ("s3.settlements",)}
    assert dates(pipeline("it", **feed)) == DAYS[:2]
    assert dates(pipeline("it", **feed, lookback_days=1)) == DAYS[1:]


def test_a_feed_that_is_read_later_than_the_days_runs_when_its_files_are_read() -> None:
    feed = {"archetype": Archetype.S3, "inputs": ("s3.scores",), "lookback_days": 7}
    landed = SEED.model_copy(update={"files": {"landing/scores/dt=2026-01-02/part-1.json": "x"}})
    assert dates(pipeline("it", **feed), dataset=landed) == ("2026-01-09T00:00:00Z",)


def test_a_stream_runs_twice_and_what_no_catalogue_has_for_the_days() -> None:
    stream = pipeline("it", archetype=Archetype.KAFKA, streaming=True, schedule="@hourly", inputs=("kafka.events",))
    assert dates(stream) == ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")
    assert dates(None) == DAYS


def test_a_version_from_production_has_the_days_before_its_snapshot() -> None:
    assert window_of(SHOT) == Window(at("2026-05-07"), at("2026-05-10"))
    assert dates(pipeline("it"), "2026-05-09T23:00", "2026-05-10T01:00", dataset=SHOT) == ("2026-05-09T00:00:00Z",)


def test_where_nothing_changed_on_those_days_it_has_the_last_on_which_something_did() -> None:
    changed = ("2026-03-05T10:00", "2026-03-10T10:00", "2026-03-11T10:00")
    found = dates(pipeline("it"), *changed, dataset=SHOT)
    assert found == ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z")
    assert dates(pipeline("it", schedule="@hourly"), *changed, dataset=SHOT)[-1] == "2026-03-11T10:00:00Z"


def test_all_pipelines_run_for_the_same_days_where_they_can() -> None:
    """The stream, what no catalogue has, and what loads rarely: all with those whose source changed last."""
    known = {
        "often": pipeline("often", inputs=("postgres.payments",)),
        "rarely": pipeline("rarely", inputs=("postgres.branches",)),
        "feed": pipeline("feed", archetype=Archetype.S3, inputs=("s3.settlements",)),
        "stream": pipeline("stream", archetype=Archetype.KAFKA, streaming=True, inputs=("kafka.events",)),
    }
    changed = Changed(payments=["2026-04-02T05:00", "2026-04-04T05:00"], branches=["2025-01-01T05:00"])
    found = intervals([*known, "dbt"], known, SHOT, changed)
    assert found["often"] == ("2026-04-02T00:00:00Z", "2026-04-04T00:00:00Z")
    assert found["dbt"] == tuple(f"2026-04-0{day}T00:00:00Z" for day in (2, 3, 4))
    assert found["stream"] == ("2026-04-02T00:00:00Z", "2026-04-03T00:00:00Z")
    assert found["rarely"] == ("2025-01-01T00:00:00Z",)
    assert found["feed"] == DAYS[:2]


def test_what_no_catalogue_has_runs_once_where_only_its_data_differ() -> None:
    known = {"it": pipeline("it")}
    found = intervals(["it", "dbt"], known, SEED, Changed(**{"*": ["2026-01-02T05:00"]}), by_data=["it", "dbt"])
    assert found == {"it": (DAYS[1],), "dbt": (DAYS[2],)}
