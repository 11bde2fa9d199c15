"""Kafka's clients for tapes, with a deadline on every call, and what they are asked of a topic."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from testenv.backends.kafka_admin import KafkaAdmin
from testenv.config import KafkaConfig
from testenv.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer

SECONDS = 20
"""Deadline of one call."""

IDLE_SECONDS = 60
"""How long a partition that has more may give nothing."""

DELIVERY_SECONDS = 60
QUEUE = 200_000
"""Records that wait in a producer's queue at most."""


def production_source(environ: Mapping[str, str] = os.environ) -> KafkaConfig:
    """Production's cluster as its reader. Its protocol is the environments' cluster's. Raises `Invalid`."""
    names = (
        "TESTENV_PRODUCTION_KAFKA_BOOTSTRAP",
        "TESTENV_PRODUCTION_KAFKA_USER",
        "TESTENV_PRODUCTION_KAFKA_PASSWORD",
        "TESTENV_KAFKA_SECURITY_PROTOCOL",
        "TESTENV_KAFKA_SASL_MECHANISM",
    )
    if missing := [name for name in names if not environ.get(name)]:
        raise Invalid(
            f"these environment variables are not set: {', '.join(missing)}. docs/architecture.md says what each is"
        )
    return KafkaConfig(*(environ[name] for name in names))


def admin(config: KafkaConfig) -> KafkaAdmin:
    return KafkaAdmin(config, config.user, config.password)


def partitions_of(client: KafkaAdmin, topic: str) -> int:
    """Raises `NotFound`."""
    count = client.topics().get(topic)
    if not count:
        raise NotFound(f"Kafka has no topic {topic}, or the user may not see it. Look at its name and at the ACLs")
    return count


def own_config(client: KafkaAdmin, topic: str) -> dict[str, str]:
    """What is set on the topic itself."""
    from confluent_kafka.admin import ConfigResource, ConfigSource, ResourceType

    [described] = client.each("describe_configs", [ConfigResource(ResourceType.TOPIC, topic)]).values()
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {
        entry.name: entry.value for entry in sorted(described.values(), key=lambda e: e.name) if entry.source == own
    }


@contextmanager
def consumer(config: KafkaConfig, group: str = "") -> Iterator[Consumer]:
    """Reads what is committed, from offsets that are assigned. It joins no group, so leaves none.

    The client asks for one nonetheless, and looks for its coordinator: `group` is one that the user may see.
    """
    from confluent_kafka import Consumer

    client = Consumer(
        {
            **_settings(config),
            "group.id": group or f"{config.user}.tapes",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            "check.crcs": True,
        }
    )
    try:
        yield client
    finally:
        client.close()


def ends(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """The first offset, and the one after the last that is decided: before all of a transaction that is still open."""
    from confluent_kafka import TopicPartition

    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=SECONDS)
    return int(low), int(high)


def producer(config: KafkaConfig, failures: list[Any], transactional_id: str = "") -> Producer:
    """Keeps order and sends each record once. What the broker refuses is added to `failures`."""
    from confluent_kafka import Producer

    settings: dict[str, Any] = {
        **_settings(config),
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 5,
        "batch.size": 1 << 18,
        "queue.buffering.max.messages": QUEUE,
        "queue.buffering.max.kbytes": 1 << 18,
        "message.max.bytes": 100 << 20,  # the topic's own limit counts
        "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
        "delivery.report.only.error": True,
        "on_delivery": lambda error, _record: failures.append(error) if error else None,
    }
    if transactional_id:
        settings |= {"transactional.id": transactional_id, "transaction.timeout.ms": DELIVERY_SECONDS * 1000}
    client = Producer(settings)
    # Connects. A producer that has no broker yet when it first asks for its id waits half a second to ask again.
    client.list_topics("", timeout=SECONDS)
    return client


def _settings(config: KafkaConfig) -> dict[str, Any]:
    return {
        **config.client(config.user, config.password),
        "socket.timeout.ms": SECONDS * 1000,
        "socket.connection.setup.timeout.ms": 5000,
        "reconnect.backoff.max.ms": 1000,
        "client.id": "testenv",
        "log_level": 0,
    }
