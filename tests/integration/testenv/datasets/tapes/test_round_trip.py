"""What was captured of production comes back in an environment's topic, exactly or from offset 0 on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from tests.integration.testenv.datasets.tapes.conftest import DAY, T0, NewTopicOf, Production, delete_before

from testenv.backends.kafka_admin import KafkaAdmin
from testenv.checks.diff import fingerprint
from testenv.checks.diff import topic as topic_table
from testenv.checks.places import places
from testenv.config import Config
from testenv.core.errors import Conflict, Drifted, Failed, Invalid, InvalidName, NotFound
from testenv.datasets.tapes.capture import Span, capture, record_tape, segment
from testenv.datasets.tapes.form import About, Tape, open_tape, to_rows
from testenv.datasets.tapes.oracle import verify
from testenv.datasets.tapes.replay import commit_group, replay
from testenv.datasets.tapes.stored import fetch, seal
from testenv.datasets.tapes.variants import Kind, make

SNAPSHOT = datetime(2026, 1, 1, tzinfo=UTC)
NewName = Callable[[], str]


class Unmasked:
    """For records that have nothing to mask."""

    about = About()

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch


@pytest.fixture(scope="module")
def topic(production: Production, new_topic: NewTopicOf, admin: KafkaAdmin) -> str:
    """Every oddity: four partitions, of which 0 has gaps of all kinds, 1 odd records, 2 nothing, 3 lost all it had."""
    name = new_topic(4, max_message_bytes="2000000", retention_ms="-1")
    plain = [{"key": b"k%d" % n, "value": b"v%d" % n, "timestamp": T0 + n} for n in range(5)]
    production.produce(name, plain)
    delete_before(admin, name, 3)  # the log starts at 3
    production.transaction(name, [{"key": b"t", "value": b"committed"}])  # a gap of 1 after it
    production.transaction(name, [{"value": b"x"}] * 3, commit=False)  # a gap of 4
    production.transaction(name, [{"value": b"one"}, {"value": b"two"}])
    production.produce(name, plain[:1])
    production.transaction(name, [{"value": b"x"}], commit=False)  # a gap of 2 at the end
    odd = [
        {"key": b"tombstone", "value": None},
        {"key": None, "value": b"no key"},
        {"key": None, "value": None},
        {"key": b"", "value": b""},
        {"key": b"\x00\xff", "value": b"\xff\xfe\x00"},
        {"value": b"headers", "headers": [("a", b"1"), ("a", b"2"), ("none", None), ("empty", b""), ("", b"x")]},
        {"value": b"a large header", "headers": [("large", b"h" * 300_000)]},
        {"value": b"a large value" * 70_000},
        {"value": b"later", "timestamp": T0 + DAY},
        {"value": b"equal", "timestamp": T0 + DAY},
        {"value": b"decreasing", "timestamp": T0 - 30 * DAY},
        {"value": b"early", "timestamp": 1},
    ]
    production.produce(name, [{**record, "partition": 1} for record in odd], **{"message.max.bytes": 2_000_000})
    production.produce(name, [{"partition": 3, "value": b"gone"}] * 2)
    from confluent_kafka import TopicPartition

    admin.each("delete_records", [TopicPartition(name, 3, 2)])
    return name


@pytest.fixture(scope="module")
def tape(production: Production, topic: str, tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return record_tape(production.source, topic, tmp_path_factory.mktemp("tape"), Unmasked(), snapshot=SNAPSHOT)


class TestCapture:
    def test_the_manifest_tells_segments_gaps_and_configuration(self, tape: Tape, topic: str) -> None:
        first, second, third, fourth = tape.manifest.partitions
        assert tape.manifest.topic == topic
        assert tape.manifest.config == {"max.message.bytes": "2000000", "retention.ms": "-1"}
        assert (first.start, first.end) == (3, 17)
        assert [(gap.offset, gap.length) for gap in first.gaps] == [(6, 5), (13, 1), (15, 2)]
        assert (second.start, second.end, second.records, second.gaps) == (0, 12, 12, ())
        assert second.tombstones == 2
        assert (third.start, third.end, third.records) == (0, 0, 0)
        assert (fourth.start, fourth.end, fourth.records) == (2, 2, 0)

    def test_it_reads_what_is_committed_alone(self, tape: Tape) -> None:
        values = [row[4] for batch in tape.batches(0) for row in to_rows(batch)]
        assert values == [b"v3", b"v4", b"committed", b"one", b"two", b"v0"]

    def test_the_same_segment_gives_the_same_bytes(
        self, production: Production, topic: str, tape: Tape, tmp_path: Path
    ) -> None:
        again = record_tape(production.source, topic, tmp_path / "again", Unmasked(), snapshot=SNAPSHOT)
        for path in tape.folder.iterdir():
            assert path.read_bytes() == (again.folder / path.name).read_bytes(), path.name

    def test_it_ends_before_a_transaction_that_is_open(self, production: Production, new_topic: NewTopicOf) -> None:
        name = new_topic()
        production.produce(name, [{"value": b"done"}])
        producer = production.producer(**{"transactional.id": name})
        producer.init_transactions(20)
        producer.begin_transaction()
        producer.produce(name, b"open", partition=0, timestamp=T0)
        producer.flush(20)
        try:
            assert segment(production.source, name).spans == ((0, 1),)
        finally:
            producer.abort_transaction(20)

    def test_a_range_of_time(self, production: Production, new_topic: NewTopicOf) -> None:
        name = new_topic()
        production.produce(name, [{"value": b"%d" % n, "timestamp": T0 + n * 1000} for n in range(10)])
        since, until = (datetime.fromtimestamp(T0 / 1000 + n, UTC) for n in (2, 5))
        got = [
            row[4]
            for _, batch in capture(production.source, name, Unmasked(), Span(since, until))
            for row in to_rows(batch)
        ]
        assert got == [b"2", b"3", b"4"]
        late = datetime(2100, 1, 1, tzinfo=UTC)
        assert segment(production.source, name, Span(since=late)).spans == ((10, 10),)

    def test_what_comes_after_its_beginning_is_not_in_it(self, production: Production, new_topic: NewTopicOf) -> None:
        name = new_topic()
        production.produce(name, [{"value": b"before"}])
        part = segment(production.source, name)
        production.produce(name, [{"value": b"after"}])
        from testenv.datasets.tapes.capture import capture_partition

        assert [len(batch) for batch in capture_partition(production.source, part, 0, Unmasked())] == [1]

    def test_it_leaves_no_consumer_group(self, admin: KafkaAdmin, production: Production, tape: Tape) -> None:
        groups = {group.group_id for group in admin.call("list_consumer_groups").valid}
        assert not any(group.startswith(production.source.user + ".tapes") for group in groups)

    def test_an_unknown_topic_is_told(self, production: Production) -> None:
        with pytest.raises(NotFound, match="no topic nowhere"):
            segment(production.source, "nowhere")

    def test_a_mask_that_touches_offsets_is_refused(self, production: Production, topic: str) -> None:
        with pytest.raises(Failed, match="number of rows"):
            list(capture(production.source, topic, lambda batch: batch.slice(1)))

    def test_nothing_of_a_capture_that_fails_is_a_tape(
        self, production: Production, topic: str, tmp_path: Path
    ) -> None:
        class Fails(Unmasked):
            def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
                raise Failed("no key")

        with pytest.raises(Failed, match="no key"):
            record_tape(production.source, topic, tmp_path / "t", Fails(), snapshot=SNAPSHOT)
        with pytest.raises(Invalid, match="holds no tape"):
            open_tape(tmp_path / "t")


class TestReplay:
    def test_exact(self, config: Config, admin: KafkaAdmin, tape: Tape, new_name: NewName) -> None:
        name = new_name()
        assert replay(config.kafka, name, tape, exact=True) == tape.manifest.records == 18
        assert verify(config.kafka, name, tape, exact=True) == 18
        ends = admin.offsets({name: 4})[name]
        assert ends == {part.number: (part.start, part.end) for part in tape.manifest.partitions}

    def test_rebased(self, config: Config, admin: KafkaAdmin, tape: Tape, new_name: NewName) -> None:
        name = new_name()
        assert replay(config.kafka, name, tape, exact=False) == 18
        assert verify(config.kafka, name, tape, exact=False) == 18
        assert admin.offsets({name: 4})[name] == {0: (0, 6), 1: (0, 12), 2: (0, 0), 3: (0, 0)}

    def test_the_oracle_tells_the_first_record_that_differs(
        self, config: Config, production: Production, tape: Tape, new_name: NewName
    ) -> None:
        name = new_name()
        replay(config.kafka, name, tape, exact=False)
        with pytest.raises(Drifted, match=r"\[0\]: the record at offset 3 differs in offset, headers"):
            verify(config.kafka, name, tape, exact=True)
        production.produce(name, [{"partition": 2, "value": b"more"}])
        with pytest.raises(Drifted, match=r"\[2\]: the record at offset 0 is more than the tape has"):
            verify(config.kafka, name, tape, exact=False)

    def test_a_topic_that_had_records_is_refused(self, config: Config, tape: Tape, new_name: NewName) -> None:
        name = new_name()
        replay(config.kafka, name, tape, exact=False)
        with pytest.raises(Conflict, match="delete the topic"):
            replay(config.kafka, name, tape, exact=True)

    def test_a_topic_of_production_is_refused(self, config: Config, tape: Tape, topic: str) -> None:
        with pytest.raises(InvalidName, match="belongs to no test environment"):
            replay(config.kafka, topic, tape, exact=True)

    def test_a_group_goes_on_where_it_is_told(
        self, config: Config, admin: KafkaAdmin, tape: Tape, new_name: NewName
    ) -> None:
        from confluent_kafka import ConsumerGroupTopicPartitions

        name = new_name()
        replay(config.kafka, name, tape, exact=True)
        group = f"{name}.reader"
        commit_group(config.kafka, group, name, {0: 11, 1: 4})
        [found] = admin.each("list_consumer_group_offsets", [ConsumerGroupTopicPartitions(group)]).values()
        assert {p.partition: p.offset for p in found.topic_partitions} == {0: 11, 1: 4}
        admin.each("delete_consumer_groups", [group])


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("kind", [*Kind])
def test_a_variant_of_every_oddity_is_a_tape_that_the_oracle_proves(
    config: Config, tape: Tape, new_name: NewName, tmp_path: Path, kind: Kind, exact: bool
) -> None:
    name, found = new_name(), make(kind, tape, tmp_path / "variant", seed=11, share=0.4)
    records = found.tape.manifest.records
    assert records == 18 + (sum(map(len, found.changed.values())) if kind is Kind.DUPLICATED else 0)
    assert replay(config.kafka, name, found.tape, exact) == verify(config.kafka, name, found.tape, exact) == records
    with pytest.raises(Drifted):
        verify(config.kafka, name, tape, exact)


def test_a_topic_as_a_table_has_what_the_tape_has(config: Config, tape: Tape, new_name: NewName) -> None:
    """What is aborted, and markers, are no rows of it; what comes later is not of it."""
    name = new_name()
    replay(config.kafka, name, tape, exact=True)
    table = topic_table(config.kafka, name)
    assert fingerprint(table).rows == 18
    assert places(table) == {
        (part.number, row[0])
        for part in tape.manifest.partitions
        for batch in tape.batches(part.number)
        for row in to_rows(batch)
    }


class TestSeal:
    def test_a_tape_goes_to_s3_and_comes_back(self, config: Config, tape: Tape, tmp_path: Path) -> None:
        from testenv.backends.aws import client

        prefix = f"datasets/test-{tape.manifest.topic}/ci/tapes/{tape.manifest.topic}/"
        s3 = client("s3", config)
        try:
            seal(config, tape, prefix)
            seal(config, tape, prefix)
            found = fetch(config, prefix, tmp_path / "back")
            assert found.manifest == tape.manifest
            assert list(found.batches(1)) == list(tape.batches(1))
            s3.put_object(Bucket=config.bucket, Key=f"{prefix}1.parquet", Body=b"other")
            with pytest.raises(Failed, match="was changed"):
                fetch(config, prefix, tmp_path / "changed")
        finally:
            for entry in s3.list_objects_v2(Bucket=config.bucket, Prefix=prefix).get("Contents", []):
                s3.delete_object(Bucket=config.bucket, Key=entry["Key"])

    def test_what_has_no_manifest_is_no_tape(self, config: Config, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="no tape is sealed"):
            fetch(config, "datasets/test-none/ci/tapes/none/", tmp_path)
