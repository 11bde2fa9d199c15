"""Where the corpus meets trials that really run: a verdict on each case, by `bin/testenv ci`."""

# ruff: noqa: F811 - fixtures that are imported are used by name
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from tests.commits import commit
from tests.e2e.conftest import Client, client, settings  # noqa: F401 - fixtures
from tests.faults.corpus import Case, changes, read_repository

from testenv.checks.protocol import Outcome

AT_ONCE = int(os.environ.get("TESTENV_FAULTS_AT_ONCE", "3"))
"""Verdicts at work at the same time: one alone leaves cores idle while services start."""

Outcomes = Mapping[str, Outcome]


@pytest.fixture(scope="session")
def verdict_of(client: Client, request: pytest.FixtureRequest) -> Iterator[Callable[[Case], Outcomes]]:
    """The outcome of each check, by its name, on a case. Those that the session will ask for are made meanwhile."""
    base = commit({})

    def judge(case: Case) -> Outcomes:
        head = commit(changes(case, read_repository))
        answer = client("ci", "--base", base, "--head", head, "--json")
        assert answer.code in (0, 1), answer.out + answer.err
        return {each["check"]: Outcome(each["outcome"]) for each in answer.json["verdicts"]}

    asked = [item.callspec.params["case"] for item in request.session.items if "verdict_of" in item.fixturenames]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts: dict[str, Future[Outcomes]] = {case.name: pool.submit(judge, case) for case in asked}
        yield lambda case: verdicts[case.name].result()
        pool.shutdown(cancel_futures=True)
