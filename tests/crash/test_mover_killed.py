"""A mover that is killed with SIGKILL, at every boundary of a move: the next one ends it, and what is kept is there."""

# ruff: noqa: F811 - fixtures that are imported are used by name
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.crash.conftest import Workers, unwritten
from tests.crash.worker import MOVE, PROVISION, Job, boundaries_of
from tests.integration.testenv.moves.conftest import User, Versions, versions  # noqa: F401 - a fixture

from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.resources import Action
from testenv.engine import Engine
from testenv.moves import Mover

KEPT = ("postgres:payments", "snowflake:RAW.CUSTOMERS", "kafka:card_events")


@pytest.mark.timeout(600)
def test_what_a_killed_mover_began_the_next_one_ends_at_every_boundary(
    engine: Engine, workers: Workers, new_job: Callable[..., Job], versions: Versions
) -> None:
    job = new_job(*PROVISION, dataset=versions.first)
    env_id = EnvId(job.env_id)
    workers.finish(job)
    user = User(engine.connections(env_id))
    user.postgres("UPDATE payments SET status = (SELECT min(status) FROM payments)")
    user.snowflake("UPDATE RAW.CUSTOMERS SET SEGMENT = 'business'", "DELETE FROM RAW.MERCHANTS")
    user.produce("card_events", "mine")
    Mover(engine).keep(env_id, KEPT)
    kept = holds(user)

    moving = replace(job, tasks=MOVE, version=versions.second)
    passed = workers.walk(moving, lambda: unwritten_is_nothing(engine, env_id))

    made = [record.step for record in engine.ledger.steps(env_id) if record.attempts]
    moved = [step for step in made if step.action is Action.DESTROY or "beside" in step.resource.name.lower()]
    assert len(moved) == 5, "each database beside was made and destroyed, and one topic was destroyed"
    assert set(passed) >= {"begin: begin_move", "begin: plan_move", *boundaries_of("ensure", moved), "ready: move"}
    assert engine.ledger.environment(env_id).state is State.READY
    assert engine.drift(env_id) == ()
    assert holds(user) == kept
    assert user.postgres("SELECT count(*) FROM merchants WHERE merchant_id = 999") == [(1,)]
    assert user.snowflake("SELECT COUNT(*) FROM RAW.MERCHANTS WHERE MERCHANT_ID = 999") == [(1,)]


def unwritten_is_nothing(engine: Engine, env_id: EnvId) -> None:
    assert unwritten(engine, env_id) == []


def holds(user: User) -> tuple[object, ...]:
    return (
        user.postgres("SELECT * FROM payments ORDER BY 1"),
        user.snowflake("SELECT * FROM RAW.CUSTOMERS ORDER BY 1"),
        user.records("card_events"),
    )
