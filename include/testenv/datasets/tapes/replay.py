"""Fills an environment's topic from a tape, exactly or from offset 0 on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

from testenv.backends.errors import kafka_errors, of_kafka
from testenv.backends.kafka_admin import KafkaAdmin
from testenv.backends.waiting import wait_until
from testenv.config import KafkaConfig
from testenv.core.errors import Conflict, Failed, Invalid, Unavailable
from testenv.core.naming import require_owned
from testenv.datasets.tapes import clients
from testenv.datasets.tapes.form import Manifest, Tape, to_rows
from testenv.datasets.tapes.plan import PartitionPlan, Stretch, plan
from testenv.datasets.tapes.reading import Row

if TYPE_CHECKING:
    from confluent_kafka import Producer

OFFSET_HEADER = "testenv.offset"
"""Header of a rebased record that says, in decimal digits, which offset it had."""

FORCED = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "CreateTime",
}
"""What a replayed topic must have: nothing may be compacted or expire, and old timestamps stay."""

KEPT = ("compression.type", "max.message.bytes")
"""What of production's configuration is taken over. The rest is about its brokers, or about when records go."""

FILLER = b"testenv.filler"


def replay_config(manifest: Manifest) -> dict[str, str]:
    """The configuration of a topic that the tape is replayed into."""
    return {**{name: manifest.config[name] for name in KEPT if name in manifest.config}, **FORCED}


@kafka_errors()
def replay(config: KafkaConfig, topic: str, tape: Tape, exact: bool) -> int:
    """Write a tape into `topic`, which is made if it is not there; returns how many records.

    Exact: the same offsets too, as one sees them who reads what is committed. Rebased: from offset 0 in their order,
    the offset each had in the header `testenv.offset`.
    Raises `InvalidName` for a topic of no environment, `Conflict` for one that is not empty or not fit for the tape,
    and `Failed` if an offset is not as planned. After a failure the topic must be deleted before another try.
    """
    require_owned(topic)
    admin = clients.admin(config)
    _prepare(admin, topic, tape.manifest)
    if exact:
        _Exact(config, admin, topic, tape).run()
    else:
        _rebased(config, topic, tape)
        ends = {part.number: part.records for part in tape.manifest.partitions}
        _await_ends(admin, topic, ends)
    return tape.manifest.records


@kafka_errors()
def commit_group(config: KafkaConfig, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Let a consumer group without members go on at `offsets`, partition → offset. Raises `Busy` if it has members."""
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    require_owned(group)
    positions = [TopicPartition(topic, number, offset) for number, offset in sorted(offsets.items())]
    results = clients.admin(config).each(
        "alter_consumer_group_offsets", [ConsumerGroupTopicPartitions(group, positions)]
    )
    for result in results.values():
        for position in result.topic_partitions:
            if position.error:
                raise of_kafka(position.error)


def _prepare(admin: KafkaAdmin, topic: str, manifest: Manifest) -> None:
    count, there = len(manifest.partitions), admin.topics().get(topic)
    if there is None:
        _create(admin, topic, count, replay_config(manifest))
        return
    if there != count:
        raise Conflict(f"{topic} has {there} partitions, its tape {count}. Delete the topic, then replay")
    if any(ends != (0, 0) for ends in admin.offsets({topic: count})[topic].values()):
        raise Conflict(f"{topic} had records before. Offsets cannot begin anew: delete the topic, then replay")
    found = _effective(admin, topic)
    if wrong := {name: found.get(name) for name, value in FORCED.items() if found.get(name) != value}:
        raise Conflict(f"{topic} is configured with {wrong}, a tape needs {FORCED}. Delete the topic, then replay")


def _create(admin: KafkaAdmin, topic: str, partitions: int, config: dict[str, str]) -> None:
    from confluent_kafka.admin import NewTopic

    admin.each("create_topics", [NewTopic(topic, num_partitions=partitions, replication_factor=-1, config=config)])
    wait_until(lambda: admin.topics().get(topic) == partitions, f"the topic {topic} is there", seconds=clients.SECONDS)


def _effective(admin: KafkaAdmin, topic: str) -> dict[str, str]:
    from confluent_kafka.admin import ConfigResource, ResourceType

    [described] = admin.each("describe_configs", [ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {entry.name: entry.value for entry in described.values()}


def _await_ends(admin: KafkaAdmin, topic: str, ends: Mapping[int, int]) -> None:
    """Wait until each partition ends where it must: a transaction's marker comes after its end is acknowledged."""

    def there() -> bool:
        found = admin.offsets({topic: max(ends) + 1})[topic]
        for number, end in ends.items():
            if found[number][1] > end:
                raise Failed(
                    f"{topic}[{number}] ends at offset {found[number][1]} where the tape has {end}: someone else "
                    "writes there. Delete the topic, then replay"
                )
        return all(found[number][1] == end for number, end in ends.items())

    if ends:
        wait_until(there, f"the partitions of {topic} end where the tape says", seconds=clients.SECONDS)


def _rebased(config: KafkaConfig, topic: str, tape: Tape) -> None:
    sender = _Sender(config, topic)
    for partition in tape.manifest.partitions:
        sender.send(partition.number, (_with_offset(row) for row in _rows(tape, partition.number)))
    sender.flush()


def _with_offset(row: Row) -> Row:
    return (*row[:5], [*row[5], (OFFSET_HEADER, b"%d" % row[0])])


def _rows(tape: Tape, partition: int) -> Iterator[Row]:
    for batch in tape.batches(partition):
        yield from to_rows(batch)


class _Sender:
    """Sends rows in their order. One that is transactional sends them in the transaction that is open."""

    def __init__(self, config: KafkaConfig, topic: str, transactional_id: str = "") -> None:
        self._topic = topic
        self._failures: list[Any] = []
        self.producer: Producer = clients.producer(config, self._failures, transactional_id)
        if transactional_id:
            self.producer.init_transactions(clients.SECONDS)

    def send(self, partition: int, rows: Iterable[Row]) -> None:
        produce, topic = self.producer.produce, self._topic
        for count, (_offset, timestamp, _kind, key, value, headers) in enumerate(rows):
            if timestamp <= 0:  # librdkafka takes 0 for now
                raise Invalid(
                    f"a record of {topic}[{partition}] has the timestamp {timestamp}, which no client can write. "
                    "Leave it out of the segment"
                )
            while True:
                try:
                    produce(topic, value, key, partition, timestamp=timestamp, headers=headers)
                    break
                except BufferError:  # the queue is full: wait until some are acknowledged
                    self.producer.poll(0.05)
            if count % 4096 == 0:
                self.producer.poll(0)
                self._check()

    def fill(self, partition: int, count: int) -> None:
        """Records that nobody shall read. They have a key, which a compacted topic demands."""
        left = count
        while left:
            if len(self.producer) > clients.QUEUE // 2:
                self.producer.poll(0.05)
                continue
            size = min(left, clients.QUEUE // 4)
            sent = self.producer.produce_batch(self._topic, [{"key": FILLER} for _ in range(size)], partition=partition)
            if sent != size:
                raise Failed(
                    f"{size - sent} of {size} fillers of {self._topic}[{partition}] found no place in the queue"
                )
            left -= size
            self._check()

    def flush(self) -> None:
        left = self.producer.flush(clients.DELIVERY_SECONDS + clients.SECONDS)
        self._check()
        if left:
            raise Unavailable(f"Kafka has not acknowledged {left} records of {self._topic}")

    def _check(self) -> None:
        if self._failures:
            raise of_kafka(self._failures[0])


class _Exact:
    """One exact replay: round by round, in each the next stretch of every partition."""

    def __init__(self, config: KafkaConfig, admin: KafkaAdmin, topic: str, tape: Tape) -> None:
        self._admin = admin
        self._topic = topic
        self._plans: dict[int, PartitionPlan] = {part.number: plan(part) for part in tape.manifest.partitions}
        self._rows = {number: _rows(tape, number) for number in self._plans}
        self._ends = dict.fromkeys(self._plans, 0)
        self._plain = _Sender(config, topic)
        gaps = any(stretch.gap for each in self._plans.values() for stretch in each.stretches)
        self._transactional = _Sender(config, topic, f"{topic}.replay") if gaps else self._plain

    def run(self) -> None:
        rounds = zip_longest(*(each.stretches for each in self._plans.values()))
        for stretches in rounds:
            self._round({n: s for n, s in zip(self._plans, stretches, strict=True) if s is not None})
        self._plain.flush()
        _await_ends(self._admin, self._topic, self._ends)
        self._delete_fill()

    def _round(self, stretches: dict[int, Stretch]) -> None:
        gaps = {number: stretch for number, stretch in stretches.items() if stretch.gap}
        for number, stretch in stretches.items():
            sizes = stretch.fill + stretch.run - stretch.committed
            fill = min(stretch.fill, sizes)
            self._write(self._plain, number, fill, sizes - fill)
            self._ends[number] += stretch.length
        if not gaps:
            return
        self._plain.flush()
        committed = {number: stretch for number, stretch in gaps.items() if stretch.committed}
        aborted = {number: stretch for number, stretch in gaps.items() if stretch.aborted}
        producer = self._transactional.producer
        if committed:
            producer.begin_transaction()
            for number, stretch in committed.items():
                run = min(stretch.committed, stretch.run)
                self._write(self._transactional, number, stretch.committed - run, run)
            producer.commit_transaction(clients.DELIVERY_SECONDS)
        if aborted:
            producer.begin_transaction()
            for number, stretch in aborted.items():
                self._transactional.fill(number, stretch.aborted)
            self._transactional.flush()  # aborting throws away what is not sent yet
            producer.abort_transaction(clients.DELIVERY_SECONDS)
        _await_ends(self._admin, self._topic, {number: self._ends[number] for number in gaps})

    def _write(self, sender: _Sender, number: int, fill: int, run: int) -> None:
        sender.fill(number, fill)
        if run:
            sender.send(number, islice(self._rows[number], run))

    def _delete_fill(self) -> None:
        from confluent_kafka import TopicPartition

        firsts = [TopicPartition(self._topic, number, each.first) for number, each in self._plans.items() if each.first]
        if firsts:
            self._admin.each("delete_records", firsts)
