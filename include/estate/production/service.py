"""What customers leave behind with a bank: addresses, devices, logins, consents, papers and questions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from estate.production.people import COUNTRIES, person
from estate.production.tables import DAYS, END, START, Draft, Row, Weighted, changed, document, moment

_COUNTRY = {country.code: country for country in COUNTRIES}
_PLATFORMS = {"ios": ("iOS", ("17.5", "18.1", "18.2")), "android": ("Android", ("13", "14", "15")), "web": ("", ())}
_AGENTS = ("FinSight/5.2 (iPhone)", "FinSight/5.1 (Pixel)", "Mozilla/5.0 (X11; Linux x86_64)", None)
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
_SUBJECTS = (
    "Card of {name} does not work",
    "Överföring till {name} saknas",
    "Konto von {name} gesperrt",
    "Hasło – {email}",
    "Question about fees",
    "📱 app",
)


def addresses(draft: Draft) -> Iterator[Row]:
    """The one each customer has, and where some of them lived before or get their letters."""
    rng = draft.rng("addresses")
    number = 0
    for customer in draft.tables["customers"]:
        kinds = ["home", *rng.choices(((), ("former",), ("postal",), ("former", "former")), (72, 16, 8, 4))[0]]
        for kind in kinds:
            number += 1
            country = _COUNTRY[customer["country"]]
            city, postal_code = rng.choice(country.cities)
            since = customer["created_at"].date() - timedelta(days=rng.randrange(4000))
            yield {
                "address_id": number,
                "customer_id": customer["customer_id"],
                "kind": kind,
                "street": customer["street"]
                if kind == "home"
                else f"{rng.choice(country.streets)} {rng.randint(1, 99)}",
                "city": customer["city"] if kind == "home" else city,
                "postal_code": customer["postal_code"] if kind == "home" else postal_code,
                "country": country.code,
                "valid_from": since,
                "valid_to": since + timedelta(days=rng.randrange(30, 3000)) if kind == "former" else None,
                "created_at": customer["created_at"],
                "updated_at": changed(rng, customer["created_at"], 0.05),
            }


def devices(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("devices")
    number = 0
    for customer in draft.tables["customers"]:
        for _ in range(rng.choices((0, 1, 2, 5), (12, 55, 30, 3))[0]):
            number += 1
            platform = rng.choices(list(_PLATFORMS), (45, 40, 15))[0]
            system, versions = _PLATFORMS[platform]
            created = moment(rng, customer["created_at"], END)
            seen = moment(rng, max(created, START), END)
            yield {
                "device_id": number,
                "customer_id": customer["customer_id"],
                "platform": platform,
                "fingerprint": f"{rng.getrandbits(128):032x}",
                "details": document(
                    os={"name": system, "version": rng.choice(versions)} if versions else {},
                    owner={"email": customer["email"], "phone": customer["phone"]},
                    trusted=rng.random() < 0.8,
                ),
                "last_seen_at": seen,
                "created_at": created,
                "updated_at": seen,
            }


def logins(draft: Draft) -> Iterator[Row]:
    """A few devices log in all day, most now and then."""
    rng = draft.rng("logins")
    known = [row for row in draft.tables["devices"] if row["created_at"] < START]
    customers = list(draft.tables["customers"])
    rng.shuffle(known)
    device_of, total = Weighted(known, 0.9) if known else None, draft.count(12_000)
    for number in range(1, total + 1):
        at = START + timedelta(seconds=DAYS * 86_400 * (number - rng.random()) / total)
        device = device_of.draw(rng) if device_of and rng.random() < 0.97 else None
        owner = device["customer_id"] if device else None
        if owner is None:
            there = [row for row in rng.choices(customers, k=8) if row["created_at"] < at]
            owner = (there or customers[:1])[0]["customer_id"]
        yield {
            "login_id": number,
            "customer_id": owner,
            "device_id": device["device_id"] if device else None,
            "ip_address": _ip(rng),
            "outcome": rng.choices(("success", "wrong_password", "locked"), (92, 7, 1))[0],
            "user_agent": rng.choice(_AGENTS),
            "occurred_at": at,
            "created_at": at,
            "updated_at": at,
        }


def consents(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("consents")
    number = 0
    for customer in draft.tables["customers"]:
        for purpose in rng.sample(
            ("marketing", "profiling", "open_banking"), rng.choices((0, 1, 2, 3), (10, 40, 35, 15))[0]
        ):
            number += 1
            given = moment(rng, customer["created_at"], END)
            partner = {"name": "Sparbok ApS", "contact": customer["email"]} if purpose == "open_banking" else None
            yield {
                "consent_id": number,
                "customer_id": customer["customer_id"],
                "purpose": purpose,
                "granted": rng.random() < 0.6,
                "scope": document(
                    channels=rng.sample(("mail", "phone", "app", "post"), rng.randint(0, 3)), partner=partner
                ),
                "given_at": given,
                "created_at": given,
                "updated_at": changed(rng, given, 0.05),
            }


def kyc_documents(draft: Draft) -> Iterator[Row]:
    rng = draft.rng("kyc_documents")
    staff = [row["employee_id"] for row in draft.tables["employees"]]
    number = 0
    for customer in draft.tables["customers"]:
        for _ in range(rng.choices((0, 1, 2), (8, 78, 14))[0]):
            number += 1
            read = moment(rng, customer["created_at"], END)
            issued = read.date() - timedelta(days=rng.randrange(30, 3300))
            kind = rng.choices(("passport", "identity_card", "residence_permit"), (55, 40, 5))[0]
            status = rng.choices(("accepted", "rejected", "pending"), (90, 6, 4))[0]
            yield {
                "document_id": number,
                "customer_id": customer["customer_id"],
                "reviewer_id": None if status == "pending" else rng.choice(staff),
                "kind": kind,
                "status": status,
                "content": document(
                    number=f"{kind[0].upper()}{customer['country']}{10_000_000 + number}",
                    holder=_holder(rng, customer, number),
                    issued={"country": customer["country"], "on": issued.isoformat()},
                ),
                "remarks": _remark(rng, customer),
                "expires_on": issued + timedelta(days=3652),
                "created_at": read,
                "updated_at": changed(rng, read, 0.1),
            }


def support_tickets(draft: Draft) -> Iterator[Row]:
    """Few customers ask often. One ticket in six takes up an older one of the same customer."""
    rng = draft.rng("support_tickets")
    asking = [row for row in draft.tables["customers"] if row["created_at"] < START] or draft.tables["customers"][:1]
    rng.shuffle(asking)
    staff = [row["employee_id"] for row in draft.tables["employees"]]
    customer_of, total = Weighted(asking, 0.8), draft.count(1500)
    last: dict[int, int] = {}
    for number in range(1, total + 1):
        customer = customer_of.draw(rng)
        created = max(START + (END - START) * ((number - rng.random()) / total), customer["created_at"])
        key = customer["customer_id"]
        status = rng.choices(("open", "waiting", "closed"), (15, 10, 75))[0]
        words = {"name": customer["full_name"], "email": customer["email"] or "?"}
        yield {
            "ticket_id": number,
            "customer_id": key,
            "agent_id": None if status == "open" else rng.choice(staff),
            "parent_id": last.get(key) if rng.random() < 1 / 6 else None,
            "channel": rng.choices(("phone", "mail", "chat"), (4, 3, 3))[0],
            "subject": rng.choice(_SUBJECTS).format(**words),
            "body": _question(rng, customer),
            "status": status,
            "created_at": created,
            "updated_at": changed(rng, created, 0.6),
        }
        last[key] = number


def _holder(rng: Random, customer: Row, number: int) -> Row:
    born: date | None = customer["birth_date"]
    past = [{name: customer[name] for name in ("street", "city", "postal_code")}] if rng.random() < 0.7 else []
    return {
        "name": customer["full_name"],
        "birth_date": born.isoformat() if born else None,
        "national_id": f"{born:%y%m%d}-{number % 10_000:04d}" if born else None,
        "addresses": past,
    }


def _remark(rng: Random, customer: Row) -> str | None:
    return rng.choices(
        (
            None,
            "",
            f"Foto unscharf, {customer['full_name']} wurde angerufen ({customer['phone'] or 'keine Nummer'}).",
            f"Name differs from e-mail {customer['email'] or '-'}; accepted.",
        ),
        (85, 3, 7, 5),
    )[0]


def _question(rng: Random, customer: Row) -> str | None:
    other = person(rng, 900_000 + rng.randrange(99_999))
    return rng.choices(
        (
            None,
            f"Hej, jag heter {customer['full_name']} och når er inte. Ring {customer['phone'] or 'mig'}!",
            f"I sent money to {other.name} ({other.email or 'no e-mail'}) and it never arrived.\nPlease help.",
            f"Meine Adresse ist jetzt {other.street}, {other.postal_code} {other.city}. Gruß, {customer['full_name']}",
            "Why was I charged twice? 😡",
            f"Proszę o kontakt: {customer['email'] or other.email}",
        ),
        (6, 20, 18, 14, 30, 12),
    )[0]


def _ip(rng: Random) -> str:
    if rng.random() < 0.2:
        return f"2001:db8::{rng.randrange(1, 65_536):x}"
    return f"{rng.choice(_NETWORKS)}.{rng.randrange(256)}"
