"""The tables at the heart: customers, merchants, accounts, cards and payments; and what all generators share.

A generator takes the `Draft` of the tables before it and yields rows as dicts by column name. It draws from a random
source of its own, so a new table changes no other.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from random import Random
from typing import Any

from estate.production.identifiers import CARD_BINS, IBAN_BBAN_DIGITS, card_number, iban
from estate.production.people import COUNTRIES, person

END = datetime(2026, 1, 4, tzinfo=UTC)
"""The world's present: nothing in it is later."""
DAYS = 30
"""Days of payments, settlements and events before `END`."""
START = END - timedelta(days=DAYS)
FOUNDED = datetime(2019, 3, 1, tzinfo=UTC)

Row = dict[str, Any]

_CATEGORIES = {
    "5411": "Livs {}",
    "5812": "Krog {}",
    "5814": "Café {}",
    "4111": "{} Verkehrsbetriebe",
    "5942": "Księgarnia {}",
    "5541": "{} Tank & Rast",
    "5999": "{} Import/Export ApS",
    "7995": "Lucky {}",
}
_CURRENCIES = {country.code: country.currency for country in COUNTRIES}
# Merchants' units: cheap things are bought often.
_TYPICAL_EUR = {
    "5411": 32, "5812": 41, "5814": 6, "4111": 4, "5942": 24, "5541": 58, "5999": 90, "7995": 75,
}  # fmt: skip
_UNITS_OF_EUR = {"EUR": 1.0, "SEK": 11.0, "PLN": 4.3, "DKK": 7.5}


@dataclass
class Draft:
    """The tables made so far. `scale` 1 is 2,000 customers."""

    seed: int
    scale: float
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def rng(self, name: str) -> Random:
        """A random source that depends on the seed and `name` alone."""
        return Random(f"{self.seed}/{name}")

    def count(self, at_scale_one: int) -> int:
        return max(1, round(at_scale_one * self.scale))

    @cached_property
    def holders(self) -> Mapping[int, Row]:
        """The customer of each account."""
        customers = {row["customer_id"]: row for row in self.tables["customers"]}
        return {row["account_id"]: customers[row["customer_id"]] for row in self.tables["accounts"]}


class Weighted:
    """Draws from `items`, of which few come up often: the weights follow Zipf's law in the items' order."""

    def __init__(self, items: Sequence[Any], exponent: float) -> None:
        self._items = items
        self._ends = list(accumulate((place + 1) ** -exponent for place in range(len(items))))

    def draw(self, rng: Random) -> Any:
        return self._items[bisect(self._ends, rng.random() * self._ends[-1], hi=len(self._items) - 1)]


def customers(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("customers")
    # Numbers rise with time, as a sequence's do: so a referrer is older than whom they brought.
    joined = sorted(moment(rng, FOUNDED, END) for _ in range(draft.count(2000)))
    for number, created in enumerate(joined, start=1):
        who = person(rng, number)
        opt_in = rng.choices((True, False, None), (35, 60, 5))[0]
        yield {
            "customer_id": number,
            "referrer_id": rng.randint(1, number - 1) if number > 1 and rng.random() < 0.22 else None,
            "full_name": who.name,
            "email": who.email,
            "phone": who.phone,
            "birth_date": None if rng.random() < 0.03 else date(1935, 1, 1) + timedelta(days=rng.randrange(26_000)),
            "street": who.street,
            "city": who.city,
            "postal_code": who.postal_code,
            "country": who.country.code,
            "segment": rng.choices(("retail", "premium", "business"), (82, 12, 6))[0],
            "marketing_opt_in": opt_in,
            "notes": _customer_note(rng, who.name, who.phone, who.email),
            "created_at": created,
            "updated_at": moment(rng, max(created, START), END) if rng.random() < 0.2 else created,
        }


def merchants(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("merchants")
    for number in range(1, draft.count(300) + 1):
        category = rng.choice(list(_CATEGORIES))
        country = rng.choice(COUNTRIES)
        created = moment(rng, FOUNDED, START)
        yield {
            "merchant_id": number,
            "name": f"{_CATEGORIES[category].format(rng.choice(country.family))} {number}",
            "category_code": category,
            "country": country.code,
            "iban": iban(country.code, 900_000_000 + number) if rng.random() < 0.95 else None,
            "created_at": created,
            "updated_at": moment(rng, START, END) if rng.random() < 0.1 else created,
        }


def accounts(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("accounts")
    number = 0
    for customer in draft.tables["customers"]:
        for place in range(rng.choices((0, 1, 2, 3), (2, 68, 24, 6))[0]):
            number += 1
            opened = moment(rng, customer["created_at"], END)
            kind = "business" if customer["segment"] == "business" else ("current", "savings", "savings")[place]
            yield {
                "account_id": number,
                "customer_id": customer["customer_id"],
                "iban": iban(customer["country"], 100_000_000 + number),
                "currency": _CURRENCIES[customer["country"]] if rng.random() < 0.93 else "EUR",
                "kind": kind,
                "status": rng.choices(("open", "frozen", "closed"), (94, 1, 5))[0],
                "balance": cents(rng.lognormvariate(7, 1.6) * rng.choices((1, -0.1, 0), (90, 8, 2))[0]),
                "opened_on": opened.date(),
                "created_at": opened,
                "updated_at": moment(rng, max(opened, START), END) if rng.random() < 0.5 else opened,
            }


def cards(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("cards")
    number = 0
    for account in draft.tables["accounts"]:
        if account["kind"] == "savings":
            continue
        for _ in range(rng.choices((0, 1, 2), (10, 70, 20))[0]):
            number += 1
            network = rng.choices(("visa", "mastercard"), (6, 4))[0]
            created = moment(rng, account["created_at"], END)
            yield {
                "card_id": number,
                "account_id": account["account_id"],
                "pan": card_number(rng.choice(CARD_BINS[network]), number),
                "holder_name": draft.holders[account["account_id"]]["full_name"].upper(),
                "network": network,
                "status": rng.choices(("active", "blocked", "expired"), (90, 4, 6))[0],
                "expires_on": date(created.year + 4, created.month, 28),
                "created_at": created,
                "updated_at": moment(rng, max(created, START), END) if rng.random() < 0.05 else created,
            }


def payments(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("payments")
    spenders = [row for row in draft.tables["accounts"] if row["created_at"] < START]
    rng.shuffle(spenders)
    shops = list(draft.tables["merchants"])
    rng.shuffle(shops)
    account_of, merchant_of = Weighted(spenders, 0.7), Weighted(shops, 1.1)
    cards_of: dict[int, list[Row]] = {}
    for card in draft.tables["cards"]:
        if card["created_at"] < START:
            cards_of.setdefault(card["account_id"], []).append(card)
    total = draft.count(20_000)
    for number in range(1, total + 1):
        account = account_of.draw(rng)
        booked = _busy_hour(rng, START + (END - START) * ((number - rng.random()) / total))
        owned = cards_of.get(account["account_id"])
        paid = _by_card(rng, owned, merchant_of) if owned and rng.random() < 0.8 else _by_transfer(rng)
        status = rng.choices(("settled", "failed", "refunded", "pending"), (90, 5, 2, 3))[0]
        updated = booked + _delay(rng)
        if status == "pending" or updated >= END:
            status, updated = "pending", booked
        paid["amount"] = cents(paid["amount"] * _UNITS_OF_EUR[account["currency"]])
        yield {
            "payment_id": number,
            "account_id": account["account_id"],
            **paid,
            "currency": account["currency"],
            "status": status,
            "note": _payment_note(rng, draft.holders[account["account_id"]], owned),
            "booked_at": booked,
            "created_at": booked,
            "updated_at": updated,
        }


def _by_card(rng: Random, owned: list[Row], merchant_of: Weighted) -> Row:
    merchant = merchant_of.draw(rng)
    spent = _TYPICAL_EUR[merchant["category_code"]] * rng.lognormvariate(0, 0.7)
    return {
        "card_id": rng.choice(owned)["card_id"],
        "merchant_id": merchant["merchant_id"],
        "amount": -spent,
        "method": "card",
        "counterparty_iban": None,
    }


def _by_transfer(rng: Random) -> Row:
    method = rng.choices(("transfer", "direct_debit"), (7, 3))[0]
    received = method == "transfer" and rng.random() < 0.4
    return {
        "card_id": None,
        "merchant_id": None,
        "amount": rng.lognormvariate(7.2, 0.5) if received else -rng.lognormvariate(4.5, 1),
        "method": method,
        "counterparty_iban": iban(rng.choice(list(IBAN_BBAN_DIGITS)), rng.randrange(10**9)),
    }


def cents(value: float) -> Decimal:
    """`value` as an amount."""
    return Decimal(round(value * 100)).scaleb(-2)


def moment(rng: Random, start: datetime, end: datetime) -> datetime:
    """An instant from `start` to before `end`."""
    return start + timedelta(microseconds=rng.randrange(max(1, (end - start) // timedelta(microseconds=1))))


def changed(rng: Random, created: datetime, share: float) -> datetime:
    """When a row was changed last: for `share` of the rows since `START`, for the others when it was made."""
    return moment(rng, max(created, START), END) if rng.random() < share else created


def document(**fields: Any) -> str:
    """JSON as Postgres writes it from a JSONB column: shorter names first, then by the alphabet."""
    return json.dumps(_in_order(fields), ensure_ascii=False)


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value, key=lambda name: (len(name.encode()), name))}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def _busy_hour(rng: Random, moment: datetime) -> datetime:
    """`moment`'s day at an hour when people pay: around noon and in the evening, seldom at night."""
    hour = rng.choices((rng.gauss(12.5, 2.5), rng.gauss(18.5, 2), rng.uniform(0, 24)), (45, 40, 15))[0] % 24
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(milliseconds=min(int(hour * 3_600_000), 86_399_999))


def _delay(rng: Random) -> timedelta:
    """From a booking to its final state: mostly hours, sometimes days."""
    return timedelta(seconds=int(rng.lognormvariate(9, 1.3)))


def _customer_note(rng: Random, name: str, phone: str | None, email: str | None) -> str | None:
    """Free text as call centres write it: with names, numbers and addresses where they should not be."""
    return rng.choices(
        (
            None,
            "",
            f"Rang zurück: {name}, {phone or 'keine Nummer'}. Möchte Unterlagen per Post.",
            f"Customer asked to be contacted at {email or 'the branch'} only 📧",
            "Complaint about fees, resolved.",
        ),
        (80, 4, 7, 5, 4),
    )[0]


def _payment_note(rng: Random, customer: Row, cards_owned: list[Row] | None) -> str | None:
    pan = cards_owned[0]["pan"] if cards_owned else "unknown"
    return rng.choices(
        (
            None,
            "",
            f"Invoice {rng.randint(2024, 2026)}-{rng.randint(1, 9999)}",
            f"Tack {customer['full_name']}! 🎉",
            f"Refund to card {pan} requested by {customer['email'] or customer['full_name']}",
            "Miete / Hyra / Czynsz",
        ),
        (70, 3, 14, 6, 1, 6),
    )[0]
