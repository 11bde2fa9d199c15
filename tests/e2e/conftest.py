"""What the tests through the management Airflow share: its REST API, the command line, and the systems' inventories."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.conftest import REPO, RunningStack

from local.inventory import inventory
from testenv.backends.registry import connect_engine
from testenv.config import Config
from testenv.engine import Engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Client:
    """A user of the control plane: `bin/testenv`, Airflow's REST API, and a look into the systems themselves."""

    stack: RunningStack
    http: httpx.Client

    def __call__(self, *arguments: str) -> Answer:
        """Run `bin/testenv ARGUMENTS`."""
        environ = {**os.environ, **self.stack.env}
        done = subprocess.run(
            [REPO / "bin" / "testenv", *arguments], env=environ, capture_output=True, text=True, check=False
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def up(self, *arguments: str) -> dict[str, Any]:
        """Provision; returns the environment."""
        answer = self("up", "--json", *arguments)
        assert answer.code == 0, answer.err
        return dict(answer.json)

    def get(self, path: str) -> Any:
        """Airflow's own API."""
        answer = self.http.get(f"/api/v1{path}")
        assert answer.is_success, answer.text
        return answer.json()

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A run of a management DAG."""
        return dict(self.get(f"/dags/{dag_id}/dagRuns/{run_id}"))

    def wait(self, dag_id: str, run_id: str, seconds: float = 120) -> dict[str, Any]:
        """The run, once it has ended."""
        self.until(lambda: self.run(dag_id, run_id)["state"] in ("success", "failed"), seconds)
        return self.run(dag_id, run_id)

    def until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        """Look until `condition` holds; the test fails when it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"it did not come about within {seconds:.0f} s"
            time.sleep(0.5)

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A browser that has logged in."""
        url, env = self.stack.env["TESTENV_AIRFLOW_URL"], self.stack.env
        with httpx.Client(base_url=url, follow_redirects=True, timeout=60) as browser:
            form = browser.get("/login/").text
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
            assert token, "the login form has a token"
            login = {"username": env["TESTENV_AIRFLOW_USER"], "password": env["TESTENV_AIRFLOW_PASSWORD"]}
            browser.post("/login/", data=login | {"csrf_token": token[1]})
            yield browser

    def inventory(self, env_id: str) -> dict[str, list[str]]:
        """What the systems themselves have of an environment: empty lists when it is gone."""
        return inventory(self.stack.env, env_id)


@pytest.fixture(scope="session")
def settings(stack: RunningStack) -> Iterator[None]:
    """The stack's settings in this process: boto3 and the TLS libraries read theirs from there alone."""
    before = dict(os.environ)
    os.environ.update(stack.env)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def client(stack: RunningStack, settings: None) -> Iterator[Client]:
    login = (stack.env["TESTENV_AIRFLOW_USER"], stack.env["TESTENV_AIRFLOW_PASSWORD"])
    with httpx.Client(base_url=stack.env["TESTENV_AIRFLOW_URL"], auth=login, timeout=60) as http:
        yield Client(stack, http)


@pytest.fixture(scope="session")
def engine(stack: RunningStack, settings: None) -> Engine:
    """The engine beside the control plane, to look at its ledger and to fill its places."""
    return connect_engine(Config.from_environ(stack.env))


@pytest.fixture
def slug() -> str:
    """A name that no environment had before."""
    return f"e{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def shared(client: Client) -> Iterator[dict[str, Any]]:
    """One environment for the tests of a module that only look at it."""
    environment = client.up("--name", f"m{secrets.token_hex(4)}", "--owner", "a test")
    yield environment
    client("down", environment["id"])
