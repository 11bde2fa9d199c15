"""What reaches the bank from outside: the acquirer's settlement files, exchange rates, and the cards' events."""

from __future__ import annotations

import csv
import io
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from estate.production.tables import DAYS, END, START, Draft, Row

CENT = Decimal("0.01")
CARD_EVENT_PARTITIONS = 3
_RATES = {"SEK": 0.0911, "DKK": 0.1339, "PLN": 0.2348, "GBP": 1.149, "NOK": 0.0853, "USD": 0.921}


@dataclass(frozen=True)
class Settlement:
    """What the acquirer pays a merchant for one day, in one currency. `lines` are (payment, amount, fee)."""

    number: str
    merchant: Row
    currency: str
    settled_at: datetime
    lines: tuple[tuple[int, Decimal, Decimal], ...]

    def document(self) -> str:
        """The settlement as it is delivered: one line of JSON."""
        merchant = {"id": self.merchant["merchant_id"], "name": self.merchant["name"], "iban": self.merchant["iban"]}
        lines = [
            {"line": place, "payment_id": payment, "amount": str(amount), "fee": str(fee)}
            for place, (payment, amount, fee) in enumerate(self.lines, start=1)
        ]
        fields = {"settlement_id": self.number, "currency": self.currency, "settled_at": self.settled_at.isoformat()}
        return json.dumps({**fields, "merchant": merchant, "lines": lines}, ensure_ascii=False)


@dataclass(frozen=True)
class KafkaRecord:
    """A record; `value` is text, Avro in bytes, or None for a tombstone."""

    partition: int
    timestamp_ms: int
    key: str
    value: str | bytes | None
    headers: tuple[tuple[str, str], ...]


def days() -> list[date]:
    return [(START + timedelta(days=place)).date() for place in range(DAYS)]


def settlements(draft: Draft) -> dict[date, list[Settlement]]:
    """Settled card payments by the day they were settled, merchant and currency."""
    merchants = {row["merchant_id"]: row for row in draft.tables["merchants"]}
    groups: dict[tuple[date, int, str], list[Row]] = defaultdict(list)
    for row in draft.tables["payments"]:
        if row["method"] == "card" and row["status"] == "settled":
            groups[row["updated_at"].date(), row["merchant_id"], row["currency"]].append(row)
    delivered: dict[date, list[Settlement]] = {day: [] for day in days()}
    for (day, merchant, currency), rows in sorted(groups.items()):
        lines = tuple((row["payment_id"], -row["amount"], _fee(-row["amount"])) for row in rows)
        at = datetime(day.year, day.month, day.day, 23, 30, tzinfo=END.tzinfo)
        number = f"STL-{day:%Y%m%d}-{merchant:05d}-{currency}"
        delivered[day].append(Settlement(number, merchants[merchant], currency, at, lines))
    return delivered


def rates(draft: Draft) -> dict[date, dict[str, Decimal]]:
    """Units of EUR for one unit of each currency, by day: a random walk."""
    rng = draft.rng("rates")
    now = dict(_RATES)
    walk = {}
    for day in days():
        now = {currency: rate * rng.gauss(1, 0.003) for currency, rate in now.items()}
        walk[day] = {currency: Decimal(f"{rate:.8f}") for currency, rate in now.items()}
    return walk


def landing_files(
    delivered: dict[date, list[Settlement]], walk: dict[date, dict[str, Decimal]]
) -> Iterator[tuple[str, bytes]]:
    """Path below the landing zone, and content, of every file that partners delivered."""
    for day, batch in delivered.items():
        text = "".join(settlement.document() + "\n" for settlement in batch)
        yield f"settlements/dt={day}/acquirer.json", text.encode()
    for day, values in walk.items():
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([("currency", "rate_to_eur"), *values.items()])
        yield f"fx_rates/dt={day}/rates.csv", buffer.getvalue().encode()


def card_events(draft: Draft) -> list[KafkaRecord]:
    """What the cards did, by the time it reached the topic: authorisations, declines, PIN changes, blocks.

    A few come twice, a few cards are erased (tombstones), and two records are broken.
    """
    rng = draft.rng("card_events")
    wanted = draft.count(10_000)
    merchants = {row["merchant_id"]: row for row in draft.tables["merchants"]}
    paid = [row for row in draft.tables["payments"] if row["method"] == "card"][-round(wanted * 0.94) :]
    records: list[KafkaRecord] = []
    for row in paid:
        merchant = merchants[row["merchant_id"]]
        event = {
            "type": "decline" if row["status"] == "failed" else "authorization",
            "amount": str(-row["amount"]),
            "currency": row["currency"],
            "merchant": {"id": merchant["merchant_id"], "country": merchant["country"]},
            "ip": f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(256)}",
        }
        records += _deliveries(rng, row["card_id"], row["booked_at"], f"evt-p{row['payment_id']:09d}", event)
    place = 0
    while len(records) < wanted - 5:
        place += 1
        card = rng.choice(draft.tables["cards"])
        event = {"type": rng.choice(("pin_change", "block", "unblock")), "note": rng.choice((None, "", "by phone ☎"))}
        moment = START + timedelta(seconds=rng.randrange(DAYS * 86_400))
        records += _deliveries(rng, card["card_id"], moment, f"evt-c{place:09d}", event)
    for _ in range(3):
        card = rng.choice(draft.tables["cards"])
        records.append(_record(card["card_id"], START + timedelta(days=rng.randrange(DAYS)), None, ()))
    for broken in ('{"event_id": "evt-broken', "not json at all"):
        records.append(_record(1, START + timedelta(days=rng.randrange(DAYS)), broken, (("source", "core"),)))
    return sorted(records, key=lambda record: (record.timestamp_ms, record.key, record.value or ""))


def by_offset(records: Sequence[KafkaRecord]) -> list[tuple[int, KafkaRecord]]:
    """The records with the offset each gets in its partition of an empty topic."""
    ends: dict[int, int] = defaultdict(int)
    placed = []
    for record in records:
        placed.append((ends[record.partition], record))
        ends[record.partition] += 1
    return placed


def _deliveries(rng: Any, card: int, moment: datetime, number: str, event: dict[str, Any]) -> list[KafkaRecord]:
    """One record, or for one event in 200 the same one twice."""
    value = json.dumps({"event_id": number, **event, "occurred_at": _iso(moment)}, ensure_ascii=False)
    headers = (("source", rng.choice(("core", "terminal", "app"))), ("trace-id", f"{rng.getrandbits(128):032x}"))
    first = _record(card, moment + timedelta(milliseconds=rng.randrange(20, 4000)), value, headers)
    if rng.random() >= 1 / 200:
        return [first]
    return [first, _record(card, moment + timedelta(seconds=rng.randrange(4, 600)), value, headers)]


def _record(card: int, moment: datetime, value: str | None, headers: tuple[tuple[str, str], ...]) -> KafkaRecord:
    key = str(card)
    partition = zlib.crc32(key.encode()) % CARD_EVENT_PARTITIONS
    return KafkaRecord(partition, int(moment.timestamp() * 1000), key, value, headers)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fee(amount: Decimal) -> Decimal:
    return (amount * Decimal("0.009")).quantize(CENT, ROUND_HALF_UP)
