"""Environments that run the same DAG for the same logical date at once: each right, none changed by another."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator

import pytest
from tests.isolation.conftest import OTHER, OWN, PRODUCTION, World, destroy, provision, untouched

from local.demo.contents import contents
from testenv.backends.waiting import wait_until
from testenv.core.naming import EnvId
from testenv.engine import Engine

DATE = "2026-01-02"
DAGS = ("payments_to_snowflake", "finsight_dbt")
LAYERS = ("raw", "staging", "intermediate", "marts")


@pytest.fixture(scope="module")
def alone(engine: Engine) -> Iterator[EnvId]:
    """An environment whose runs have nothing beside them."""
    env_id = provision(engine, f"alone{secrets.token_hex(3)}")
    yield env_id
    destroy(engine, env_id)


def run(engine: Engine, dag: str, *env_ids: EnvId) -> None:
    """Run the DAG in each, at once, to the end. Fails with the log of a run that does."""
    tasks = {env_id: engine.start_run(env_id, dag, DATE) for env_id in env_ids}
    for env_id, task in tasks.items():
        ended = functools.partial(_ended, engine, task)
        wait_until(ended, f"{dag} ends in {env_id}", seconds=400)
        assert engine.run_status(task).state == "succeeded", engine.run_result(env_id, dag, DATE).log[-4000:]


def _ended(engine: Engine, task: str) -> bool:
    return engine.run_status(task).state in ("succeeded", "failed")


def outputs(engine: Engine, env_id: EnvId) -> dict[str, tuple[int, str]]:
    """LAYER.TABLE → number of rows and fingerprint."""
    found = contents(engine.connections(env_id))
    return {f"{layer}.{table}": value for layer in LAYERS for table, value in found.get(layer, {}).items()}


@pytest.mark.timeout(900)  # six runs; half a minute on a machine that does nothing else
def test_each_is_as_right_as_a_run_alone(engine: Engine, world: World, alone: EnvId) -> None:
    before = outputs(engine, alone)
    with untouched(world, OWN, OTHER, PRODUCTION):
        for dag in DAGS:
            run(engine, dag, alone)
    after = outputs(engine, alone)
    written = {table: value for table, value in after.items() if before.get(table) != value}
    assert {"raw.payments", "raw.customers"} <= set(written)
    assert any(table.startswith("marts.") for table in written)

    for dag in DAGS:
        run(engine, dag, *world.ids)
    for env_id in world.ids:
        found = outputs(engine, env_id)
        assert {table: found.get(table) for table in written} == written, env_id
    assert outputs(engine, alone) == after, "the others' runs changed nothing of it"
