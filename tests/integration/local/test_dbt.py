"""`dbt` by the warm parent is dbt: the same arguments, streams, folder, environment and exit code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.conftest import REPO, local, new_home, read_env
from tests.integration.local.test_stack import status_line, wait_for

PROJECT = REPO / "include/local/dbt/warm_project"
QUIET = ("--quiet", "--log-level-file", "none", "--no-version-check", "--no-send-anonymous-usage-stats")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = new_home()
    up = local("up", home, "--free-ports", "--only", "dbt")
    assert up.returncode == 0, up.stdout + up.stderr
    yield home
    local("down", home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def dbt(home: Path) -> str:
    return read_env(home / "stack.env")["TESTENV_DBT"]


def parse(dbt: str, project: Path, target: Path) -> list[str]:
    places = ["--project-dir", str(project), "--profiles-dir", str(PROJECT), "--target-path", str(target)]
    return [dbt, *QUIET, "parse", "--no-partial-parse", *places]


def test_it_does_what_it_is_told_and_says_nothing_else(dbt: str, tmp_path: Path) -> None:
    done = subprocess.run(parse(dbt, PROJECT, tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert '"model.warm.two"' in (tmp_path / "manifest.json").read_text()


def test_its_folder_environment_and_streams_are_the_callers(dbt: str, tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: mine\nprofile: \"{{ env_var('SAID') }}\"\n")
    command = [dbt, *QUIET, "parse", "--profiles-dir", str(PROJECT)]
    without = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert without.returncode == 2
    assert "Env var required but not provided: 'SAID'" in without.stdout
    given = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "SAID": "warm"}, capture_output=True, text=True, check=False
    )
    assert given.returncode == 0, given.stdout


def test_its_exit_code_and_words_are_dbts_own(dbt: str) -> None:
    real = str(REPO / ".venv/dbt/bin/dbt")
    warm, cold = (
        subprocess.run([each, "parse", "--project-dir", "/none"], capture_output=True, text=True, check=False)
        for each in (dbt, real)
    )
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    assert warm.returncode == 2


def test_it_ends_with_its_caller(dbt: str, home: Path, tmp_path: Path) -> None:
    server = psutil.Process(int(status_line(home, "dbt").split("pid ")[1].split()[0]))
    idle = server.children()  # its semaphores' tracker
    caller = subprocess.Popen(parse(dbt, PROJECT, tmp_path))
    wait_for(lambda: server.children() != idle)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    wait_for(lambda: server.children() == idle)
    assert not (tmp_path / "manifest.json").exists(), "it had not come to its end"


def test_without_the_parent_dbt_itself_is_run(dbt: str, home: Path, tmp_path: Path) -> None:
    assert local("down", home).returncode == 0
    done = subprocess.run(parse(dbt, PROJECT, tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "manifest.json").exists()
