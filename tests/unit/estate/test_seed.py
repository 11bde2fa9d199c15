"""The seed is what its README says: other tests, and people, count on its numbers."""

from __future__ import annotations

import base64
import csv
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from estate.production.identifiers import is_iban, passes_luhn
from estate.registry import decode, read_records, registered
from estate.tables import SOURCE_TABLES, SourceTable

ESTATE = Path(__file__).parents[3] / "include" / "estate"
SEED = ESTATE / "seed"
DAYS = (date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3))
NULL = "\\N"

Record = dict[str, str]


def rows(path: str) -> list[Record]:
    with (SEED / path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def counts() -> dict[str, list[int]]:
    """The README's table: history, the three days, RAW after all."""
    lines = re.findall(r"^\| (\w+) ((?:\| \d+ )+)\|$", (SEED / "README.md").read_text(), flags=re.M)
    return {name: [int(number) for number in re.findall(r"\d+", cells)] for name, cells in lines}


def day_of(row: Record) -> date:
    return datetime.fromisoformat(row["updated_at"]).astimezone(UTC).date()


@pytest.mark.parametrize("table", SOURCE_TABLES, ids=lambda table: table.name)
def test_tables_bring_what_the_readme_says(table: SourceTable) -> None:
    history, *days, total = counts()[table.name]
    source, raw = rows(f"postgres/{table.name}.csv"), rows(f"snowflake/RAW.{table.name.upper()}.csv")
    assert [sum(day_of(row) == day for row in source) for day in DAYS] == days
    assert len(raw) == history
    known = [row[table.key.upper()] for row in raw]
    assert len(known) + len({row[table.key] for row in source if day_of(row) in DAYS} - set(known)) == total


@pytest.mark.parametrize("table", SOURCE_TABLES, ids=lambda table: table.name)
def test_columns_are_those_of_the_schema(table: SourceTable) -> None:
    for system, name in (("postgres", table.name), ("snowflake", f"RAW.{table.name.upper()}")):
        schema = (ESTATE / "schema" / f"{system}.sql").read_text()
        body = re.search(rf"CREATE TABLE IF NOT EXISTS {re.escape(name)} \((.*?)\n\);", schema, flags=re.S)
        assert body, name
        declared = tuple(re.findall(r"^    (\w+) ", body[1], flags=re.M))
        header = tuple(rows(f"{system}/{name}.csv")[0])
        expected = table.columns if system == "postgres" else tuple(column.upper() for column in table.columns)
        assert declared == header == expected


@pytest.mark.parametrize("table", SOURCE_TABLES, ids=lambda table: table.name)
def test_history_is_what_was_known_before_the_window(table: SourceTable) -> None:
    """Every row that did not change since stands in history as it is."""
    history = {json.dumps(list(row.values())) for row in rows(f"snowflake/RAW.{table.name.upper()}.csv")}
    for row in rows(f"postgres/{table.name}.csv"):
        if day_of(row) < DAYS[0]:
            naive = [_naive(value) if name.endswith("_at") else value for name, value in row.items()]
            assert json.dumps(naive) in history


def test_references_lead_to_rows_in_postgres() -> None:
    keys = {table.key: {row[table.key] for row in rows(f"postgres/{table.name}.csv")} for table in SOURCE_TABLES}
    for table in SOURCE_TABLES:
        for row in rows(f"postgres/{table.name}.csv"):
            for column in set(table.attributes) & keys.keys():
                assert row[column] in keys[column] | {NULL}
    assert {row["referrer_id"] for row in rows("postgres/customers.csv")} <= keys["customer_id"] | {NULL}


def test_numbers_of_accounts_and_cards_are_valid() -> None:
    assert all(is_iban(row["iban"]) for row in rows("postgres/accounts.csv"))
    assert all(passes_luhn(row["pan"]) for row in rows("postgres/cards.csv"))


def test_rates_land_as_the_readme_says() -> None:
    _, *days, _ = counts()["fx_rates"]
    landed = [rows(f"landing/fx_rates/dt={day}/rates.csv") for day in DAYS]
    assert [sum(row["rate_to_eur"] != "" for row in day) for day in landed] == days


def test_records_are_in_order_of_their_partitions_and_within_the_topic() -> None:
    records = [json.loads(line) for line in (SEED / "kafka/card_events.jsonl").read_text().splitlines()]
    assert len(records) == 18
    assert {record["partition"] for record in records} == {0, 1, 2}
    assert all(set(record) == {"partition", "timestamp_ms", "key", "value", "headers"} for record in records)
    assert sum(record["value"] is None for record in records) == 1


def test_values_in_avro_are_read_by_the_schemas_that_the_seed_registers() -> None:
    """But one, of a schema that nobody registered."""
    schemas = read_records((each["key"], each["value"]) for each in records("_schemas"))
    assert schemas == {each.id: each for each in registered()}
    unread = []
    for topic in ("payment_events", "login_events", "kyc_events", "loan_events"):
        for record in records(topic):
            if record["value"] is not None:
                message = base64.b64decode(record["value"]["base64"])
                try:
                    decode(message, schemas)
                except ValueError:
                    unread.append(topic)
    assert unread == ["payment_events"]


def records(topic: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SEED / "kafka" / f"{topic}.jsonl").read_text().splitlines()]


def test_the_seed_is_small() -> None:
    assert sum(path.stat().st_size for path in SEED.rglob("*") if path.is_file()) < 200_000


def _naive(value: str) -> str:
    moment = datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ", timespec="microseconds")
