"""What production's pipelines have loaded into Snowflake's schema RAW by `LOADED_UNTIL`, as they load it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from estate.feeds import FEEDS
from estate.production.feeds import CENT, KafkaRecord, by_offset
from estate.production.tables import END, Row
from estate.production.world import World
from estate.registry import SCHEMAS_TOPIC, Registered, decode, read_records

LOADED_UNTIL = END - timedelta(days=1)


def loaded(world: World) -> dict[str, list[Row]]:
    """Rows by RAW table, upper case, in the columns of `schema/snowflake.sql` in lower case. Instants are naive UTC."""
    rows = {name.upper(): [_naive_row(row) for row in _versions(table)] for name, table in world.tables.items()}
    days = [day for day in world.settlements if day < LOADED_UNTIL.date()]
    rows["SETTLEMENTS"] = [row for day in days for row in _settlement_lines(world, day)]
    rows["FX_RATES"] = [
        {"currency": currency, "rate_to_eur": rate, "landed_on": day}
        for day in days
        for currency, rate in world.rates[day].items()
    ]
    rows["CARD_EVENTS"] = [
        row
        for offset, record in by_offset(world.card_events)
        if record.timestamp_ms < LOADED_UNTIL.timestamp() * 1000 and (row := _event(offset, record))
    ]
    rows |= {feed.upper(): list(_documents(world, feed)) for feed in world.partners}
    schemas = read_records((each.key, each.value) for each in world.service_topics[SCHEMAS_TOPIC])
    for topic, records in world.service_topics.items():
        if topic != SCHEMAS_TOPIC:
            rows[topic.upper()] = [
                _record_row(offset, record, schemas)
                for offset, record in by_offset(records)
                if record.timestamp_ms < LOADED_UNTIL.timestamp() * 1000
            ]
    return rows


def _documents(world: World, feed: str) -> Iterator[Row]:
    for day, delivery in world.partners[feed].items():
        for record in delivery.records if day < LOADED_UNTIL.date() else ():
            yield {
                "record_id": record[FEEDS[feed].key],
                "content": json.dumps(record, ensure_ascii=False, separators=(",", ":")),
                "source_file": FEEDS[feed].file,
                "landed_on": day,
            }


def _record_row(offset: int, record: KafkaRecord, schemas: Mapping[int, Registered]) -> Row:
    value = decode(record.value, schemas) if isinstance(record.value, bytes) else json.loads(record.value or "null")
    return {
        "kafka_partition": record.partition,
        "kafka_offset": offset,
        "kafka_timestamp": datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).replace(tzinfo=None),
        "record_key": record.key,
        "record_value": json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_millis),
        "record_headers": json.dumps(dict(record.headers), ensure_ascii=False, separators=(",", ":")),
    }


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _versions(table: list[Row]) -> Iterator[Row]:
    """Each row as it was at `LOADED_UNTIL`: what changed later, as it was made."""
    for row in table:
        if row["updated_at"] < LOADED_UNTIL:
            yield row
        elif row["created_at"] < LOADED_UNTIL:
            yield row | _as_made(row) | {"updated_at": row["created_at"]}


def _as_made(row: Row) -> Row:
    """What a payment and an instalment did not say when they were made."""
    if "booked_at" in row:
        return {"status": "pending"}
    return {"payment_id": None, "paid_on": None} if "paid_on" in row else {}


def _settlement_lines(world: World, day: date) -> Iterator[Row]:
    for settlement in world.settlements[day]:
        rate = Decimal(1) if settlement.currency == "EUR" else world.rates[day].get(settlement.currency)
        for place, (payment, amount, fee) in enumerate(settlement.lines, start=1):
            yield {
                "settlement_id": settlement.number,
                "line_no": place,
                "merchant_id": settlement.merchant["merchant_id"],
                "merchant_name": settlement.merchant["name"],
                "merchant_iban": settlement.merchant["iban"],
                "payment_id": payment,
                "amount": amount,
                "fee": fee,
                "currency": settlement.currency,
                "amount_eur": None if rate is None else (amount * rate).quantize(CENT, ROUND_HALF_UP),
                "settled_at": _naive(settlement.settled_at),
                "source_file": "acquirer.json",
                "landed_on": day,
            }


def _event(offset: int, record: KafkaRecord) -> Row | None:
    """The row of a record; None for what the pipeline puts into quarantine."""
    try:
        value = json.loads(record.value) if record.value is not None else {}
    except ValueError:
        return None
    merchant = value.get("merchant") or {}
    occurred_at = value.get("occurred_at")
    amount = value.get("amount")
    return {
        "kafka_partition": record.partition,
        "kafka_offset": offset,
        "kafka_timestamp": datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).replace(tzinfo=None),
        "card_id": int(record.key),
        "is_tombstone": record.value is None,
        "event_id": value.get("event_id"),
        "event_type": value.get("type"),
        "occurred_at": _naive(datetime.fromisoformat(occurred_at)) if occurred_at else None,
        "amount": Decimal(amount) if amount else None,
        "currency": value.get("currency"),
        "merchant_id": merchant.get("id"),
        "merchant_country": merchant.get("country"),
        "ip_address": value.get("ip"),
        "note": value.get("note"),
        "trace_id": dict(record.headers).get("trace-id"),
    }


def _naive_row(row: Row) -> Row:
    return {name: _naive(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
