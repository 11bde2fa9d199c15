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
DAYS = tuple(f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(*texts: str) -> Iterable[datetime]:
    return [at(text) for text in texts]


def dates(known: object, *changed: str, dataset: Dataset = SEED) -> tuple[str, ...]:
    return intervals(["it"], {"it": known} if known else {}, dataset, lambda *_: times(*changed))["it"]  # type: ignore[dict-item]


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


def test_a_stream_runs_twice_and_what_no_catalogue_has_for_the_days() -> None:
    stream = pipeline("it", archetype=Archetype.KAFKA, streaming=True, schedule="@hourly", inputs=("kafka.events",))
    assert dates(stream) == ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")
    assert dates(None) == DAYS


def test_a_version_from_production_has_the_days_before_its_snapshot() -> None:
    shot = SEED.model_copy(update={"snapshot": at("2026-05-10T02:15")})
    assert window_of(shot) == Window(at("2026-05-07"), at("2026-05-10"))
