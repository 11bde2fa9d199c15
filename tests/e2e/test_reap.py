"""What is expired or left over is destroyed; a dry run only says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest
from tests.e2e.conftest import Client

from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.engine import Engine


@pytest.fixture
def expired(engine: Engine, slug: str) -> EnvId:
    """An environment of which only the ledger knows, and whose time is over."""
    asked = engine.request({"name": slug, "owner": "a test"}, run_id=slug, fallback_name=slug)
    engine.admit(asked.env_id)
    engine.ledger.expire(asked.env_id, engine.clock() - timedelta(minutes=1), "its time is over", engine.clock())
    return asked.env_id


@pytest.fixture
def orphan(client: Client, engine: Engine, slug: str) -> EnvId:
    """An environment of which only a system knows."""
    env_id = EnvId(f"sbx-{slug}-left")
    bucket = client.stack.env["TESTENV_BUCKET"]
    boto3.client("s3").put_object(Bucket=bucket, Key=f"env/{env_id}/lake/left.parquet", Body=b"left")
    return env_id


def reap(client: Client, conf: dict[str, Any]) -> dict[str, Any]:
    started = client.http.post("/api/v1/dags/reap_environments/dagRuns", json={"conf": conf})
    assert started.is_success, started.text
    return client.wait("reap_environments", started.json()["dag_run_id"])


def test_the_expired_and_the_left_over_are_named_and_then_destroyed(
    client: Client, engine: Engine, expired: EnvId, orphan: EnvId
) -> None:
    told = reap(client, {"dry_run": True})
    assert told["state"] == "success"
    assert f"Would destroy {expired}, {orphan}" in told["note"]
    assert engine.ledger.environment(expired).state is State.PROVISIONING
    assert engine.observe(orphan), "a dry run leaves everything"

    done = reap(client, {})
    assert done["state"] == "success", done["note"]
    assert engine.ledger.environment(expired).state is State.DESTROYED
    assert not engine.observe(orphan)
    instances = client.get(f"/dags/reap_environments/dagRuns/{done['dag_run_id']}/taskInstances")["task_instances"]
    assert {str(expired), str(orphan)} <= {task["rendered_map_index"] for task in instances}


def test_a_living_environment_is_left_alone(client: Client, engine: Engine, shared: dict[str, Any]) -> None:
    assert reap(client, {})["state"] == "success"
    assert engine.ledger.environment(EnvId(shared["id"])).state is State.READY
