"""The checks read topics as the environment's own user, who may name its own consumer groups and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaException
from tests.integration.testenv.conftest import World

from testenv.backends.kafka_admin import KafkaAdmin
from testenv.backends.protocol import Site
from testenv.checks.diff import fingerprint
from testenv.checks.trial.reading import RecordedTrial
from testenv.checks.trial.record import Record
from testenv.core.contract import Store
from testenv.core.resources import System


def test_a_topic_is_read_by_a_group_that_the_environment_may_name(world: World, site: Site) -> None:
    world.ensure(site, System.KAFKA)
    login, prefix = world.vault.credentials(site.spec.env_id, System.KAFKA), site.names.topic_prefix
    kafka = replace(world.config.kafka, user=login["user"], password=login["password"])
    nothing = cast(Any, None)
    record = Record(env_id=str(site.spec.env_id), dataset="d", intervals={}, runs=(), states=())
    trial = RecordedTrial(record, nothing, nothing, kafka, prefix, {})
    admin = KafkaAdmin(kafka, kafka.user, kafka.password)
    topic = min(each for each in admin.topics() if each.startswith(prefix)).removeprefix(prefix)

    fingerprint(trial.table("head", Store.KAFKA, topic))
    assert admin.each("describe_consumer_groups", [trial.group])
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        admin.each("describe_consumer_groups", [f"{kafka.user}.checks"])
