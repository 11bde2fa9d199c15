"""The environment's user works below its prefix alone, and a topic holds exactly the dataset's records."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from tests.integration.testenv.conftest import World

from testenv.backends.aws import client
from testenv.backends.kafka_records import encode_record
from testenv.backends.kafka_rights import bindings_of
from testenv.backends.protocol import Site
from testenv.core.errors import Denied, Drifted
from testenv.core.naming import golden_prefix
from testenv.core.resources import Resource, System

TOPIC = "card_events"


def login(world: World, site: Site | None = None) -> dict[str, Any]:
    """librdkafka's settings as the environment, or as the control plane."""
    kafka = world.config.kafka
    if site is None:
        return {**kafka.client(kafka.user, kafka.password), "log_level": 0}
    made = world.vault.credentials(site.spec.env_id, System.KAFKA)
    return {**kafka.client(made["user"], made["password"]), "log_level": 0}


def read(world: World, site: Site, topic: str, group: str) -> list[Any]:
    """All messages of a topic, as the environment's user in `group`, to the end of each partition."""
    consumer = Consumer({**login(world, site), "group.id": group, "enable.partition.eof": True})
    try:
        partitions = site.dataset.topic(TOPIC).partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        found, ended = [], 0
        while ended < partitions:
            message = consumer.poll(10)
            assert message is not None, "nothing came in 10 s"
            if message.error() is None:
                found.append(message)
            elif message.error().name() == "_PARTITION_EOF":
                ended += 1
            else:
                raise KafkaException(message.error())
        consumer.commit(asynchronous=False)
        return found
    finally:
        consumer.close()


def records_of(site: Site) -> dict[str, int]:
    """What a probe of the environment's topics finds when they hold what the dataset holds."""
    return {f"kafka.{topic.name}": topic.records for topic in site.dataset.topics}


def failure_of(world: World, site: Site, topic: str) -> str:
    """The error with which the environment's user fails to produce to `topic`; empty if it did not."""
    said: list[str] = []
    producer = Producer({**login(world, site), "message.timeout.ms": 5000})
    producer.produce(topic, b"x", on_delivery=lambda error, _: said.append(error.name() if error else ""))
    producer.flush(10)
    return said[0]


def refusal_to(world: World, site: Site, topic: str, group: str) -> str:
    """The error that the environment's user gets for its subscription; empty if it gets a message."""
    consumer = Consumer({**login(world, site), "group.id": group, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        message = consumer.poll(15)
        assert message is not None, "neither a message nor a refusal in 15 s"
        return message.error().name() if message.error() else ""
    finally:
        consumer.close()


class TestUser:
    def test_it_works_below_its_prefix(self, world: World, site: Site) -> None:
        world.ensure(site, System.KAFKA)
        topic, group = site.names.topic(TOPIC), f"{site.names.topic_prefix}reader"
        assert failure_of(world, site, topic) == ""
        assert len(read(world, site, topic, group)) == site.dataset.topic(TOPIC).records + 1

    def test_it_is_shut_out_of_anothers(self, world: World, new_site: Callable[[], Site]) -> None:
        one, other = new_site(), new_site()
        world.ensure(one, System.KAFKA)
        world.ensure(other, System.KAFKA)
        foreign = other.names.topic(TOPIC)
        assert failure_of(world, one, foreign) == "TOPIC_AUTHORIZATION_FAILED"
        own_group, foreign_group = f"{one.names.topic_prefix}reader", f"{other.names.topic_prefix}reader"
        assert refusal_to(world, one, foreign, own_group) == "TOPIC_AUTHORIZATION_FAILED"
        assert refusal_to(world, one, one.names.topic(TOPIC), foreign_group) == "GROUP_AUTHORIZATION_FAILED"
        admin = AdminClient(login(world, one))
        for refused in admin.create_topics([NewTopic(f"{foreign}2", 1)]).values():
            with pytest.raises(KafkaException, match="AUTHORIZATION_FAILED"):
                refused.result(10)

    def test_it_sees_nothing_of_production(self, world: World, site: Site) -> None:
        world.ensure(site, System.KAFKA)
        own = {site.names.topic(topic.name) for topic in site.dataset.topics}
        assert set(AdminClient(login(world, site)).list_topics(timeout=10).topics) == own
        assert failure_of(world, site, TOPIC) in ("TOPIC_AUTHORIZATION_FAILED", "UNKNOWN_TOPIC_OR_PART")

    def test_a_user_that_is_gone_is_denied(self, world: World, site: Site) -> None:
        world.ensure(site, System.KAFKA)
        world.backends[System.KAFKA].destroy(Resource(System.KAFKA, "user", site.names.kafka_user))
        with pytest.raises(Denied, match="_AUTHENTICATION"):
            world.backends[System.KAFKA].probe(site)


class TestTopic:
    def test_a_changed_configuration_is_mended(self, world: World, site: Site) -> None:
        world.ensure(site, System.KAFKA)
        name, admin = site.names.topic(TOPIC), AdminClient(login(world))
        changed = [
            ConfigEntry(key, "1000", incremental_operation=AlterConfigOpType.SET)
            for key in ("retention.ms", "max.message.bytes")
        ]
        for done in admin.incremental_alter_configs(
            [ConfigResource(ResourceType.TOPIC, name, incremental_configs=changed)]
        ).values():
            done.result(10)
        world.ensure(site, System.KAFKA)
        assert own_config(admin, name) == site.dataset.topic(TOPIC).config

    def test_one_of_another_partition_count_is_made_anew(self, world: World, site: Site) -> None:
        admin, name = AdminClient(login(world)), site.names.topic(TOPIC)
        for done in admin.create_topics([NewTopic(name, 1)]).values():
            done.result(10)
        world.ensure(site, System.KAFKA)
        assert len(admin.list_topics(name, timeout=10).topics[name].partitions) == 3
        assert world.backends[System.KAFKA].probe(site) == records_of(site)


class TestRecords:
    def test_they_are_the_datasets_to_the_byte(self, world: World, site: Site) -> None:
        """Partition, order, timestamp, key, value (tombstones too) and repeated headers."""
        world.ensure(site, System.KAFKA)
        key = f"{golden_prefix(site.dataset.version)}kafka/{TOPIC}.jsonl"
        body = client("s3", world.config).get_object(Bucket=world.config.bucket, Key=key)["Body"].read().decode()
        expected = [encode_record(json.loads(line)) for line in body.splitlines() if line]
        messages = read(world, site, site.names.topic(TOPIC), f"{site.names.topic_prefix}{uuid.uuid4().hex}")
        found = [
            {
                "partition": message.partition(),
                "timestamp": message.timestamp()[1],
                "key": message.key(),
                "value": message.value(),
                "headers": message.headers() or [],
            }
            for message in sorted(messages, key=lambda message: (message.partition(), message.offset()))
        ]
        assert found == sorted(expected, key=lambda record: record["partition"])

    def test_a_part_of_them_is_replaced_by_all(self, world: World, site: Site) -> None:
        """As if the producer had died after two records."""
        backend, name = world.backends[System.KAFKA], site.names.topic(TOPIC)
        records = Resource(System.KAFKA, "records", name)
        for part in world.parts(site, System.KAFKA):
            if part != records:
                backend.ensure(part, site)
        producer = Producer(login(world))
        for number in range(2):
            producer.produce(name, b"x", partition=number)
        assert producer.flush(10) == 0
        with pytest.raises(Drifted, match="card_events has 2, not"):
            backend.probe(site)
        backend.ensure(records, site)
        assert backend.probe(site) == records_of(site)
        messages = read(world, site, name, f"{site.names.topic_prefix}reader")
        assert not [message for message in messages if message.value() == b"x"]


class TestGroups:
    def test_they_go_with_the_environment(self, world: World, site: Site) -> None:
        world.ensure(site, System.KAFKA)
        group = f"{site.names.topic_prefix}reader"
        read(world, site, site.names.topic(TOPIC), group)
        assert group in groups(world)
        world.destroy(site)
        assert group not in groups(world)

    def test_one_that_is_left_is_seen(self, world: World, site: Site) -> None:
        """A group without rights still is something of the environment's: it would be found as a leak."""
        world.ensure(site, System.KAFKA)
        read(world, site, site.names.topic(TOPIC), f"{site.names.topic_prefix}reader")
        backend, rights = world.backends[System.KAFKA], Resource(System.KAFKA, "acls", site.names.kafka_user)
        admin = AdminClient(login(world))
        for done in admin.delete_acls([bindings_of(site.names.kafka_user)]).values():
            done.result(10)
        assert rights in backend.observe(site.spec.env_id)
        assert rights in backend.observe()
        backend.destroy(rights)
        assert rights not in backend.observe()

    def test_one_whose_consumer_is_lost_is_waited_for_until_its_session_is_over(self, world: World, site: Site) -> None:
        world.ensure(site, System.KAFKA)
        group, rights = f"{site.names.topic_prefix}reader", Resource(System.KAFKA, "acls", site.names.kafka_user)
        settings = {"group.id": group, "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
        consumer = Consumer({**login(world, site), **settings})
        try:
            consumer.subscribe([site.names.topic(TOPIC)])
            assert consumer.poll(20) is not None
            world.backends[System.KAFKA].destroy(rights)
            assert group not in groups(world)
            assert rights not in world.backends[System.KAFKA].observe(site.spec.env_id)
        finally:
            consumer.close()


def groups(world: World) -> set[str]:
    admin = AdminClient(login(world))
    listed = admin.list_consumer_groups(request_timeout=10).result(10)
    assert not listed.errors
    return {group.group_id for group in listed.valid}


def own_config(admin: AdminClient, topic: str) -> dict[str, str]:
    """What is set on the topic itself."""
    described = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)])
    entries = next(iter(described.values())).result(10).values()
    return {entry.name: entry.value for entry in entries if entry.source == 1}
