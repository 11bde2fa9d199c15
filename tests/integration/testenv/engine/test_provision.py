"""What is planned is written first, what fails is resumed or leaves nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.testenv.engine.support import NOON, STEPS, destroyed, memory, provisioned, request

from testenv.core.admission import Admitted
from testenv.core.errors import Conflict, Drifted, Failed, Invalid, NotFound, Unavailable
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId, Names
from testenv.core.resources import Action, Resource, System
from testenv.engine import Engine
from testenv.ledger import LedgerReader


def test_an_environment_is_provisioned_used_and_destroyed(engine: Engine) -> None:
    env_id = provisioned(engine, name="pay-fix", owner="ada")
    environment = engine.ledger.environment(env_id)
    assert (environment.state, environment.ready_at, environment.spec.owner) == (State.READY, NOON, "ada")
    assert engine.drift(env_id) == ()
    assert destroyed(engine, env_id) is State.DESTROYED
    assert engine.observe(None) == frozenset()


def test_every_step_is_written_before_it_is_applied(engine: Engine) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    planned = engine.ledger.steps(env_id, Action.ENSURE)
    assert planned
    assert {record.status for record in planned} == {"planned"}
    assert len(planned) == STEPS
    assert engine.observe(None) == frozenset()


def test_a_request_that_is_wrong_changes_nothing(engine: Engine) -> None:
    for conf in ({"dataset": "seed-ffffffff"}, {"name": "a;b"}, {"kind": "prod"}, {"unknown": 1}):
        with pytest.raises(Invalid):
            engine.request(conf, run_id="r", fallback_name="x")
    assert engine.ledger.environments() == []
    assert engine.observe(None) == frozenset()


def test_a_taken_name_is_refused_naming_its_owner(engine: Engine) -> None:
    provisioned(engine, name="mine", owner="ada")
    with pytest.raises(Conflict, match="sbx-mine exists already: it is ready and of ada"):
        request(engine, name="mine", owner="bob")


def test_the_same_run_asking_again_gets_what_it_has(engine: Engine) -> None:
    first = engine.request({"name": "again"}, run_id="same", fallback_name="x")
    assert engine.request({"name": "again"}, run_id="same", fallback_name="x").life == first.life


def test_an_id_may_live_again_after_its_environment_ended(engine: Engine) -> None:
    first = provisioned(engine, name="phoenix")
    destroyed(engine, first)
    assert provisioned(engine, name="phoenix") == first


@pytest.mark.parametrize("position", range(STEPS))
def test_a_step_that_fails_is_resumed_where_it_stopped(engine: Engine, position: int) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    record = engine.ledger.steps(env_id, Action.ENSURE)[position]
    name = record.step.resource.name
    memory(engine, record.step.resource.system).faults[name] = Unavailable("away")
    with pytest.raises(Unavailable):
        engine.ensure(env_id, set(System))
    assert [r.status for r in engine.ledger.steps(env_id) if r.error] == ["failed"]
    engine.ensure(env_id, set(System))
    assert engine.drift(env_id) == ()


@pytest.mark.parametrize("position", range(STEPS))
def test_an_environment_half_made_leaves_nothing_when_abandoned(engine: Engine, position: int) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    record = engine.ledger.steps(env_id, Action.ENSURE)[position]
    memory(engine, record.step.resource.system).faults[record.step.resource.name] = Failed("broken")
    with pytest.raises(Failed):
        engine.ensure(env_id, set(System))
    assert engine.abandon(env_id, "broken") is State.DESTROYING
    assert destroyed(engine, env_id) is State.DESTROYED
    assert engine.observe(None) == frozenset()


def test_a_failed_environment_is_kept_for_a_day_when_asked(engine: Engine) -> None:
    env_id = request(engine, on_failure="keep")
    engine.admit(env_id)
    assert engine.abandon(env_id, "the build failed") is State.QUARANTINED
    environment = engine.ledger.environment(env_id)
    assert environment.expires_at == NOON + timedelta(hours=24)
    assert environment.reason == "the build failed"


def test_drift_names_what_is_missing_and_what_is_too_much(engine: Engine) -> None:
    env_id = provisioned(engine)
    names = Names(env_id)
    memory(engine, System.S3).destroy(Resource(System.S3, "role", names.iam_role))
    extra = Resource(System.KAFKA, "topic", names.topic("forgotten"))
    memory(engine, System.KAFKA).resources.add(extra)
    assert {str(step) for step in engine.drift(env_id)} == {f"ensure s3 role {names.iam_role}", f"destroy {extra}"}
    with pytest.raises(Drifted, match=names.iam_role):
        engine.verify(env_id)


def test_what_happened_is_told_in_order(engine: Engine) -> None:
    env_id = provisioned(engine, owner="ada")
    engine.connections(env_id)
    assert [words for _, _, words in engine.ledger.events(env_id)] == [
        "requested by ada",
        "admitted",
        "ready",
        "its credentials were shown",
    ]


def test_an_unknown_environment_is_said_to_be_unknown(engine: Engine) -> None:
    with pytest.raises(NotFound, match="there is no environment sbx-nope"):
        engine.ledger.environment(EnvId("sbx-nope"))


def test_a_ledger_that_is_away_is_a_transient_error() -> None:
    with pytest.raises(Unavailable, match="the ledger does not answer"):
        LedgerReader("postgresql+psycopg2://nobody:x@127.0.0.1:9/none").environments()


def test_what_an_older_run_does_late_leaves_the_new_life_of_its_name_alone(engine: Engine) -> None:
    """Ended by hand while it was made, and asked for anew before the first run has cleaned up."""
    old = engine.request({"name": "again"}, run_id="old", fallback_name="x").env_id
    engine.admit(old)
    destroyed(engine, old)
    new = engine.request({"name": "again"}, run_id="new", fallback_name="x").env_id
    assert engine.admit(new) == Admitted()
    for late in (lambda: engine.ensure(new, set(System), run_id="old"), lambda: engine.ready(new, run_id="old")):
        with pytest.raises(Conflict, match="the sbx-again that was asked for by old has ended"):
            late()
    assert engine.abandon(new, "it failed", run_id="old") is State.DESTROYED
    assert engine.ledger.environment(new).state is State.PROVISIONING
    assert engine.observe(None) == frozenset()
    engine.ensure(new, set(System), run_id="new")
    assert engine.ready(new, run_id="new").state is State.READY
