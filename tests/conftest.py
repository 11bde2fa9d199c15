"""What all tests share: an Airflow home of their own, and one embedded stack for those that need services."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]

# Tests that import Airflow must not find, or leave, anything in the home of whoever runs them. Airflow reads this when
# it is imported, which is before any fixture.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="testenv-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


@dataclass(frozen=True)
class RunningStack:
    """An embedded stack: its folder, and the variables of its `stack.env`."""

    home: Path
    env: dict[str, str] = field(repr=False)  # holds secrets, and pytest shows what takes part in a failure

    @property
    def production(self) -> dict[str, str]:
        """The variables of `production.env`: what may write production."""
        return read_env(self.home / "production.env")


def read_env(path: Path) -> dict[str, str]:
    from local import envfile

    return envfile.read(path)


def local(
    command: str, home: Path, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m local COMMAND --home HOME …` as the Makefile does."""
    return subprocess.run(
        [REPO / ".venv/local/bin/python", "-m", "local", command, "--home", home, *options],
        env={**(os.environ if env is None else env), "PYTHONPATH": str(REPO / "include")},
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )


def new_home() -> Path:
    """A short path: unix sockets have little room for long ones."""
    return Path(tempfile.mkdtemp(prefix="testenv-"))


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """A whole stack on free ports, for the session. With TESTENV_TEST_STACK=HOME, the one that runs there already."""
    if existing := os.environ.get("TESTENV_TEST_STACK"):
        home = Path(existing).absolute()
        yield RunningStack(home, read_env(home / "stack.env"))
        return
    home = new_home()
    up = local("up", home, "--free-ports")
    try:
        if up.returncode:
            pytest.fail(f"the stack did not come up:\n{up.stdout}{up.stderr}", pytrace=False)
        yield RunningStack(home, read_env(home / "stack.env"))
    finally:
        down = local("down", home)
        shutil.rmtree(home, ignore_errors=True)
    assert down.returncode == 0, down.stderr
