"""Topics of production to capture, and topics of an environment to replay into; all are gone afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewTopic
from tests.conftest import RunningStack

from testenv.backends.kafka_admin import KafkaAdmin
from testenv.backends.waiting import wait_until
from testenv.config import Config, KafkaConfig
from testenv.datasets.tapes.clients import production_source

DAY = 86_400_000
T0 = 1_700_000_000_000
"""A time long past, in milliseconds."""


@dataclass
class Production:
    """Production's cluster: written by its writer, captured by its reader."""

    source: KafkaConfig
    writer: dict[str, Any] = field(repr=False)
    admin: KafkaAdmin

    def producer(self, **settings: Any) -> Producer:
        return Producer({**self.writer, "linger.ms": 1, **settings})

    def produce(self, topic: str, records: list[dict[str, Any]], **settings: Any) -> None:
        producer = self.producer(**settings)
        for record in records:
            producer.produce(topic, **{"partition": 0, "timestamp": T0, **record})
        assert producer.flush(20) == 0

    def transaction(self, topic: str, records: list[dict[str, Any]], *, commit: bool = True) -> None:
        """A transaction in partition 0. Its marker is there when this returns: the broker writes it afterwards."""
        end = self.admin.counts({topic: 1})[topic]
        producer = self.producer(**{"transactional.id": f"{topic}.{secrets.token_hex(4)}"})
        producer.init_transactions(20)
        producer.begin_transaction()
        for record in records:
            producer.produce(topic, **{"partition": 0, "timestamp": T0, **record})
        assert producer.flush(20) == 0
        (producer.commit_transaction if commit else producer.abort_transaction)(20)
        end += len(records) + 1
        wait_until(lambda: self.admin.counts({topic: 1})[topic] == end, "the marker is there", seconds=20)


@pytest.fixture(scope="session")
def production(stack: RunningStack, admin: KafkaAdmin) -> Production:
    env = stack.production
    writer = {
        "bootstrap.servers": env["PRODUCTION_KAFKA_BOOTSTRAP"],
        "security.protocol": env["PRODUCTION_KAFKA_SECURITY_PROTOCOL"],
        "sasl.mechanism": env["PRODUCTION_KAFKA_SASL_MECHANISM"],
        # Transactional ids are not of the writer's rights; the tests' topics are made and written by the control plane.
        "sasl.username": stack.env["TESTENV_KAFKA_USER"],
        "sasl.password": stack.env["TESTENV_KAFKA_PASSWORD"],
        "log_level": 0,
    }
    return Production(production_source(stack.env), writer, admin)


@pytest.fixture(scope="session")
def admin(config: Config) -> KafkaAdmin:
    return KafkaAdmin(config.kafka, config.kafka.user, config.kafka.password)


NewTopicOf = Callable[..., str]


@pytest.fixture(scope="module")
def new_topic(admin: KafkaAdmin) -> Iterator[NewTopicOf]:
    """Makes topics of production."""
    made: list[str] = []

    def new(partitions: int = 1, **config: str) -> str:
        name = f"tape_{secrets.token_hex(4)}"
        made.append(name)
        settings = {key.replace("_", "."): value for key, value in config.items()}
        admin.each("create_topics", [NewTopic(name, partitions, 1, config=settings)])
        admin.offsets({name: partitions})
        return name

    yield new
    admin.delete_topics(made)


@pytest.fixture(scope="module")
def new_name(admin: KafkaAdmin) -> Iterator[Callable[[], str]]:
    """Names of topics of an environment that is not there, for replays to make."""
    given: list[str] = []

    def new() -> str:
        given.append(f"te.sbx-t{secrets.token_hex(4)}.tape")
        return given[-1]

    yield new
    admin.delete_topics(given)


def delete_before(admin: KafkaAdmin, topic: str, offset: int) -> None:
    admin.each("delete_records", [TopicPartition(topic, 0, offset)])
