"""One generated pipeline of each archetype, run in an environment as any other."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.conftest import REPO, RunningStack

from local.demo.contents import contents

RUNS = {
    "fraud_watch_hourly": "2026-01-02T09:00:00+00:00",
    "bureau_scores_daily": "2026-01-02T00:00:00+00:00",
    "payment_events_stream": "2026-01-02T12:00:00+00:00",
}


def command(stack: RunningStack, *arguments: str) -> Any:
    done = subprocess.run(
        [REPO / "bin" / "testenv", *arguments, "--json"],
        env={**os.environ, **stack.env, "TESTENV_HOME": str(stack.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def environment(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A sandbox that holds the seed."""
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)  # clients of this process trust the stack's authority too
    name = f"gen{secrets.token_hex(3)}"
    command(stack, "up", "--name", name, "--owner", "tests")
    try:
        yield f"sbx-{name}"
    finally:
        command(stack, "down", f"sbx-{name}")


@pytest.mark.long
def test_a_generated_pipeline_of_each_archetype_loads_what_the_readme_says(
    stack: RunningStack, environment: str
) -> None:
    """Of four tables, those rows of 2026-01-02 that changed from nine to ten o'clock; of a feed, the records that can
    be read; of a topic, its tombstone too, and not the record whose schema nobody registered.
    """

    def counts() -> dict[str, int]:
        return {table: count for table, (count, _) in contents(command(stack, "connect", environment))["raw"].items()}

    before = counts()
    with ThreadPoolExecutor(len(RUNS)) as pool:
        list(pool.map(lambda dag: command(stack, "run", environment, dag, RUNS[dag]), RUNS))
    after = counts()
    assert {table: after[table] - before[table] for table in after if after[table] != before[table]} == {
        "devices": 1,
        "logins": 1,
        "disputes": 1,
        "bureau_scores": 2,
        "payment_events": 4,
    }
