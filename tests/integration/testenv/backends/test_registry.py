"""The engine on all backends and the real services: an environment from request to nothing left."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from tests.integration.testenv.conftest import World

from testenv.backends.registry import connect_engine, connect_reaper
from testenv.config import Config
from testenv.core.admission import Admitted
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.reap import Why
from testenv.core.resources import System
from testenv.engine import Engine
from testenv.reaper import Reaper


@pytest.fixture
def engine(world: World, config: Config) -> Engine:
    return connect_engine(config)


@pytest.fixture
def reaper(config: Config, engine: Engine) -> Reaper:
    return connect_reaper(config, engine)


@pytest.fixture
def env_id(engine: Engine, world: World) -> Iterator[EnvId]:
    name = f"t{secrets.token_hex(4)}"
    engine.request({"kind": "ci", "name": name}, run_id=f"test {name}", fallback_name=name)
    env_id = EnvId.of("ci", name)
    yield env_id
    if engine.ledger.environment(env_id).state is not State.DESTROYED:
        engine.drain(env_id)
        engine.destroy(env_id, list(System))
        engine.verify_gone(env_id)


def test_an_environment_lives_and_leaves_nothing(engine: Engine, reaper: Reaper, env_id: EnvId, world: World) -> None:
    assert engine.admit(env_id) == Admitted()
    for step in engine.ensure(env_id, list(System)):
        assert step.resource in engine.observe(env_id)
    assert engine.drift(env_id) == ()
    dataset = world.store.get(engine.ledger.environment(env_id).spec.dataset)
    counts = engine.verify(env_id)
    assert counts["postgres.payments"] == dataset.postgres["payments"]
    assert counts["snowflake.RAW.PAYMENTS"] == dataset.snowflake["RAW.PAYMENTS"]
    assert counts["kafka.card_events"] == dataset.topic("card_events").records
    assert engine.ready(env_id).state is State.READY

    engine.drain(env_id)
    engine.destroy(env_id, list(System))
    assert engine.observe(env_id) == frozenset()
    assert engine.verify_gone(env_id).state is State.DESTROYED
    assert reaper.findings(env_id) == []


def test_what_the_ledger_does_not_know_is_an_orphan(reaper: Reaper, world: World) -> None:
    """Whatever system it is left in."""
    for system in (System.SECRETS, System.S3, System.POSTGRES, System.SNOWFLAKE, System.KAFKA):
        site = world.site(f"sbx-o{secrets.token_hex(4)}")
        try:
            world.backends[system].ensure(world.parts(site, system)[0], site)
            [orphan] = reaper.findings(site.spec.env_id)
            assert orphan.why is Why.ORPHAN
            assert {part.system for part in orphan.resources} >= {system}
        finally:
            world.destroy(site)
        assert reaper.findings(site.spec.env_id) == []
