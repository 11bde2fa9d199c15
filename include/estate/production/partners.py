"""What partners deliver each day beside settlements and rates: scores, sanctions hits, returns, withdrawals."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from estate.feeds import FEEDS
from estate.production.feeds import days
from estate.production.tables import Draft, Row


@dataclass(frozen=True)
class Delivery:
    """A day's records, and the file that they came in."""

    records: list[Row]
    content: bytes


def bureau_scores(draft: Draft, rng: Random, day: date) -> Iterator[Row]:
    for place, customer in enumerate(rng.choices(draft.tables["customers"], k=draft.count(60)), start=1):
        born = customer["birth_date"]
        yield {
            "report_id": f"BUR-{day:%Y%m%d}-{place:06d}",
            "customer_id": customer["customer_id"],
            "person": {"name": customer["full_name"], "birth_date": born.isoformat() if born else None},
            "score": min(999, max(1, round(rng.gauss(640, 120)))),
            "inquiries": [
                {"by": rng.choice(("Sparbok ApS", "Lucky GmbH")), "on": (day - timedelta(days=9)).isoformat()}
            ],
        }


def sanctions_hits(draft: Draft, rng: Random, day: date) -> Iterator[Row]:
    for place, customer in enumerate(rng.choices(draft.tables["customers"], k=draft.count(5)), start=1):
        yield {
            "hit_id": f"HIT-{day:%Y%m%d}-{place:04d}",
            "customer_id": customer["customer_id"],
            "likeness": round(rng.uniform(0.7, 1), 3),
            "listed": {"name": customer["full_name"].upper(), "aliases": [customer["full_name"].split()[0]]},
            "remark": f"Compare with {customer['full_name']}, {customer['city']}",
        }


def direct_debit_returns(draft: Draft, rng: Random, day: date) -> Iterator[Row]:
    failed = [row for row in draft.tables["payments"] if row["method"] == "direct_debit" and row["status"] == "failed"]
    for place, row in enumerate((each for each in failed if each["booked_at"].date() == day), start=1):
        yield {
            "return_id": f"RET-{day:%Y%m%d}-{place:05d}",
            "payment_id": str(row["payment_id"]),
            "debtor_name": draft.holders[row["account_id"]]["full_name"],
            "debtor_iban": row["counterparty_iban"],
            "reason": rng.choice(("AM04", "AC04", "MD06")),
            "amount": str(-row["amount"]),
            "currency": row["currency"],
        }


def atm_withdrawals(draft: Draft, rng: Random, day: date) -> Iterator[Row]:
    for place, card in enumerate(rng.choices(draft.tables["cards"], k=draft.count(80)), start=1):
        yield {
            "withdrawal_id": f"ATM-{day:%Y%m%d}-{place:05d}",
            "card_id": str(card["card_id"]),
            "pan": card["pan"],
            "amount": f"{rng.choice((10, 20, 50, 100, 200))}.00",
            "currency": "EUR",
            "withdrawn_at": f"{day}T{rng.randrange(24):02d}:{rng.randrange(60):02d}:00+00:00",
        }


_GENERATORS: Mapping[str, Callable[[Draft, Random, date], Iterator[Row]]] = {
    "bureau_scores": bureau_scores,
    "sanctions_hits": sanctions_hits,
    "direct_debit_returns": direct_debit_returns,
    "atm_withdrawals": atm_withdrawals,
}


def deliveries(draft: Draft) -> dict[str, dict[date, Delivery]]:
    """By feed and day. A day without a record brings no file."""
    found: dict[str, dict[date, Delivery]] = {}
    for feed, generate in _GENERATORS.items():
        rng = draft.rng(feed)
        made = {day: list(generate(draft, rng, day)) for day in days()}
        write = _lines if FEEDS[feed].format == "json" else _csv
        found[feed] = {day: Delivery(records, write(records)) for day, records in made.items() if records}
    return found


def _lines(records: list[Row]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def _csv(records: list[Row]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue().encode()
