"""Code under test, run by A's own orchestrator as pipelines are, reaches A's things and nobody else's."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.isolation.conftest import OTHER, OWN, PRODUCTION, World

from testenv.backends.waiting import wait_until
from testenv.core.naming import Names
from testenv.engine import Engine

DAG = "pipeline_that_tries"

REFUSALS = {
    "postgres": "permission denied for database",
    "airflow": "permission denied for database",
    "snowflake": "does not exist or not authorized",
    "kafka": "TOPIC_AUTHORIZATION_FAILED",
    "s3": "AccessDenied",
    "secrets": "AccessDenied",
}


@pytest.fixture(scope="module")
def outcomes(engine: Engine, world: World) -> Iterator[dict[str, dict[str, str]]]:
    """Whose things → attempt → what came of it."""
    names, s3, bucket = Names(world.ids[0]), world.control.aws("s3"), world.targets[OWN].bucket
    key = names.prefix + "code/code.tar.gz"
    code = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=_archive(world))
        task = engine.start_run(world.ids[0], DAG, "2026-01-01")
        wait_until(lambda: _state(engine, task) in ("succeeded", "failed"), "the run ends", seconds=120)
        assert _state(engine, task) == "succeeded", engine.run_result(world.ids[0], DAG, "2026-01-01").log[-3000:]
        body = s3.get_object(Bucket=bucket, Key=names.prefix + "landing/outcomes.json")["Body"].read()
        yield json.loads(body)
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=code)
        s3.delete_object(Bucket=bucket, Key=names.prefix + "landing/outcomes.json")


def _state(engine: Engine, task: str) -> str:
    return engine.run_status(task).state


def _archive(world: World) -> bytes:
    ids = {OWN: str(world.ids[0]), OTHER: str(world.ids[1]), PRODUCTION: "production"}
    targets: dict[str, Any] = {
        whose: {
            "id": ids[whose],
            "source": target.postgres_database,
            "airflow": target.postgres_airflow,
            "table": target.table,
            "topic": target.topic,
            "bucket": target.bucket,
            "key": target.key,
        }
        for whose, target in world.targets.items()
    }
    files = {
        f"{DAG}.py": (Path(__file__).parent / f"{DAG}.py").read_bytes(),
        "targets.json": json.dumps(targets).encode(),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as members:
        for name, content in files.items():
            member = tarfile.TarInfo(f"include/estate/dags/{name}")
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return archive.getvalue()


@pytest.mark.parametrize("attempt", REFUSALS)
def test_it_reaches_its_own(outcomes: dict[str, dict[str, str]], attempt: str) -> None:
    assert outcomes[OWN][attempt] == "succeeded"


@pytest.mark.parametrize("whose", [OTHER, PRODUCTION])
@pytest.mark.parametrize("attempt", REFUSALS)
def test_it_is_refused_anothers(outcomes: dict[str, dict[str, str]], whose: str, attempt: str) -> None:
    assert REFUSALS[attempt] in outcomes[whose][attempt]
