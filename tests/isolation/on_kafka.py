"""Attempts on Kafka. What is made or deleted has a name of its own, so that an attempt may be repeated."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from tests.isolation.attempts import Attempts
from tests.isolation.parties import Login, Target

ATTEMPTS = Attempts("kafka")
TOPIC, GROUP, TRANSACTION = (f"{kind}_AUTHORIZATION_FAILED" for kind in ("TOPIC", "GROUP", "TRANSACTIONAL_ID"))
SECONDS = 20


def results(futures: Any) -> list[Any]:
    """What an admin call answers; raises KafkaException."""
    each = futures.values() if isinstance(futures, Mapping) else [futures]
    return [future.result(SECONDS) for future in each]


def ask(as_: Login, verb: str, *arguments: Any) -> list[Any]:
    """The answers to an admin call. The client must outlive them."""
    client = AdminClient(as_.kafka())
    return results(getattr(client, verb)(*arguments))


def own_prefix(as_: Login) -> str:
    return f"te.{as_.kafka_user.removeprefix('te-')}."


@ATTEMPTS(TOPIC)
def produce(as_: Login, on: Target) -> None:
    errors: list[Any] = []
    producer = Producer(as_.kafka(**{"message.timeout.ms": 10000}))
    producer.produce(on.topic, b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(SECONDS)
    if errors[0]:
        raise KafkaException(errors[0])


def first_message(consumer: Consumer) -> Any:
    message = consumer.poll(SECONDS)
    assert message is not None, "neither a message nor a refusal"
    if message.error():
        raise KafkaException(message.error())
    return message


@ATTEMPTS(TOPIC)
def consume(as_: Login, on: Target) -> None:
    """In a group of one's own."""
    group = f"{own_prefix(as_)}joined{secrets.token_hex(4)}"
    consumer = Consumer(as_.kafka(**{"group.id": group, "auto.offset.reset": "earliest"}))
    try:
        consumer.subscribe([on.topic])
        first_message(consumer)
    finally:
        consumer.close()


@ATTEMPTS(GROUP)
def join_a_group(as_: Login, on: Target) -> None:
    """Of the target, to read what the one who tries may read."""
    own = own_prefix(as_) + "canary"
    group = f"{on.topic_prefix}joined{secrets.token_hex(4)}"
    consumer = Consumer(as_.kafka(**{"group.id": group, "auto.offset.reset": "earliest"}))
    try:
        consumer.subscribe([own])
        first_message(consumer)
    finally:
        consumer.close()


def _offsets_of(on: Target) -> ConsumerGroupTopicPartitions:
    return ConsumerGroupTopicPartitions(on.group, [TopicPartition(on.topic, 0, 1)])


@ATTEMPTS(GROUP)
def commit_a_groups_offsets(as_: Login, on: Target) -> None:
    ask(as_, "alter_consumer_group_offsets", [_offsets_of(on)])


@ATTEMPTS(GROUP)
def read_a_groups_offsets(as_: Login, on: Target) -> None:
    ask(as_, "list_consumer_group_offsets", [ConsumerGroupTopicPartitions(on.group)])


@ATTEMPTS(GROUP)
def describe_a_group(as_: Login, on: Target) -> None:
    ask(as_, "describe_consumer_groups", [on.group])


@ATTEMPTS(GROUP)
def delete_a_group(as_: Login, on: Target) -> None:
    ask(as_, "delete_consumer_groups", [f"{on.topic_prefix}victims"])


@ATTEMPTS(TOPIC)
def create_a_topic(as_: Login, on: Target) -> None:
    ask(as_, "create_topics", [NewTopic(f"{on.topic_prefix}made{secrets.token_hex(4)}", 1)])


@ATTEMPTS(TOPIC)
def delete_a_topic(as_: Login, on: Target) -> None:
    ask(as_, "delete_topics", [f"{on.topic_prefix}victim.{as_.kafka_user}"])


def see(as_: Login, topic: str) -> None:
    """A topic's metadata, which the client asks for before it asks its partitions' leaders for anything else."""
    found = AdminClient(as_.kafka()).list_topics(topic, timeout=SECONDS).topics[topic]
    if found.error:
        raise KafkaException(found.error)


@ATTEMPTS(TOPIC)
def empty_a_topic(as_: Login, on: Target) -> None:
    see(as_, f"{on.topic_prefix}emptied")
    ask(as_, "delete_records", [TopicPartition(f"{on.topic_prefix}emptied", 0, 0)])


@ATTEMPTS(TOPIC)
def add_partitions(as_: Login, on: Target) -> None:
    count = 2 if as_.kafka_user.removeprefix("te-") in on.topic_prefix else 3
    ask(as_, "create_partitions", [NewPartitions(f"{on.topic_prefix}emptied", count)])


@ATTEMPTS(TOPIC)
def change_a_topics_configuration(as_: Login, on: Target) -> None:
    entry = ConfigEntry("retention.ms", "1000000000", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.TOPIC, f"{on.topic_prefix}emptied", incremental_configs=[entry])
    ask(as_, "incremental_alter_configs", [change])


@ATTEMPTS(TOPIC)
def read_a_topics_configuration(as_: Login, on: Target) -> None:
    ask(as_, "describe_configs", [ConfigResource(ResourceType.TOPIC, on.topic)])


@ATTEMPTS(TOPIC)
def see_a_topics_offsets(as_: Login, on: Target) -> None:
    see(as_, on.topic)
    ask(as_, "list_offsets", {TopicPartition(on.topic, 0): OffsetSpec.latest()})


@ATTEMPTS(TRANSACTION)
def write_in_its_transactions(as_: Login, on: Target) -> None:
    """Who can begin a transaction under another's id shuts the other out."""
    producer = Producer(as_.kafka(**{"transactional.id": f"{on.topic_prefix}writer"}))
    producer.init_transactions(SECONDS)
