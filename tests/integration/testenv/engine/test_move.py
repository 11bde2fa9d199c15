"""Moves on a real ledger: who may move what and when, and what becomes of one that is cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.integration.testenv.engine.support import DATASET, NOON, clock, memory, provisioned, request

from testenv.backends.protocol import TaskStatus
from testenv.core.admission import Admitted
from testenv.core.dataset import Dataset
from testenv.core.errors import Busy, Conflict, Failed, Invalid, NotFound
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId, Names
from testenv.core.resources import Action, Resource, System
from testenv.engine import Engine
from testenv.moves import Mover
from testenv.reaper import Reaper

NEW = "d20260102-1a2b3c"


@dataclass
class Datasets:
    """The seed, and a version from production that may be published."""

    latest: str = DATASET.version
    known: dict[str, Dataset] = field(
        default_factory=lambda: {
            DATASET.version: DATASET,
            NEW: DATASET.model_copy(update={"version": NEW, "snapshot": NOON}),
        }
    )

    def resolve(self, version: str, tier: str = "") -> str:
        return self.latest if version == "latest" else version

    def resolve_tapes(self, name: str | None) -> str:
        return name or ""

    def get(self, version: str, tapes: str = "") -> Dataset:
        return self.known[version]


@pytest.fixture
def mover(engine: Engine) -> Mover:
    return Mover(replace(engine, datasets=Datasets()))


@pytest.fixture
def env_id(mover: Mover) -> EnvId:
    return provisioned(mover.engine)


def finish(mover: Mover, env_id: EnvId, run_id: str = "m") -> None:
    mover.engine.ensure(env_id, set(System), run_id=run_id)
    mover.engine.verify(env_id)
    mover.engine.ready(env_id, run_id=run_id)


def state(mover: Mover, env_id: EnvId) -> State:
    return mover.engine.ledger.environment(env_id).state


def running(mover: Mover) -> dict[str, TaskStatus]:
    orchestrator: Any = mover.engine.orchestrator
    return orchestrator.running  # type: ignore[no-any-return]


def test_a_move_writes_its_plan_down_before_and_ends_ready_on_the_new_version(mover: Mover, env_id: EnvId) -> None:
    ready_at = mover.engine.ledger.environment(env_id).ready_at
    clock(mover.engine).advance(hours=1)
    moving = mover.begin(env_id, NEW, run_id="m")
    assert (moving.state, moving.spec.dataset, moving.moved_by) == (State.MOVING, NEW, "m")
    planned = [str(record.step) for record in mover.engine.ledger.steps(env_id) if record.is_pending]
    assert f"ensure postgres database {Names(env_id).postgres_source}" in planned
    assert f"destroy kafka topic {Names(env_id).topic('card_events')}" in planned
    assert not [step for step in planned if "secrets" in step or "role" in step or "airflow" in step]
    finish(mover, env_id)
    assert state(mover, env_id) is State.READY
    assert mover.engine.drift(env_id) == ()
    assert mover.engine.ledger.environment(env_id).ready_at == ready_at, "it was ready before"


def test_what_runs_is_not_cut_and_the_environment_stays_as_it_was(mover: Mover, env_id: EnvId) -> None:
    task = mover.engine.start_run(env_id, "payments_to_snowflake", "2026-01-02")
    with pytest.raises(Busy, match="run payments_to_snowflake 2026-01-02T00:00:00Z.*it is moved when that has ended"):
        mover.begin(env_id, NEW, run_id="m")
    assert (state(mover, env_id), list(running(mover))) == (State.READY, [task])
    assert mover.engine.ledger.environment(env_id).spec.dataset == DATASET.version
    del running(mover)[task]
    memory(mover.engine, System.SPARK).resources.add(Resource(System.SPARK, "job", f"te-{env_id}/1"))
    with pytest.raises(Busy, match=f"Spark job te-{env_id}/1"):
        mover.begin(env_id, NEW, run_id="m")


def test_what_begins_to_run_while_a_move_does_is_found_and_the_move_put_off(mover: Mover, env_id: EnvId) -> None:
    """Between the look and the ledger's word someone starts a run."""
    ledger: Any = mover.engine.ledger

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        def begin_move(self, *arguments: Any) -> Any:
            mover.engine.start_run(env_id, "payments_to_snowflake", "2026-01-02")
            return ledger.begin_move(*arguments)

    slow: Any = Slow()
    with pytest.raises(Busy):
        Mover(replace(mover.engine, ledger=slow)).begin(env_id, NEW, run_id="m")
    assert state(mover, env_id) is State.READY


def test_a_run_that_was_started_when_the_move_had_begun_is_stopped(mover: Mover, env_id: EnvId) -> None:
    orchestrator: Any = mover.engine.orchestrator
    start: Callable[..., str] = orchestrator.start

    def late(*arguments: Any) -> str:
        mover.begin(env_id, NEW, run_id="m")
        return start(*arguments)

    orchestrator.start = late
    with pytest.raises(Conflict, match="is moving: it can be used when it is ready"):
        mover.engine.start_run(env_id, "payments_to_snowflake", "2026-01-02")
    assert running(mover) == {}


def test_its_scheduler_is_stopped_for_the_move(mover: Mover, env_id: EnvId) -> None:
    mover.engine.start_serving(env_id)
    assert mover.engine.serves(env_id)
    memory(mover.engine, System.POSTGRES).at_work = ["payments_to_snowflake (scheduled)"]
    with pytest.raises(Busy, match="payments_to_snowflake .scheduled."):
        mover.begin(env_id, NEW, run_id="m")
    assert mover.engine.serves(env_id)
    memory(mover.engine, System.POSTGRES).at_work = []
    mover.begin(env_id, NEW, run_id="m")
    assert not mover.engine.serves(env_id)
    with pytest.raises(Conflict, match="is moving"):
        mover.engine.start_serving(env_id)


def test_only_its_mover_works_on_it_and_another_takes_over_when_that_is_dead(mover: Mover, env_id: EnvId) -> None:
    mover.begin(env_id, NEW, run_id="m")
    with pytest.raises(Conflict, match="is being moved by m. Wait"):
        mover.begin(env_id, NEW, run_id="other")
    with pytest.raises(Conflict, match="was asked for by other has ended; there is one of m"):
        mover.engine.ensure(env_id, set(System), run_id="other")
    assert mover.engine.abandon(env_id, "broken", run_id="other") is State.MOVING
    mover.begin(env_id, NEW, run_id="m")  # its own task, tried again
    clock(mover.engine).advance(minutes=31)
    mover.begin(env_id, NEW, run_id="other")
    with pytest.raises(Conflict):
        mover.engine.ensure(env_id, set(System), run_id="m")
    finish(mover, env_id, "other")
    assert mover.engine.drift(env_id) == ()


def test_a_move_that_was_cut_off_is_quarantined_never_destroyed_and_can_be_done_again(
    mover: Mover, reaper: Reaper, env_id: EnvId
) -> None:
    reaper = replace(reaper, engine=mover.engine)
    mover.begin(env_id, NEW, run_id="m")
    mover.engine.ensure(env_id, {System.KAFKA}, run_id="m")
    clock(mover.engine).advance(minutes=29)
    assert reaper.findings() == [], "each step is a sign of life"
    clock(mover.engine).advance(minutes=2)
    [found] = reaper.findings()
    assert (found.why, found.ends) == ("cut off", True)
    reaper.reap(env_id)
    assert state(mover, env_id) is State.QUARANTINED
    assert mover.engine.observe(env_id), "nothing was destroyed"
    with pytest.raises(Conflict):
        mover.engine.ensure(env_id, set(System), run_id="m")
    mover.begin(env_id, NEW, run_id="again")
    finish(mover, env_id, "again")
    environment = mover.engine.ledger.environment(env_id)
    assert (environment.state, environment.reason) == (State.READY, None)
    assert mover.engine.drift(env_id) == ()


def test_one_that_failed_can_be_moved_back_and_nothing_of_its_plan_is_left(mover: Mover, env_id: EnvId) -> None:
    mover.begin(env_id, NEW, run_id="m")
    database = Names(env_id).snowflake_database
    memory(mover.engine, System.SNOWFLAKE).faults[database] = Failed("broken")
    with pytest.raises(Failed):
        mover.engine.ensure(env_id, {System.SNOWFLAKE}, run_id="m")
    assert mover.engine.abandon(env_id, "broken", run_id="m") is State.QUARANTINED
    assert mover.engine.ledger.environment(env_id).reason == "its move failed: broken"
    mover.begin(env_id, DATASET.version, run_id="back")
    pending = [str(record.step) for record in mover.engine.ledger.steps(env_id) if record.is_pending]
    assert not [step for step in pending if database in step], "it was never moved"
    finish(mover, env_id, "back")
    assert mover.engine.drift(env_id) == ()
    assert mover.engine.ledger.environment(env_id).spec.dataset == DATASET.version


def test_an_environment_can_be_destroyed_in_the_middle_of_its_move(mover: Mover, env_id: EnvId) -> None:
    mover.begin(env_id, NEW, run_id="m")
    mover.engine.ensure(env_id, {System.POSTGRES}, run_id="m")
    mover.engine.drain(env_id)
    with pytest.raises(Conflict):
        mover.engine.ensure(env_id, set(System), run_id="m")
    mover.engine.destroy(env_id)
    assert mover.engine.verify_gone(env_id).state is State.DESTROYED


def test_what_may_not_be_moved_is_told(mover: Mover, env_id: EnvId) -> None:
    with pytest.raises(Conflict, match=f"stands on {DATASET.version} already"):
        mover.begin(env_id, DATASET.version, run_id="m")
    asked = request(mover.engine)
    assert mover.engine.admit(asked) == Admitted()
    with pytest.raises(Conflict, match="is provisioning and cannot become moving"):
        mover.begin(asked, NEW, run_id="m")


def test_what_is_kept_is_checked_and_remembered_and_can_be_released(mover: Mover, env_id: EnvId) -> None:
    memory(mover.engine, System.POSTGRES).things = {"payments"}
    with pytest.raises(Invalid, match="'payments' cannot be kept"):
        mover.keep(env_id, ["payments"])
    with pytest.raises(NotFound, match="has no postgres:paymnts. Nothing was marked"):
        mover.keep(env_id, ["postgres:payments", "postgres:paymnts"])
    assert mover.kept(env_id) == []
    assert mover.keep(env_id, ["postgres:payments"]) == mover.keep(env_id, ["postgres:payments"])
    beside = Resource(System.POSTGRES, "database", Names(env_id).postgres_beside)
    mover.begin(env_id, NEW, run_id="m")
    assert [record.step.action for record in mover.engine.ledger.steps(env_id) if record.step.resource == beside] == [
        Action.ENSURE,
        Action.DESTROY,
    ]
    with pytest.raises(Conflict, match="is moving"):
        mover.keep(env_id, ["postgres:payments"])
    finish(mover, env_id)
    with pytest.raises(NotFound, match="does not keep kafka:a; it keeps postgres:payments"):
        mover.release(env_id, ["kafka:a"])
    assert mover.release(env_id, ["postgres:payments"]) == []


def test_who_follows_moves_in_order_of_need_and_whoever_stands_on_it_does_not(mover: Mover) -> None:
    datasets = mover.engine.datasets
    assert isinstance(datasets, Datasets)
    asks = provisioned(mover.engine, follow=True)
    provisioned(mover.engine)  # did not ask
    provisioned(mover.engine, kind="ci")
    always = provisioned(mover.engine, kind="integration")
    with pytest.raises(Invalid, match="follow: a ci environment stays on its dataset version"):
        request(mover.engine, kind="ci", follow=True)
    assert mover.followers() == []
    datasets.latest = NEW
    assert mover.followers() == [always, asks]
    mover.begin(always, run_id="m")
    assert mover.followers() == [asks], "that one is being moved"
    mover.engine.abandon(always, "broken", run_id="m")
    assert mover.followers() == [always, asks], "its move failed"
    mover.begin(always, run_id="n")
    finish(mover, always, "n")
    assert mover.followers() == [asks]
