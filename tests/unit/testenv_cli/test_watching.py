from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from testenv_cli.runs import is_ready
from testenv_cli.watching import Run, pause, table


def task(task_id: str, state: str | None, **more: Any) -> dict[str, Any]:
    return {"task_id": task_id, "state": state, "map_index": -1, "duration": 1.25, "start_date": None, **more}


def run(*tasks: dict[str, Any]) -> Run:
    return Run("provision_env", "manual", "running", "", tasks, {"create.s3": "S3 prefix and IAM role"})


def shown(of: Run) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table(of))
    return console.export_text()


def test_tasks_are_shown_by_their_names_with_state_and_seconds() -> None:
    text = shown(run(task("create.s3", "success"), task("verify", None)))
    assert "S3 prefix and IAM role" in text and "1.2" in text
    assert "verify" not in text


def test_models_are_one_row() -> None:
    text = shown(run(task("build.stg_a_run", "success"), task("build.stg_b_run", "deferred")))
    assert "1 of 2 built" in text and "stg_a" not in text


def test_what_was_left_out_for_the_failure_of_another_is_not_shown() -> None:
    assert "ready" not in shown(run(task("create.s3", "failed"), task("ready", "upstream_failed")))


def test_an_environment_is_ready_when_it_was_handed_over_though_the_run_goes_on() -> None:
    assert is_ready(run(task("ready", "success"), task("build.stg_a_run", "deferred")))
    assert not is_ready(run(task("ready", "running")))
    assert not is_ready(run())


def test_what_takes_long_is_looked_at_seldom() -> None:
    assert [pause(waited) for waited in (0, 10, 60, 600)] == [0.5, 0.5, 3.0, 20.0]
