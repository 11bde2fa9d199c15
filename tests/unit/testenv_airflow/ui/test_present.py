from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from tests.unit.testenv.checks.report import sample

from testenv_airflow.ui.present import remaining, report, verdict

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


def test_a_verdict_is_shown_with_its_things_and_the_addresses_of_its_files() -> None:
    shown = verdict(sample.report())
    assert shown["answer"] == "no" and len(shown["things"]) == 3
    assert shown["files"]["junit.xml"] == "/testenv/environments/ci-v12345678/report/junit.xml"
    assert Flask(__name__).json.dumps(shown)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("report.html", "text/html"), ("junit.xml", "application/xml"), ("docs/x.css", "text/css"), ("x", "octet-stream")],
)
def test_a_file_of_a_verdict_may_do_nothing_in_a_browser_that_is_logged_in(name: str, kind: str) -> None:
    answer = report(b"<script>", name)
    assert kind in answer.content_type
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]
