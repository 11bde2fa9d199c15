"""`DatasetFreshnessSensor` on the stack's published versions: what is stale defers, and a publish wakes it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow.triggers.base import TriggerEvent
from tests.integration.testenv.conftest import config  # noqa: F401 - a fixture

from testenv.backends.aws import client
from testenv.config import Config
from testenv.core.naming import golden_prefix
from testenv.datasets.store import POINTER, DatasetStore
from testenv_airflow.sensors.datasets import DatasetFreshnessSensor
from testenv_airflow.triggers.freshness import DatasetFreshnessTrigger

HOURLY = "postgres.payments"
DAY = "d20010203-"


def new_version() -> str:
    """A version is never another's again: who has read its manifest keeps it."""
    return f"{DAY}{secrets.token_hex(3)}"


@pytest.fixture
def store(config: Config) -> Iterator[DatasetStore]:  # noqa: F811
    """The seed, which has no snapshot, is published; whatever a test publishes is taken away again."""
    store = DatasetStore(config)
    before = str(store.current())
    yield store
    put(config, POINTER, before)
    for made in store.versions():
        if made.startswith(DAY):
            client("s3", config).delete_object(Bucket=config.bucket, Key=manifest(made))


def manifest(dataset: str) -> str:
    return f"{golden_prefix(dataset)}manifest.json"


def put(config: Config, key: str, text: str) -> None:  # noqa: F811
    client("s3", config).put_object(Bucket=config.bucket, Key=key, Body=text.encode())


def publish(config: Config, store: DatasetStore, version: str, snapshot: datetime) -> None:  # noqa: F811
    """As a refresh does in the end: the manifest first, then the pointer."""
    seed = store.get(store.resolve("latest"))
    made = seed.model_copy(update={"version": f"{version}-full", "snapshot": snapshot})
    put(config, manifest(made.version), made.model_dump_json())
    put(config, POINTER, version)


def sensor(**arguments: Any) -> DatasetFreshnessSensor:
    return DatasetFreshnessSensor(task_id="fresh", contracts=[HOURLY], poke_interval=0.1, **arguments)


def deferred(sensor: DatasetFreshnessSensor) -> DatasetFreshnessTrigger:
    with pytest.raises(TaskDeferred) as left:
        sensor.execute({})
    assert isinstance(left.value.trigger, DatasetFreshnessTrigger)
    return left.value.trigger


async def event_of(trigger: DatasetFreshnessTrigger) -> TriggerEvent:
    return await anext(trigger.run())


def test_a_stale_one_defers_and_a_publish_wakes_it(config: Config, store: DatasetStore) -> None:  # noqa: F811
    version, waiting = new_version(), sensor()
    trigger = deferred(waiting)
    looked = asyncio.Event()

    async def lived() -> TriggerEvent:
        waited, loop = asyncio.create_task(event_of(trigger)), asyncio.get_running_loop()
        look = trigger._look

        def looks(contracts: Any) -> Any:
            found = look(contracts)
            loop.call_soon_threadsafe(looked.set)
            return found

        trigger._look = looks  # type: ignore[method-assign]
        await asyncio.wait_for(looked.wait(), 60)
        looked.clear()
        await asyncio.wait_for(looked.wait(), 60)
        assert not waited.done(), "it has looked twice, and the seed is stale"
        await asyncio.to_thread(publish, config, store, version, datetime.now(UTC))
        return await asyncio.wait_for(waited, 60)

    event = asyncio.run(lived())
    assert waiting.looked({}, event.payload) == f"{version}-full"
    assert sensor().execute({}) == f"{version}-full", "and the next finds it fresh at once"


def test_one_that_is_still_stale_in_the_end_says_age_and_what_was_allowed(
    config: Config,  # noqa: F811
    store: DatasetStore,
) -> None:
    version = new_version()
    publish(config, store, version, datetime.now(UTC) - timedelta(days=2, hours=3, minutes=5))
    waiting = sensor(timeout=0)
    event = asyncio.run(event_of(deferred(waiting)))
    with pytest.raises(AirflowFailException, match=f"{version}-full is stale .*{HOURLY} → 2 d 3 h old, allowed"):
        waiting.looked({}, event.payload)


def test_what_no_refresh_can_make_fresh_fails_at_once(store: DatasetStore) -> None:
    seed = str(store.current())
    for hopeless in (sensor(version=seed), sensor(fail_fast=True)):
        with pytest.raises(AirflowFailException, match=f"{seed} is stale .it has no snapshot.: {HOURLY} → of no time"):
            hopeless.execute({})
    with pytest.raises(AirflowSkipException, match="is stale"):
        sensor(version=seed, soft_fail=True).execute({})
    with pytest.raises(AirflowFailException, match="there is no 'postgres.nosuch'"):
        DatasetFreshnessSensor(task_id="fresh", contracts=["postgres.nosuch"]).execute({})
