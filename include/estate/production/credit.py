"""Money that is to come or to go: beneficiaries, standing orders, loans, disputes and chargebacks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial

from estate.production.identifiers import IBAN_BBAN_DIGITS, iban
from estate.production.people import person
from estate.production.tables import END, Draft, Row, Weighted, cents, changed, document, moment


def beneficiaries(draft: Draft) -> Iterator[Row]:
    """Some are customers themselves, most are people elsewhere."""
    rng = draft.rng("beneficiaries")
    owners = list(draft.tables["customers"])
    rng.shuffle(owners)
    owner_of = Weighted(owners, 0.6)
    for number in range(1, draft.count(3000) + 1):
        owner, who = owner_of.draw(rng), person(rng, 800_000 + number)
        known = rng.choice(draft.tables["accounts"]) if rng.random() < 0.2 else None
        created = moment(rng, owner["created_at"], END)
        yield {
            "beneficiary_id": number,
            "customer_id": owner["customer_id"],
            "name": draft.holders[known["account_id"]]["full_name"] if known else who.name,
            "iban": known["iban"] if known else iban(rng.choice(list(IBAN_BBAN_DIGITS)), 500_000_000 + number),
            "reference": rng.choices((None, "", "Hyra", f"Für {who.name}", "Rent 🏠"), (50, 5, 20, 15, 10))[0],
            "created_at": created,
            "updated_at": changed(rng, created, 0.05),
        }


def standing_orders(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("standing_orders")
    accounts = _accounts_by_customer(draft)
    number = 0
    for beneficiary in draft.tables["beneficiaries"]:
        owned = accounts.get(beneficiary["customer_id"])
        if not owned or rng.random() > 0.35:
            continue
        number += 1
        account = rng.choice(owned)
        created = moment(rng, max(account["created_at"], beneficiary["created_at"]), END)
        yield {
            "standing_order_id": number,
            "account_id": account["account_id"],
            "beneficiary_id": beneficiary["beneficiary_id"],
            "amount": cents(rng.lognormvariate(5.5, 1)),
            "currency": account["currency"],
            "frequency": rng.choices(("weekly", "monthly", "quarterly"), (8, 84, 8))[0],
            "note": rng.choices((None, f"Miete an {beneficiary['name']}", "pocket money"), (70, 20, 10))[0],
            "first_on": created.date() + timedelta(days=1),
            "last_on": created.date() + timedelta(days=rng.randrange(365, 3650)) if rng.random() < 0.3 else None,
            "created_at": created,
            "updated_at": changed(rng, created, 0.05),
        }


def loans(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("loans")
    staff = [row["employee_id"] for row in draft.tables["employees"]]
    accounts = _accounts_by_customer(draft)
    number = 0
    for customer, owned in accounts.items():
        if rng.random() > 0.18:
            continue
        number += 1
        account = owned[0]
        started = moment(rng, account["created_at"], END)
        helpers = [person(rng, 600_000 + 2 * number + place) for place in range(rng.choices((0, 1, 2), (80, 15, 5))[0])]
        born = partial(rng.randrange, 20_000)
        yield {
            "loan_id": number,
            "customer_id": customer,
            "account_id": account["account_id"],
            "officer_id": rng.choice(staff) if rng.random() < 0.9 else None,
            "principal": cents(round(rng.lognormvariate(9.3, 0.8), -2)),
            "currency": account["currency"],
            "status": rng.choices(("active", "repaid", "defaulted"), (84, 12, 4))[0],
            "terms": document(
                rate=round(rng.uniform(1.9, 12.9), 2),
                months=rng.choice((12, 24, 36, 60)),
                guarantors=[
                    {"name": who.name, "birth_date": (date(1945, 1, 1) + timedelta(days=born())).isoformat()}
                    for who in helpers
                ],
            ),
            "started_on": started.date(),
            "created_at": started,
            "updated_at": changed(rng, started, 0.2),
        }


def loan_instalments(draft: Draft) -> Iterator[Row]:
    """One a month from the loan's beginning to a month after today; those of the last month name their payment."""
    rng = draft.rng("loan_instalments")
    booked: dict[int, list[Row]] = {}
    for row in draft.tables["payments"]:
        if row["method"] == "direct_debit" and row["status"] == "settled":
            booked.setdefault(row["account_id"], []).append(row)
    number = 0
    for loan in draft.tables["loans"]:
        payments = booked.get(loan["account_id"], [])
        due = loan["started_on"]
        for place in range(1, 61):
            due += timedelta(days=30)
            if due > END.date() + timedelta(days=30):
                break
            number += 1
            paid = next((row for row in payments if abs((row["booked_at"].date() - due).days) < 15), None)
            if paid:
                payments.remove(paid)
            late = timedelta(days=rng.choices((0, 1, 9), (85, 10, 5))[0])
            settled = _instant(due + late) if due + late < END.date() else None
            at = paid["booked_at"] if paid else settled
            at = at if at and at >= loan["created_at"] else None
            yield {
                "instalment_id": number,
                "loan_id": loan["loan_id"],
                "payment_id": paid["payment_id"] if paid and at else None,
                "number": place,
                "due_on": due,
                "amount": (loan["principal"] / 24).quantize(loan["principal"]),
                "paid_on": at.date() if at else None,
                "created_at": loan["created_at"],
                "updated_at": at or loan["created_at"],
            }


def disputes(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("disputes")
    tickets: dict[int, list[Row]] = {}
    for row in draft.tables["support_tickets"]:
        tickets.setdefault(row["customer_id"], []).append(row)
    number = 0
    for payment in draft.tables["payments"]:
        if payment["method"] != "card" or payment["status"] != "settled" or rng.random() > 0.02:
            continue
        number += 1
        holder = draft.holders[payment["account_id"]]
        created = moment(rng, payment["booked_at"], END)
        asked = [row for row in tickets.get(holder["customer_id"], ()) if row["created_at"] <= created]
        yield {
            "dispute_id": number,
            "payment_id": payment["payment_id"],
            "ticket_id": asked[-1]["ticket_id"] if asked else None,
            "reason": rng.choices(("fraud", "not_received", "duplicate", "other"), (50, 25, 15, 10))[0],
            "statement": rng.choices(
                (None, f"{holder['full_name']} was at home that day.", "never got it", "Das war ich nicht!"),
                (40, 25, 20, 15),
            )[0],
            "amount": -payment["amount"],
            "status": rng.choices(("open", "won", "lost"), (40, 40, 20))[0],
            "created_at": created,
            "updated_at": changed(rng, created, 0.5),
        }


def chargebacks(draft: Draft) -> Iterator[Row]:
    """What won disputes brought."""
    rng = draft.rng("chargebacks")
    cards = {row["card_id"]: row for row in draft.tables["cards"]}
    payments = {row["payment_id"]: row for row in draft.tables["payments"]}
    won = [row for row in draft.tables["disputes"] if row["status"] == "won"]
    for number, dispute in enumerate(won, start=1):
        payment = payments[dispute["payment_id"]]
        card = cards[payment["card_id"]]
        created = moment(rng, dispute["created_at"], END)
        yield {
            "chargeback_id": number,
            "dispute_id": dispute["dispute_id"],
            "pan": card["pan"],
            "network": card["network"],
            "amount": dispute["amount"],
            "currency": payment["currency"],
            "booked_on": created.date(),
            "created_at": created,
            "updated_at": created,
        }


def _accounts_by_customer(draft: Draft) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in draft.tables["accounts"]:
        found.setdefault(row["customer_id"], []).append(row)
    return found


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=END.tzinfo)
