"""What the bank's own services tell each other, beside the card events: seven topics, four of them in Avro."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from estate.production.feeds import KafkaRecord
from estate.production.tables import END, START, Draft, Row
from estate.registry import SCHEMAS_TOPIC, Registered, encode, registered, write_record

PARTITIONS = 3
MOST = 2000
"""Records of a topic at scale 1."""

Event = tuple[int, datetime, dict[str, Any], tuple[tuple[str, str], ...]]
"""Key, time, value and headers."""


def payment_events(draft: Draft) -> Iterator[Event]:
    rng = draft.rng("payment_events")
    for row in _sample(draft, "payments"):
        holder = draft.holders[row["account_id"]]
        counterparty = (
            {"name": holder["full_name"], "iban": row["counterparty_iban"]} if row["counterparty_iban"] else None
        )
        value = {
            **{name: row[name] for name in ("payment_id", "account_id", "status", "currency", "note")},
            "amount": str(row["amount"]),
            "occurred_at": _millis(row["updated_at"]),
            "counterparty": counterparty,
        }
        headers = (("trace-id", f"{rng.getrandbits(128):032x}"), ("customer-email", holder["email"] or ""))
        yield row["account_id"], row["updated_at"], value, headers


def login_events(draft: Draft) -> Iterator[Event]:
    for row in _sample(draft, "logins"):
        value = {
            **{name: row[name] for name in ("login_id", "customer_id", "device_id", "outcome")},
            "ip": row["ip_address"],
            "occurred_at": _millis(row["occurred_at"]),
        }
        yield row["customer_id"], row["occurred_at"], value, (("x-forwarded-for", row["ip_address"]),)


def kyc_events(draft: Draft) -> Iterator[Event]:
    customers = _customers(draft)
    for row in _sample(draft, "kyc_documents"):
        customer = customers[row["customer_id"]]
        born = customer["birth_date"]
        value = {
            **{name: row[name] for name in ("document_id", "customer_id", "status")},
            "holder": {
                "name": customer["full_name"],
                "birth_date": born.isoformat() if born else None,
                "emails": [customer["email"]] if customer["email"] else [],
            },
            "occurred_at": _millis(row["updated_at"]),
        }
        yield row["customer_id"], row["updated_at"], value, (("source", "kyc"),)


def loan_events(draft: Draft) -> Iterator[Event]:
    for row in _sample(draft, "loans"):
        terms = json.loads(row["terms"])
        value = {
            **{name: row[name] for name in ("loan_id", "customer_id", "status")},
            "principal": str(row["principal"]),
            "rate": float(terms["rate"]),
            "guarantors": [{"name": each["name"]} for each in terms["guarantors"]],
            "occurred_at": _millis(row["updated_at"]),
        }
        yield row["customer_id"], row["updated_at"], value, (("source", "lending"),)


def account_events(draft: Draft) -> Iterator[Event]:
    for row in _sample(draft, "accounts"):
        value = {name: row[name] for name in ("account_id", "customer_id", "iban", "status")}
        value |= {"balance": str(row["balance"]), "occurred_at": row["updated_at"].isoformat()}
        yield row["account_id"], row["updated_at"], value, (("source", "core"),)


def support_chats(draft: Draft) -> Iterator[Event]:
    customers = _customers(draft)
    for row in _sample(draft, "support_tickets"):
        customer = customers[row["customer_id"]]
        value = {
            "ticket_id": row["ticket_id"],
            "customer": {"id": row["customer_id"], "name": customer["full_name"]},
            "messages": [
                {"from": "customer", "text": row["body"] or ""},
                {"from": "agent", "text": f"Re: {row['subject']}"},
            ],
            "occurred_at": row["created_at"].isoformat(),
        }
        yield row["customer_id"], row["created_at"], value, (("reply-to", customer["email"] or ""),)


def notifications(draft: Draft) -> Iterator[Event]:
    rng = draft.rng("notifications")
    for row in _sample(draft, "customers"):
        value = {
            "customer_id": row["customer_id"],
            "channel": rng.choice(("mail", "phone")),
            "to": {"email": row["email"], "phone": row["phone"]},
            "text": f"Hej {row['full_name']}! 👋",
            "occurred_at": row["updated_at"].isoformat(),
        }
        yield row["customer_id"], row["updated_at"], value, (("recipient", row["email"] or ""),)


AVRO: Mapping[str, Callable[[Draft], Iterator[Event]]] = {
    "payment_events": payment_events,
    "login_events": login_events,
    "kyc_events": kyc_events,
    "loan_events": loan_events,
}
JSON: Mapping[str, Callable[[Draft], Iterator[Event]]] = {
    "account_events": account_events,
    "support_chats": support_chats,
    "notifications": notifications,
}


def service_topics(draft: Draft) -> dict[str, list[KafkaRecord]]:
    """Records by topic, in the order of their times; the registry's own topic is among them."""
    schemas = registered()
    topics = {SCHEMAS_TOPIC: [_registration(place, each) for place, each in enumerate(schemas)]}
    for topic, events in AVRO.items():
        versions = [each for each in schemas if each.subject == f"{topic}-value"]
        topics[topic] = _ordered(_record(event, encode(*_written(versions, event))) for event in events(draft))
    for topic, events in JSON.items():
        topics[topic] = _ordered(_record(event, json.dumps(event[2], ensure_ascii=False)) for event in events(draft))
    return topics


def _written(versions: list[Registered], event: Event) -> tuple[Registered, dict[str, Any]]:
    """The schema of an event and its value in it: the first version was in use until a third of the time was over."""
    _, at, value, _ = event
    schema = versions[0] if at < START + (END - START) / 3 else versions[-1]
    return schema, {name: value[name] for name in _fields(schema)}


@cache
def _fields(schema: Registered) -> tuple[str, ...]:
    return tuple(field["name"] for field in json.loads(schema.schema)["fields"])


def _sample(draft: Draft, table: str) -> list[Row]:
    """At most `MOST` rows of a table, from all of its time."""
    rows = draft.tables[table]
    return rows[:: max(1, -(-len(rows) // draft.count(MOST)))]


def _customers(draft: Draft) -> dict[int, Row]:
    return {row["customer_id"]: row for row in draft.tables["customers"]}


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _record(event: Event, value: str | bytes) -> KafkaRecord:
    key, at, _, headers = event
    return KafkaRecord(zlib.crc32(str(key).encode()) % PARTITIONS, _millis(at), str(key), value, headers)


def _registration(place: int, schema: Registered) -> KafkaRecord:
    key, value = write_record(schema)
    return KafkaRecord(0, _millis(START) + place, key, value, ())


def _ordered(records: Iterator[KafkaRecord]) -> list[KafkaRecord]:
    return sorted(records, key=lambda record: record.timestamp_ms)
