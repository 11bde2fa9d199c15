"""A part of the management Airflow that is killed with SIGKILL while an environment is made or used."""

# ruff: noqa: F811 - fixtures that are imported are used by name
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from tests.conftest import RunningStack
from tests.crash.conftest import Service, left_of, title_of
from tests.e2e.conftest import Client, engine  # noqa: F401 - a fixture: Airflow knows all topics

from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.resources import Action
from testenv.engine import Engine

NOTICED_SECONDS = 60
"""Within which Airflow notices that a task, or the scheduler that started it, was killed, and has begun anew."""

MADE_SECONDS = 120

ServiceNamed = Callable[[str], Service]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_an_environment_is_made_though_every_part_of_airflow_is_killed_meanwhile(
    stack: RunningStack, client: Client, engine: Engine, service: ServiceNamed, slug: str
) -> None:
    with being_made(client, engine, f"ci-{slug}") as run_id:
        parts = [service(name) for name in ("webserver", "triggerer", "scheduler")]
        for part in parts:
            part.kill()
        for part in parts:
            part.wait()
        assert client.wait("provision_env", run_id, NOTICED_SECONDS + MADE_SECONDS)["state"] == "success"
        assert_whole(engine, f"ci-{slug}")
    assert left_of(stack, [f"ci-{slug}"]) == []


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_task_whose_processes_are_killed_is_tried_again_within_a_minute_and_its_worker_replaced(
    stack: RunningStack,
    client: Client,
    engine: Engine,
    service: ServiceNamed,
    slug: str,
) -> None:
    scheduler = psutil.Process(service("scheduler").pid)
    task = "/dags/provision_env/dagRuns/{}/taskInstances/create.snowflake"
    with being_made(client, engine, f"ci-{slug}") as run_id:
        workers = workers_of(scheduler)
        for process in processes_of("create.snowflake", scheduler):
            process.kill()
        client.until(lambda: client.get(task.format(run_id))["try_number"] > 1, NOTICED_SECONDS)
        assert client.wait("provision_env", run_id, MADE_SECONDS)["state"] == "success"
        assert_whole(engine, f"ci-{slug}")
        client.until(lambda: len(workers_of(scheduler)) == len(workers), 30)
    assert left_of(stack, [f"ci-{slug}"]) == []


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_run_that_is_watched_goes_on_though_the_triggerer_is_killed_and_ends_when_its_runner_is(
    stack: RunningStack,
    client: Client,
    engine: Engine,
    service: ServiceNamed,
    slug: str,
) -> None:
    env_id = client.up("--name", slug, "--kind", "ci")["id"]

    def started(date: str) -> str:
        conf = {"environment": env_id, "dag_id": "payments_to_snowflake", "logical_date": date}
        answer = client.http.post("/api/v1/dags/run_pipeline/dagRuns", json={"conf": conf})
        run_id = str(answer.json()["dag_run_id"])
        client.until(lambda: bool(engine.orchestrator.tasks(EnvId(env_id))))
        return run_id

    watched = started("2026-01-02")
    triggerer = service("triggerer")
    triggerer.kill()
    triggerer.wait()
    assert client.wait("run_pipeline", watched)["state"] == "success"

    cut_short = started("2026-01-03")
    runner = service("runner")
    runner.kill()
    runner.wait()
    assert client.wait("run_pipeline", cut_short)["state"] == "failed"
    assert engine.orchestrator.tasks(EnvId(env_id)) == {}
    assert client("run", env_id, "payments_to_snowflake", "2026-01-03").code == 0, "it may be run again"
    assert client("down", env_id).code == 0
    assert left_of(stack, [env_id]) == []


@contextmanager
def being_made(client: Client, engine: Engine, env_id: str) -> Iterator[str]:
    """An environment that is asked for through Airflow, its Snowflake task at work; destroyed in the end."""
    started = client("up", "--kind", "ci", "--name", env_id.removeprefix("ci-"), "--no-wait", "--json").json
    client.until(lambda: begun(engine, env_id))
    yield started["run_id"]
    assert client("down", env_id).code == 0
    assert engine.ledger.environment(EnvId(env_id)).state is State.DESTROYED


def begun(engine: Engine, env_id: str) -> bool:
    known = [life.env_id for life in engine.ledger.environments() if str(life.env_id) == env_id]
    return any(
        record.attempts and record.step.resource.system == "snowflake"
        for name in known
        for record in engine.ledger.steps(name, Action.ENSURE)
    )


def assert_whole(engine: Engine, env_id: str) -> None:
    assert engine.ledger.environment(EnvId(env_id)).state is State.READY
    assert engine.drift(EnvId(env_id)) == ()


def processes_of(task_id: str, scheduler: psutil.Process) -> list[psutil.Process]:
    """The process that runs a task, the one that watches it, and the scheduler's worker that started both."""
    [task] = [
        process
        for process in scheduler.children(recursive=True)
        if f"airflow task runner: provision_env {task_id}" in title_of(process)
    ]
    watcher = task.parent()
    assert watcher
    worker = watcher.parent()
    assert worker
    return [worker, watcher, task]


def workers_of(scheduler: psutil.Process) -> list[psutil.Process]:
    return [child for child in scheduler.children() if "airflow worker" in title_of(child)]
