"""Reads a bounded part of a topic, batch by batch. Where a batch ends depends on the records alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from testenv.core.errors import Failed, Unavailable
from testenv.datasets.tapes.clients import IDLE_SECONDS
from testenv.datasets.tapes.form import BYTES, ROWS, to_batch

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import Consumer, Message

Row = tuple[int, int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]


def batches(consumer: Consumer, topic: str, partition: int, span: tuple[int, int]) -> Iterator[pa.RecordBatch]:
    """The committed records of a partition from `span[0]` to before `span[1]`, at most a batch of them in memory."""
    rows: list[Row] = []
    size = 0
    for row in read(consumer, topic, partition, span):
        rows.append(row)
        size += len(row[3] or b"") + len(row[4] or b"") + sum(len(value or b"") for _, value in row[5])
        if len(rows) >= ROWS or size >= BYTES:
            yield to_batch(rows)
            rows, size = [], 0
    if rows:
        yield to_batch(rows)


def read(consumer: Consumer, topic: str, partition: int, span: tuple[int, int]) -> Iterator[Row]:
    """Rows as `form.to_batch` takes them. Raises KafkaException, `Failed` and `Unavailable`."""
    from confluent_kafka import TopicPartition

    start, end = span
    if start >= end:
        return
    consumer.assign([TopicPartition(topic, partition, start)])
    deadline = time.monotonic() + IDLE_SECONDS
    while True:
        first = consumer.poll(1.0)  # `consume` alone would wait for as many as it is asked for
        messages = [] if first is None else [first, *consumer.consume(5000, timeout=0)]
        for message in messages:
            if message.error() and _ended(message, topic, partition):
                # Where it ends may be before `end` only if what was there is gone: a topic cut or made anew.
                if message.offset() < end:
                    raise Failed(
                        f"{topic}[{partition}] ends at offset {message.offset()}, it was said to have records up to "
                        f"{end}. The topic was changed while it was read: begin again"
                    )
                return
            if message.offset() >= end:
                return
            yield _row(message)
        if messages:
            deadline = time.monotonic() + IDLE_SECONDS
        elif time.monotonic() > deadline:
            raise Unavailable(
                f"{topic}[{partition}] gave no record for {IDLE_SECONDS} s, though it has some up to {end}"
            )


def _ended(message: Message, topic: str, partition: int) -> bool:
    """Whether the message says that the partition is read to its end. Raises for every other error."""
    from confluent_kafka import KafkaException

    error = message.error()
    if error.name() == "_AUTO_OFFSET_RESET":
        raise Failed(
            f"{topic}[{partition}] no longer has the offset to begin at: its retention has taken it. Begin again"
        )
    if error.name() != "_PARTITION_EOF":
        raise KafkaException(error)
    return True


def _row(message: Any) -> Row:
    kind, timestamp = message.timestamp()
    return (message.offset(), timestamp, kind, message.key(), message.value(), message.headers() or [])
