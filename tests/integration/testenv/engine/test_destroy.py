"""What ends is gone."""

from __future__ import annotations

import pytest
from tests.integration.testenv.engine.support import destroyed, memory, provisioned

from testenv.core.errors import Conflict, Drifted, Failed, Unavailable
from testenv.core.lifecycle import State
from testenv.core.naming import Names
from testenv.core.resources import Resource, System
from testenv.engine import Engine


def test_what_is_still_there_keeps_an_environment_from_ending(engine: Engine) -> None:
    env_id = provisioned(engine)
    engine.drain(env_id)
    engine.destroy(env_id, set(System) - {System.KAFKA})
    with pytest.raises(Drifted, match="there is still kafka"):
        engine.verify_gone(env_id)
    assert engine.ledger.environment(env_id).state is State.DESTROYING


def test_destroying_finds_what_appeared_since(engine: Engine) -> None:
    env_id = provisioned(engine)
    memory(engine, System.KAFKA).resources.add(Resource(System.KAFKA, "topic", Names(env_id).topic("late")))
    assert destroyed(engine, env_id) is State.DESTROYED


def test_destroying_twice_is_harmless_until_it_has_ended(engine: Engine) -> None:
    env_id = provisioned(engine)
    engine.drain(env_id)
    assert destroyed(engine, env_id) is State.DESTROYED
    with pytest.raises(Conflict, match="nothing to destroy"):
        engine.drain(env_id)


def test_one_system_that_fails_keeps_none_of_the_others_from_being_emptied(engine: Engine) -> None:
    """What may be tried again is told before what may not, so that it is."""
    env_id = provisioned(engine)
    engine.drain(env_id)
    names = Names(env_id)
    memory(engine, System.KAFKA).faults[names.topic("card_events")] = Failed("Kafka: refused")
    memory(engine, System.S3).faults[names.prefix] = Unavailable("S3 does not answer")
    with pytest.raises(Unavailable):
        engine.destroy(env_id)
    left = {system for system in System if memory(engine, system).observe(env_id)}
    assert left == {System.KAFKA, System.S3}
    engine.destroy(env_id)
    assert engine.verify_gone(env_id).state is State.DESTROYED
