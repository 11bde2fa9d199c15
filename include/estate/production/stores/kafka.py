"""The topic of card events."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from estate.production.feeds import CARD_EVENT_PARTITIONS, KafkaRecord
from estate.production.settings import Settings
from estate.production.world import World

TOPICS = Path(__file__).parents[2] / "schema" / "topics.toml"
TOPIC = "card_events"
DEADLINE = 30.0
"""Seconds for any one thing the broker is asked."""

Client = dict[str, Any]


def fill(world: World, settings: Settings) -> dict[str, int]:
    """Make the topic hold exactly the world's records, in order; return how many.

    A topic that already does is left alone; any other is deleted and made anew, as records cannot be taken back.
    """
    client: Client = {**settings.kafka, "log_level": 3}
    admin = AdminClient(client)
    if TOPIC in admin.list_topics(timeout=DEADLINE).topics:
        if _holds(client, world.card_events):
            return {TOPIC: len(world.card_events)}
        admin.delete_topics([TOPIC], operation_timeout=DEADLINE)[TOPIC].result(DEADLINE)
        _wait_for("its deletion", lambda: TOPIC not in admin.list_topics(timeout=DEADLINE).topics)
    _create(admin)
    _produce(client, world.card_events)
    return {TOPIC: len(world.card_events)}


def _create(admin: AdminClient) -> None:
    spec = tomllib.loads(TOPICS.read_text())[TOPIC]
    topic = NewTopic(TOPIC, num_partitions=spec["partitions"], replication_factor=-1, config=spec["config"])

    def created() -> bool:
        try:
            admin.create_topics([topic], operation_timeout=DEADLINE)[TOPIC].result(DEADLINE)
        except KafkaException as error:
            # A topic of this name that was just deleted may linger.
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise
        return True

    _wait_for("its creation", created)


def _produce(client: Client, records: Sequence[KafkaRecord]) -> None:
    failures: list[str] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error:
            failures.append(str(error))

    producer = Producer(
        {**client, "enable.idempotence": True, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    )
    for record in records:
        producer.produce(
            TOPIC,
            key=record.key.encode(),
            value=None if record.value is None else record.value.encode(),
            partition=record.partition,
            timestamp=record.timestamp_ms,
            headers=[(name, value.encode()) for name, value in record.headers],
            on_delivery=delivered,
        )
        producer.poll(0)
    left = producer.flush(DEADLINE)
    if left or failures:
        raise RuntimeError(
            f"topic {TOPIC}: {left} records not sent within {DEADLINE:.0f} s, {len(failures)} refused"
            f"{': ' + failures[0] if failures else ''}. Look at the broker's log, then fill again"
        )


def _holds(client: Client, records: Sequence[KafkaRecord]) -> bool:
    with closing(
        Consumer({**client, "group.id": f"{client['sasl.username']}.fill", "enable.auto.commit": False})
    ) as consumer:
        partitions = [TopicPartition(TOPIC, number) for number in range(CARD_EVENT_PARTITIONS)]
        ends = {each.partition: consumer.get_watermark_offsets(each, timeout=DEADLINE) for each in partitions}
        if sum(end - start for start, end in ends.values()) != len(records):
            return False
        consumer.assign([TopicPartition(TOPIC, number, start) for number, (start, _end) in ends.items()])
        found = sorted(_read(consumer, len(records)), key=lambda record: record.partition)
    return found == sorted(records, key=lambda record: record.partition)


def _read(consumer: Consumer, count: int) -> Iterator[KafkaRecord]:
    end = time.monotonic() + DEADLINE
    while count > 0 and time.monotonic() < end:
        for message in consumer.consume(min(count, 5000), timeout=1.0):
            if message.error():
                raise KafkaException(message.error())
            count -= 1
            yield _record(message)


def _record(message: Message) -> KafkaRecord:
    value = message.value()
    return KafkaRecord(
        message.partition(),
        message.timestamp()[1],
        message.key().decode(),
        None if value is None else value.decode(),
        tuple((name, data.decode()) for name, data in message.headers() or ()),
    )


def _wait_for(what: str, done: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"topic {TOPIC}: {what} took more than {DEADLINE:.0f} s; look at the broker's log")
        time.sleep(0.1)
