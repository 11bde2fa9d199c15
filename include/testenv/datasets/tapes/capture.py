"""Captures a bounded segment of a topic of production. What is not masked is nowhere but in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from testenv.backends.errors import kafka_errors
from testenv.config import KafkaConfig
from testenv.core.errors import Failed, Invalid
from testenv.datasets.tapes import clients
from testenv.datasets.tapes.form import About, Manifest, Tape, schema, write_manifest, write_partition
from testenv.datasets.tapes.reading import batches

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import Consumer

    MaskFunction = Callable[[pa.RecordBatch], pa.RecordBatch]


class Mask(Protocol):
    """Masks keys, values and headers of a batch, and can say afterwards what it did."""

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch: ...

    @property
    def about(self) -> About: ...


class AsItIs:
    """No mask: for records that tell of no person, such as the registry's own."""

    about = About()

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch:
        return batch


@dataclass(frozen=True)
class Span:
    """What of a topic to capture, by the records' timestamps: from `since` to before `until`. Empty: all there is.

    In each partition the segment begins at the first record that is not older than `since` and ends before the first
    that is not older than `until`, as Kafka finds offsets for times; records out of order may fall on the other side.
    Of these, the last `newest` offsets at most; gaps count.
    """

    since: datetime | None = None
    until: datetime | None = None
    newest: int | None = None

    def __post_init__(self) -> None:
        for name, at in (("since", self.since), ("until", self.until)):
            if at is not None and at.tzinfo is None:
                raise Invalid(f"{name}: must be a time with a time zone, got {at.isoformat()}")
        if self.newest is not None and self.newest < 1:
            raise Invalid(f"newest: must be 1 record or more, got {self.newest}")


ALL = Span()


@dataclass(frozen=True)
class Segment:
    """A bounded part of a topic: for each partition the first offset and the one after the last."""

    topic: str
    config: dict[str, str]
    spans: tuple[tuple[int, int], ...]


@kafka_errors()
def segment(source: KafkaConfig, topic: str, span: Span = ALL) -> Segment:
    """Where a capture that begins now starts and ends. Raises `NotFound`, and what Kafka's errors are translated to.

    It ends at the last stable offset: what is in a transaction that is still open is not of the segment.
    """
    admin = clients.admin(source)
    count = clients.partitions_of(admin, topic)
    with clients.consumer(source) as consumer:
        spans = tuple(_span(consumer, topic, number, span) for number in range(count))
    return Segment(topic, clients.own_config(admin, topic), spans)


def _span(consumer: Consumer, topic: str, partition: int, span: Span) -> tuple[int, int]:
    from confluent_kafka import TopicPartition

    low, high = clients.ends(consumer, topic, partition)

    def first_at(at: datetime | None, otherwise: int) -> int:
        if at is None:
            return otherwise
        asked = [TopicPartition(topic, partition, int(at.timestamp() * 1000))]
        [found] = consumer.offsets_for_times(asked, timeout=clients.SECONDS)
        return min(int(found.offset), high) if found.offset >= 0 else high

    start = first_at(span.since, low)
    end = max(start, first_at(span.until, high))
    return (start if span.newest is None else max(start, end - span.newest)), end


def capture(
    source: KafkaConfig, topic: str, mask: MaskFunction, span: Span = ALL
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Partition and masked batch, partition after partition, in the order of offsets."""
    part = segment(source, topic, span)
    for number in range(len(part.spans)):
        for batch in capture_partition(source, part, number, mask):
            yield number, batch


def capture_partition(source: KafkaConfig, part: Segment, number: int, mask: MaskFunction) -> Iterator[pa.RecordBatch]:
    """Masked batches of one partition of a segment."""
    with kafka_errors(), clients.consumer(source) as consumer:
        for batch in batches(consumer, part.topic, number, part.spans[number]):
            yield _masked(batch, mask)


def read_segment(source: KafkaConfig, part: Segment) -> Iterator[pa.RecordBatch]:
    """The records of a segment as they are in production, partition after partition. They must stay in memory."""
    for number in range(len(part.spans)):
        yield from capture_partition(source, part, number, AsItIs())


def _masked(batch: pa.RecordBatch, mask: MaskFunction) -> pa.RecordBatch:
    """Raises `Failed` if the mask changed what it has no business with."""
    masked = mask(batch)
    if not masked.schema.equals(schema()):
        raise Failed("the mask gave back other columns than it got. It must change key, value and headers alone")
    for name in ("offset", "timestamp", "timestamp_type"):
        if not masked.column(name).equals(batch.column(name)):
            raise Failed(f"the mask changed {name}, or the number of rows. It must change key, value and headers alone")
    return masked


def record_tape(
    source: KafkaConfig, topic: str, folder: Path, mask: Mask, *, snapshot: datetime, part: Segment | None = None
) -> Tape:
    """Capture a segment into `folder`, which must be empty or missing; the manifest comes last.

    `snapshot` is the time that the dataset version is of; `part` what to capture, if not all there is. Raises
    `Invalid` for a folder that holds something.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Invalid(f"{folder} is not empty. A tape has a folder of its own: empty it, or give another")
    part = part or segment(source, topic)
    partitions = tuple(
        write_partition(folder, number, bounds, capture_partition(source, part, number, mask))
        for number, bounds in enumerate(part.spans)
    )
    manifest = Manifest(topic=topic, config=part.config, snapshot=snapshot, partitions=partitions, about=mask.about)
    write_manifest(folder, manifest)
    return Tape(manifest, folder)
