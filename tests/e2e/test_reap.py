"""What is over, stuck or left over is ended; what is old is forgotten; a dry run only says so."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.e2e.conftest import Client

from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.resources import System
from testenv.engine import Engine


@pytest.fixture
def expired(engine: Engine, slug: str) -> EnvId:
    """An environment of which only the ledger knows, and whose time is over."""
    asked = engine.request({"name": slug, "owner": "a test"}, run_id=slug, fallback_name=slug)
    engine.admit(asked.env_id)
    engine.ready(asked.env_id)
    engine.ledger.expire(asked.env_id, engine.clock() - timedelta(minutes=1), "its time is over", engine.clock())
    return asked.env_id


@pytest.fixture
def stuck(engine: Engine, slug: str) -> EnvId:
    """An environment half made by a worker that died an hour ago."""
    an_hour_ago = dataclasses.replace(engine, clock=lambda: engine.clock() - timedelta(hours=1))
    asked = an_hour_ago.request({"name": f"{slug}-half"}, run_id=f"{slug}-half", fallback_name=slug)
    an_hour_ago.admit(asked.env_id)
    an_hour_ago.ensure(asked.env_id, [System.SECRETS, System.POSTGRES])
    return asked.env_id


@pytest.fixture
def orphan(client: Client, engine: Engine, slug: str) -> EnvId:
    """An environment of which only a system knows."""
    env_id = EnvId(f"sbx-{slug}-left")
    bucket = client.stack.env["TESTENV_BUCKET"]
    boto3.client("s3").put_object(Bucket=bucket, Key=f"env/{env_id}/lake/left.parquet", Body=b"left")
    return env_id


@pytest.fixture
def old_log(client: Client) -> Iterator[Path]:
    """A task's log of forty days ago."""
    log = client.stack.home / "airflow" / "logs" / "dag_id=gone" / "attempt=1.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("long ago")
    os.utime(log, (log.stat().st_mtime - 40 * 86400,) * 2)
    yield log
    log.unlink(missing_ok=True)


def reap(client: Client, conf: dict[str, Any]) -> dict[str, Any]:
    started = client.http.post("/api/v1/dags/reap_environments/dagRuns", json={"conf": conf})
    assert started.is_success, started.text
    return client.wait("reap_environments", started.json()["dag_run_id"])


def test_the_expired_the_stuck_and_the_left_over_are_named_and_then_ended(
    client: Client, engine: Engine, expired: EnvId, stuck: EnvId, orphan: EnvId, old_log: Path
) -> None:
    listed = {found["id"]: found for found in client("reap", "--dry-run", "--json").json}
    assert {listed[str(env_id)]["why"] for env_id in (expired, stuck, orphan)} == {"expired", "stuck", "orphan"}
    told = reap(client, {"dry_run": True})
    assert told["state"] == "success"
    for named in (f"{expired} (expired)", f"{stuck} (stuck)", f"{orphan} (orphan)"):
        assert named in told["note"] and told["note"].startswith("Would end ")
    assert engine.ledger.environment(expired).state is State.READY
    assert engine.ledger.environment(stuck).state is State.PROVISIONING
    assert engine.observe(orphan) and engine.observe(stuck) and old_log.exists(), "a dry run leaves everything"

    done = client("reap", "--json", "--timeout", "300")
    assert done.code == 0, done.err
    assert {engine.ledger.environment(env_id).state for env_id in (expired, stuck)} == {State.DESTROYED}
    assert not engine.observe(orphan) and not engine.observe(stuck)
    assert not old_log.exists() and not old_log.parent.exists()
    instances = client.get(f"/dags/reap_environments/dagRuns/{done.json['run_id']}/taskInstances")["task_instances"]
    assert {str(expired), str(stuck), str(orphan)} <= {task["rendered_map_index"] for task in instances}


def test_a_living_environment_is_left_alone(client: Client, engine: Engine, shared: dict[str, Any]) -> None:
    assert reap(client, {})["state"] == "success"
    environment = engine.ledger.environment(EnvId(shared["id"]))
    assert (environment.state, environment.reason) == (State.READY, None)
