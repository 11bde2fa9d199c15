"""The steps as containers run them: one program each, in the foreground. Docker itself is not needed for that."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg2
from tests.conftest import REPO, read_env

from local import ports
from local.settings import Settings


def container(command: str, name: str, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [REPO / ".venv/local/bin/python", "-m", "local.container", command, name],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO / "include"), "TESTENV_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(command: str, name: str, home: Path) -> tuple[int, str]:
    process = container(command, name, home)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def test_a_part_serves_until_it_is_told_to_stop(own_home: Path) -> None:
    ports.remember(own_home / "ports.json", ports.choose(Settings.load().ports))
    assert finish("probe", "postgres", own_home)[0] == 1
    part = container("part", "postgres", own_home)
    try:
        deadline = time.monotonic() + 60
        while finish("probe", "postgres", own_home)[0]:
            assert part.poll() is None, part.communicate()[0]
            assert time.monotonic() < deadline
        assert finish("job", "environment", own_home) == (0, "")
        url = read_env(own_home / "stack.env")["TESTENV_LEDGER_URL"].replace("+psycopg2", "")
        psycopg2.connect(url).close()
    finally:
        part.send_signal(signal.SIGTERM)
        output, _ = part.communicate(timeout=60)
    assert part.returncode == 0, output
    assert "database system is shut down" in output


def test_an_unknown_step_is_refused_by_name(own_home: Path) -> None:
    code, output = finish("part", "postgress", own_home)
    assert code == 1
    assert "there is no part called postgress" in output
    assert finish("job", "postgres", own_home)[0] == 1
