"""The card events job on the seed's Kafka records: what it writes, and that a crash and a restart change nothing."""

from __future__ import annotations

import base64
import json
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from tests.integration.estate.conftest import ESTATE, SPARK, SparkSubmit

DRAIN = Path(__file__).with_name("drain_files.py")
SEED = ESTATE / "seed" / "kafka" / "card_events.jsonl"
BATCHES = 2

Row = dict[str, Any]


def b64(text: str | None) -> str | None:
    return None if text is None else base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seed's records with offsets, as files of which each becomes a micro-batch."""
    ends: dict[int, int] = defaultdict(int)
    lines = []
    for record in map(json.loads, SEED.read_text().splitlines()):
        at = datetime.fromtimestamp(record["timestamp_ms"] / 1000, UTC)
        row = {
            "key": b64(record["key"]),
            "value": b64(record["value"]),
            "topic": "card_events",
            "partition": record["partition"],
            "offset": ends[record["partition"]],
            "timestamp": at.isoformat(timespec="milliseconds"),
            "headers": [{"key": name, "value": b64(value)} for name, value in record["headers"]],
        }
        ends[record["partition"]] += 1
        lines.append(json.dumps(row))
    folder = tmp_path_factory.mktemp("records")
    for batch in range(BATCHES):
        (folder / f"{batch}.json").write_text("\n".join(lines[batch::BATCHES]))
    return folder


@pytest.fixture(scope="module")
def uninterrupted(spark_submit: SparkSubmit, records: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that drained everything in one run, and then drained again."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    spark_submit(DRAIN, *arguments(records, folder))
    return folder


def arguments(records: Path, folder: Path) -> list[str]:
    return [f"file://{path}" for path in (records, *(folder / name for name in ("checkpoint", "events", "quarantine")))]


def events(folder: Path) -> dict[tuple[int, int], Row]:
    files = sorted(str(file) for file in (folder / "events").glob("batch=*/*.parquet"))
    rows = ds.dataset(files).to_table().to_pylist()
    found = {(row["kafka_partition"], row["kafka_offset"]): row for row in rows}
    assert len(found) == len(rows), "a record was written twice"
    return found


def rejected(folder: Path) -> dict[tuple[int, int], str]:
    lines = [line for file in (folder / "quarantine").glob("batch=*/*.json") for line in file.read_text().splitlines()]
    return {(row["kafka_partition"], row["kafka_offset"]): row["reason"] for row in map(json.loads, lines)}


def test_every_record_is_an_event_or_in_quarantine(uninterrupted: Path) -> None:
    assert len(events(uninterrupted)) == 15
    assert rejected(uninterrupted) == {
        (0, 4): "not JSON, or of other types",
        (1, 3): "type is missing",
        (2, 3): "event_id is missing",
    }


def test_fields_headers_and_places_become_columns(uninterrupted: Path) -> None:
    found = events(uninterrupted)
    assert found[2, 1] == {
        "kafka_partition": 2,
        "kafka_offset": 1,
        "kafka_timestamp": datetime(2026, 1, 2, 11, 0),
        "card_id": 7,
        "is_tombstone": False,
        "event_id": "evt-0013",
        "event_type": "authorization",
        "occurred_at": datetime(2026, 1, 2, 11, 0),
        "amount": Decimal("-1499.95"),
        "currency": "DKK",
        "merchant_id": 5,
        "merchant_country": "FI",
        "ip_address": "203.0.113.7",
        "note": "sign is the terminal's",
        "trace_id": f"{13:032x}",
    }
    assert found[1, 4]["occurred_at"] == datetime(2026, 1, 2, 22, 59, 59, 999000), "an offset of one hour, in UTC"
    assert found[0, 5]["amount"] == Decimal("9999999999999999.99")
    assert (found[0, 5]["trace_id"], found[0, 3]["trace_id"]) == ("last", None)
    assert (found[0, 1]["note"], found[1, 2]["note"]) == ("", None)


def test_a_tombstone_is_kept_with_its_key_alone(uninterrupted: Path) -> None:
    row = events(uninterrupted)[0, 6]
    assert {name: value for name, value in row.items() if value is not None} == {
        "kafka_partition": 0,
        "kafka_offset": 6,
        "kafka_timestamp": datetime(2026, 1, 2, 12, 0, 1),
        "card_id": 4,
        "is_tombstone": True,
    }


def test_a_second_drain_finds_nothing_new(uninterrupted: Path) -> None:
    batches = sorted(path.name for path in (uninterrupted / "events").glob("*"))
    assert batches == [f"batch={number:09d}" for number in range(BATCHES)]


@pytest.mark.long
def test_a_crash_before_the_commit_and_a_restart_leave_what_one_run_leaves(
    spark_submit: SparkSubmit, records: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    """The batch that was written and not committed is written again, in place of the first."""
    died = spark_submit(DRAIN, *arguments(records, tmp_path), "1", check=False)
    assert died.returncode != 0
    written, committed = (
        sorted(path.name for path in (tmp_path / name).glob("*")) for name in ("events", "checkpoint/commits")
    )
    assert written[-1] == "batch=000000001" and "0" in committed and "1" not in committed
    spark_submit(DRAIN, *arguments(records, tmp_path))
    assert events(tmp_path) == events(uninterrupted)
    assert rejected(tmp_path) == rejected(uninterrupted)


def test_the_kafka_login_is_passed_on_in_java_s_words() -> None:
    """The job's module needs pyspark, so the functions are asked in Spark's own Python."""
    config = {
        "bootstrap.servers": "broker:9096",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "te-ci-x",
        "sasl.password": 'a"b\\c',
        "ssl.ca.location": "/etc/ca.pem",
        "group.id": "te.ci-x.any",
    }
    program = "import json, sys, card_events; print(json.dumps(card_events.kafka_options(json.load(sys.stdin))))"
    done = subprocess.run(
        [SPARK / "bin" / "python", "-c", program],
        input=json.dumps(config),
        env={"PYTHONPATH": str(ESTATE / "spark")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {
        "kafka.bootstrap.servers": "broker:9096",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "SCRAM-SHA-512",
        "kafka.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="te-ci-x" password="a\\"b\\\\c";',
        "kafka.ssl.truststore.location": "/etc/ca.pem",
        "kafka.ssl.truststore.type": "PEM",
    }
