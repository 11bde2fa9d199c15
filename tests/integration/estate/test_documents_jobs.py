"""The jobs that bring feeds and topics to the lake as documents, run on the seed."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from tests.integration.estate.conftest import ESTATE, SparkSubmit

from estate.registry import registered

DRAIN = Path(__file__).with_name("drain_topic_files.py")
DAY = "2026-01-02"


def rows(folder: Path) -> list[dict[str, Any]]:
    return ds.dataset(sorted(map(str, folder.rglob("*.parquet")))).to_table().to_pylist()


def rejected(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.rglob("*.json")) for line in file.read_text().splitlines()]


def read_feed(spark_submit: SparkSubmit, folder: Path, feed: str, form: str, key: str) -> None:
    landed = ESTATE / "seed" / "landing" / feed / f"dt={DAY}"
    spark_submit(
        ESTATE / "spark" / "feed.py",
        f"--day={DAY}",
        f"--format={form}",
        f"--key={key}",
        f"--input=file://{landed}",
        f"--output=file://{folder}/output",
        f"--quarantine=file://{folder}/quarantine",
    )


def test_records_of_json_lines_stay_as_they_came(spark_submit: SparkSubmit, tmp_path: Path) -> None:
    read_feed(spark_submit, tmp_path, "bureau_scores", "json", "report_id")
    found = {row["record_id"]: row for row in rows(tmp_path / "output")}
    landed = (ESTATE / "seed/landing/bureau_scores" / f"dt={DAY}" / "partner.jsonl").read_text().splitlines()
    assert {id_: row["content"] for id_, row in found.items()} == {"BUR-1": landed[0], "BUR-2": landed[1]}
    assert {(row["source_file"], row["landed_on"]) for row in found.values()} == {("partner.jsonl", date(2026, 1, 2))}
    assert sorted((each["record"], each["reason"]) for each in rejected(tmp_path / "quarantine")) == sorted(
        [(landed[2], "not a JSON object"), (landed[3], "report_id is missing")]
    )


@pytest.mark.long
def test_records_of_csv_become_json_and_a_key_counts_once(spark_submit: SparkSubmit, tmp_path: Path) -> None:
    read_feed(spark_submit, tmp_path, "direct_debit_returns", "csv", "return_id")
    (row,) = rows(tmp_path / "output")
    assert row["record_id"] == "RET-1"
    assert json.loads(row["content"]) == {
        "return_id": "RET-1",
        "payment_id": "16",
        "debtor_name": 'O\'Brien, "Bob"',
        "debtor_iban": "AT970000000001000006",
        "reason": "AM04",
        "amount": "1499.95",
        "currency": "DKK",
    }
    assert [each["reason"] for each in rejected(tmp_path / "quarantine")] == ["return_id is missing"]


@pytest.fixture(scope="module")
def drained(spark_submit: SparkSubmit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the seed's Avro and JSON topics were drained, twice, as one topic."""
    folder = tmp_path_factory.mktemp("drained")
    ends: dict[int, int] = defaultdict(int)
    lines = []
    for place, name in enumerate(("payment_events", "kyc_events", "loan_events", "account_events")):
        for record in map(json.loads, (ESTATE / "seed" / "kafka" / f"{name}.jsonl").read_text().splitlines()):
            partition = 10 * place + record["partition"]
            at = datetime.fromtimestamp(record["timestamp_ms"] / 1000, UTC)
            row = {
                "key": b64(record["key"]),
                "value": b64(record["value"]),
                "topic": name,
                "partition": partition,
                "offset": ends[partition],
                "timestamp": at.isoformat(timespec="milliseconds"),
                "headers": [{"key": header, "value": b64(value)} for header, value in record["headers"]],
            }
            ends[partition] += 1
            lines.append(json.dumps(row))
    (folder / "records").mkdir()
    (folder / "records" / "0.json").write_text("\n".join(lines))
    (folder / "schemas.json").write_text(json.dumps({each.id: each.schema for each in registered()}))
    places = [f"file://{folder / name}" for name in ("checkpoint", "output", "quarantine")]
    spark_submit(DRAIN, f"file://{folder}/records", str(folder / "schemas.json"), *places)
    return folder


def b64(value: Any) -> str | None:
    if isinstance(value, dict):
        return str(value["base64"])
    return None if value is None else base64.b64encode(value.encode()).decode()


def test_avro_becomes_json_by_the_schema_it_was_written_with(drained: Path) -> None:
    found = {(row["kafka_partition"], row["kafka_offset"]): row for row in rows(drained / "output")}
    assert len(found) == 10
    first, second = (json.loads(found[place]["record_value"]) for place in ((0, 0), (1, 0)))
    assert first == {
        "payment_id": 1,
        "account_id": 1,
        "status": "settled",
        "amount": "-199.00",
        "currency": "SEK",
        "occurred_at": 1767258000000,
    }
    assert second["counterparty"] == {"name": "Zoë Kraús", "iban": "BE90000001000004"}
    assert (second["amount"], second["note"]) == ("9999999999999999.99", "Für Åsa 🎁")
    kyc = json.loads(found[10, 0]["record_value"])
    assert kyc["holder"]["emails"] == ["asa.oberg@example.com", "asa@example.com"]
    loan = json.loads(found[20, 0]["record_value"])
    assert (loan["rate"], loan["guarantors"]) == (4.25, [{"name": "Jürgen Groß"}])


def test_json_stays_and_a_tombstone_is_kept(drained: Path) -> None:
    found = {(row["kafka_partition"], row["kafka_offset"]): row for row in rows(drained / "output")}
    assert json.loads(found[30, 0]["record_value"])["iban"] == "SE1800000000000001000001"
    assert json.loads(found[30, 0]["record_headers"]) == {"source": "core"}
    assert found[1, 1]["record_value"] is None and found[1, 1]["record_key"] == "2"


def test_what_cannot_be_read_is_in_quarantine_with_its_reason(drained: Path) -> None:
    found = {
        (each["kafka_partition"], each["kafka_offset"]): each["reason"] for each in rejected(drained / "quarantine")
    }
    assert found == {(2, 0): "schema 99 is not registered", (31, 0): "neither JSON nor what its schema says"}
