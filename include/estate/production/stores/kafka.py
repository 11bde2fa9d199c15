"""The topics."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from estate.production.feeds import KafkaRecord
from estate.production.settings import Settings
from estate.production.world import World

TOPICS = Path(__file__).parents[2] / "schema" / "topics.toml"
DEADLINE = 30.0
"""Seconds for any one thing the broker is asked."""

Client = dict[str, Any]


def fill(world: World, settings: Settings) -> dict[str, int]:
    """Make each topic hold exactly the world's records, in order; return how many.

    A topic that already does is left alone; any other is deleted and made anew, as records cannot be taken back.
    """
    client: Client = {**settings.kafka, "log_level": 3}
    admin = AdminClient(client)
    declared = tomllib.loads(TOPICS.read_text())
    there = admin.list_topics(timeout=DEADLINE).topics
    wrong = [
        topic
        for topic, records in world.topics.items()
        if topic not in there or not _holds(client, topic, declared[topic]["partitions"], records)
    ]
    _delete(admin, [topic for topic in wrong if topic in there])
    for topic in wrong:
        _create(admin, topic, declared[topic])
        _produce(client, topic, world.topics[topic])
    return {topic: len(records) for topic, records in world.topics.items()}


def _delete(admin: AdminClient, topics: list[str]) -> None:
    if not topics:
        return
    for deletion in admin.delete_topics(topics, operation_timeout=DEADLINE).values():
        deletion.result(DEADLINE)
    _wait_for("their deletion", topics, lambda: not {*topics} & admin.list_topics(timeout=DEADLINE).topics.keys())


def _create(admin: AdminClient, name: str, spec: dict[str, Any]) -> None:
    topic = NewTopic(name, num_partitions=spec["partitions"], replication_factor=-1, config=spec["config"])

    def created() -> bool:
        try:
            admin.create_topics([topic], operation_timeout=DEADLINE)[name].result(DEADLINE)
        except KafkaException as error:
            # A topic of this name that was just deleted may linger.
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise
        return True

    _wait_for("its creation", [name], created)


def _produce(client: Client, topic: str, records: Sequence[KafkaRecord]) -> None:
    failures: list[str] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error:
            failures.append(str(error))

    producer = Producer(
        {**client, "enable.idempotence": True, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    )
    for record in records:
        producer.produce(
            topic,
            key=record.key.encode(),
            value=record.value.encode() if isinstance(record.value, str) else record.value,
            partition=record.partition,
            timestamp=record.timestamp_ms,
            headers=[(name, value.encode()) for name, value in record.headers],
            on_delivery=delivered,
        )
        producer.poll(0)
    left = producer.flush(DEADLINE)
    if left or failures:
        raise RuntimeError(
            f"topic {topic}: {left} records not sent within {DEADLINE:.0f} s, {len(failures)} refused"
            f"{': ' + failures[0] if failures else ''}. Look at the broker's log, then fill again"
        )


def _holds(client: Client, topic: str, partitions: int, records: Sequence[KafkaRecord]) -> bool:
    with closing(
        Consumer({**client, "group.id": f"{client['sasl.username']}.fill", "enable.auto.commit": False})
    ) as consumer:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        ends = {each.partition: consumer.get_watermark_offsets(each, timeout=DEADLINE) for each in places}
        if sum(end - start for start, end in ends.values()) != len(records):
            return False
        consumer.assign([TopicPartition(topic, number, start) for number, (start, _end) in ends.items()])
        found = sorted(_read(consumer, len(records)), key=lambda record: record.partition)
    return found == sorted(map(_in_bytes, records), key=lambda record: record.partition)


def _read(consumer: Consumer, count: int) -> Iterator[KafkaRecord]:
    end = time.monotonic() + DEADLINE
    while count > 0 and time.monotonic() < end:
        for message in consumer.consume(min(count, 5000), timeout=1.0):
            if message.error():
                raise KafkaException(message.error())
            count -= 1
            yield _record(message)


def _record(message: Message) -> KafkaRecord:
    return KafkaRecord(
        message.partition(),
        message.timestamp()[1],
        message.key().decode(),
        message.value(),
        tuple((name, data.decode()) for name, data in message.headers() or ()),
    )


def _in_bytes(record: KafkaRecord) -> KafkaRecord:
    return replace(record, value=record.value.encode()) if isinstance(record.value, str) else record


def _wait_for(what: str, topics: Sequence[str], done: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(
                f"{', '.join(topics)}: {what} took over {DEADLINE:.0f} s; look at the broker's log, then fill again"
            )
        time.sleep(0.1)
