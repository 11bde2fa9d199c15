from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from testenv_airflow.ui.present import remaining

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "shown"),
    [
        (timedelta(days=2, hours=3, minutes=59), "2 d 3 h"),
        (timedelta(hours=1, minutes=5), "1 h 5 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(0), "0 min"),
        (timedelta(seconds=-1), "over"),
    ],
)
def test_time_left_is_told_in_its_two_largest_units(left: timedelta, shown: str) -> None:
    assert remaining((NOON + left).isoformat(), NOON) == shown


def test_no_end_is_told_as_nothing() -> None:
    assert remaining(None, NOON) == ""
