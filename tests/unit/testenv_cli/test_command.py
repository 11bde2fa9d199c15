"""The command as a user has it: a process, its exit code, what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[3]
NOWHERE = {
    "TESTENV_AIRFLOW_URL": "http://127.0.0.1:1",
    "TESTENV_AIRFLOW_USER": "ada",
    "TESTENV_AIRFLOW_PASSWORD": "hunter2hunter2",
}


def testenv(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], **NOWHERE}
    return subprocess.run(
        [REPO / "bin" / "testenv", *arguments], env=environ, cwd="/", capture_output=True, text=True, check=False
    )


testenv.__test__ = False  # type: ignore[attr-defined]  # pytest collects functions whose names begin with "test"


def test_help_names_the_exit_codes() -> None:
    done = testenv("--help")
    assert done.returncode == 0 and "Exit codes" in done.stdout


COMMANDS = ["up", "down", "list", "show", "extend", "run", "replay", "serve", "logs", "connect", "reap", "why", "ci"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_has_json(command: str) -> None:
    done = testenv(command, "--help")
    assert done.returncode == 0 and "--json" in done.stdout


@pytest.mark.parametrize("arguments", [("up",), ("list",), ("down", "sbx-a"), ("connect", "sbx-a")])
def test_without_a_control_plane_it_says_what_to_do_and_no_traceback(arguments: tuple[str, ...]) -> None:
    done = testenv(*arguments)
    assert done.returncode == 5
    assert "make up" in done.stderr and "Traceback" not in done.stderr and "hunter2" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("up", "--ttl-hours", "x"), ("extend", "sbx-a", "0"), ("run", "sbx-a")]
)
def test_wrong_usage_is_a_bad_request(arguments: tuple[str, ...]) -> None:
    assert testenv(*arguments).returncode == 2


def test_why_answers_without_a_control_plane() -> None:
    done = testenv("why", "customers_hourly", "--base", "HEAD", "--head", "HEAD", "--repo", str(REPO))
    assert done.returncode == 0, done.stderr
    assert "customers_hourly is not affected" in done.stdout and "include/estate/sql/merge_table.sql" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nobody", "--base=HEAD", "--head=HEAD"), 3, "'nobody' is in neither tree"),
        (("--base=no-such-branch",), 2, "names no commit"),
    ],
)
def test_why_says_what_it_does_not_know(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = testenv("why", *arguments, "--repo", str(REPO))
    assert done.returncode == code
    assert words in done.stderr and "Traceback" not in done.stderr


def test_it_imports_nothing_that_is_heavy() -> None:
    heavy = ("airflow", "testenv", "sqlalchemy", "pydantic", "boto3", "pandas", "pyarrow")
    code = f"import sys, testenv_cli.app; print([m for m in sys.modules if m.split('.')[0] in {heavy}])"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO / "include")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
