"""`bin/testenv ci` against a control plane that is told what to answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from testenv_cli import release, watching
from testenv_cli.app import app
from testenv_cli.client import ControlPlane
from testenv_cli.errors import CliError, Exit
from testenv_cli.settings import Settings

RUN = "manual__2026-01-02T12:00:00+00:00"
VERDICT = {
    "env_id": "ci-v1",
    "answer": "no",
    "headline": "This change must not be released",
    "base": {"asked": "main", "commit": "a" * 40},
    "head": {"asked": "fix", "commit": "b" * 40},
    "dataset": "seed-1",
    "took": "134 s, 87 CPU seconds, $0.104",
    "things": [{"state": "bad", "title": "schema: RAW.[PAYMENTS]", "text": "the column CURRENCY is gone"}],
    "verdicts": [
        {"check": "schema", "outcome": "failed", "ran": ["a", "b"], "findings": [{}], "measured": {"seconds": 3.2}},
        {"check": "streaming", "outcome": "not applicable", "ran": [], "findings": [], "measured": None},
    ],
    "files": {"report.html": "/testenv/environments/ci-v1/report/report.html"},
}


class Plane:
    """The management Airflow: `states` of the tasks of the run, and what it says of the verdict."""

    def __init__(self, states: dict[str, str], verdict: dict[str, Any] | None, note: str = "") -> None:
        self.states, self.verdict, self.note = states, verdict, note
        self.conf: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            self.conf = json.loads(request.content)["conf"]
            return httpx.Response(200, json={"dag_run_id": RUN})
        if path.startswith("/testenv/api/v1/verdicts/"):
            assert path.endswith(RUN)
            return httpx.Response(200, json=self.verdict) if self.verdict else httpx.Response(404, json={"message": ""})
        if "/report/" in path:
            return httpx.Response(200, content=path.encode())
        if path.endswith("/taskInstances"):
            tasks = [
                {"task_id": name, "state": state, "map_index": -1, "start_date": None, "duration": 1.0}
                for name, state in self.states.items()
            ]
            return httpx.Response(200, json={"task_instances": tasks})
        if path.endswith("/tasks"):
            return httpx.Response(200, json={"tasks": []})
        state = "failed" if "failed" in self.states.values() else "success"
        return httpx.Response(200, json={"state": state, "note": self.note})


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(watching, "pause", lambda _: 0)

    def run(plane: Plane, *arguments: str) -> Any:
        control = ControlPlane(Settings("http://airflow", "ada", "secret"), httpx.MockTransport(plane))
        monkeypatch.setattr(release, "plane", lambda: control)
        return CliRunner().invoke(app, ["ci", *arguments])

    return run


JUDGED = {"select": "success", "report": "success", "gate": "failed"}


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("no", 1), ("error", 7)])
def test_the_exit_code_is_the_verdict(ask: Any, answer: str, code: int) -> None:
    gate = "success" if answer == "yes" else "failed"
    assert ask(Plane({**JUDGED, "gate": gate}, {**VERDICT, "answer": answer})).exit_code == code


def test_it_prints_the_three_things_and_where_the_rest_is(ask: Any) -> None:
    out = ask(Plane(JUDGED, VERDICT)).output
    assert "no  This change must not be released  aaaaaaaaaaaa → bbbbbbbbbbbb, seed-1" in out
    assert "schema: RAW.[PAYMENTS] the column CURRENCY is gone" in out
    assert "http://airflow/testenv/environments/ci-v1/report/report.html" in out
    assert f"http://airflow/dags/validate_release/grid?dag_run_id={RUN.replace(':', '%3A').replace('+', '%2B')}" in out


def test_reports_are_written_where_asked(ask: Any, tmp_path: Path) -> None:
    junit, html = tmp_path / "new" / "junit.xml", tmp_path / "report.html"
    ask(Plane(JUDGED, VERDICT), "--junit", str(junit), "--html", str(html))
    assert junit.read_text() == "/testenv/api/v1/environments/ci-v1/report/junit.xml"
    assert html.read_text().endswith("/report.html")


def test_a_file_that_cannot_be_written_is_a_bad_request(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = ask(Plane(JUDGED, VERDICT), "--junit", str(tmp_path / "file" / "junit.xml"))
    assert isinstance(done.exception, CliError) and done.exception.code is Exit.BAD_REQUEST


def test_what_is_asked_for_is_the_conf_of_the_run(ask: Any) -> None:
    plane = Plane(JUDGED, VERDICT)
    words = ["--base", "main", "--head", "fix", "--dataset", "seed-1", "--check", "diff", "--check", "schema"]
    ask(plane, *words, "--keep", "--trial-minutes", "5")
    assert plane.conf == {
        "base": "main",
        "head": "fix",
        "dataset": "seed-1",
        "checks": ["diff", "schema"],
        "keep": True,
        "commit_status": False,
        "trial_minutes": 5,
    }


def test_it_does_not_wait_for_the_environment_to_end(ask: Any) -> None:
    assert ask(Plane({**JUDGED, "destroy": "running"}, VERDICT), "--json").exit_code == 1


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ({"select": "failed", "report": "failed", "gate": "upstream_failed"}, Exit.BAD_REQUEST),
        ({"select": "success", "report": "failed", "gate": "upstream_failed"}, Exit.FAILED),
    ],
)
def test_without_a_verdict_the_note_says_why(ask: Any, states: dict[str, str], code: Exit) -> None:
    done = ask(Plane(states, None, "Failed in select: **ref**: 'x' names no commit"))
    assert isinstance(done.exception, CliError) and done.exception.code is code
    assert "'x' names no commit" in done.exception.message


def test_a_verdict_of_a_selection_that_was_cut_off_is_told(ask: Any) -> None:
    states = {"select": "failed", "report": "success", "gate": "failed"}
    assert ask(Plane(states, {**VERDICT, "answer": "error"})).exit_code == 7


def test_not_to_wait_is_to_say_where_it_is(ask: Any) -> None:
    done = ask(Plane(JUDGED, None), "--no-wait")
    assert done.exit_code == 0 and "validate_release/grid" in done.output
