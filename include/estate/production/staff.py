"""The bank's own people: branches, and employees, who refer to each other and to themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from estate.production.people import COUNTRIES, mail_name, person
from estate.production.tables import FOUNDED, START, Draft, Row, changed, moment


def branches(draft: Draft) -> Iterator[Row]:
    """The manager of branch n is employee n."""
    rng = draft.rng("branches")
    for number in range(1, draft.count(12) + 1):
        country = rng.choice(COUNTRIES)
        city, _ = rng.choice(country.cities)
        created = FOUNDED + timedelta(days=30 * number)
        yield {
            "branch_id": number,
            "manager_id": number,
            "name": f"{city} {number}",
            "city": city,
            "country": country.code,
            "created_at": created,
            "updated_at": changed(rng, created, 0.1),
        }


def employees(draft: Draft) -> Iterator[Row]:
    """The first leads the bank, those after lead a branch each, all others are led by their branch's manager."""
    rng = draft.rng("employees")
    offices = len(draft.tables["branches"])
    for number in range(1, draft.count(120) + 1):
        who = person(rng, 700_000 + number)
        branch = number if number <= offices else rng.randint(1, offices)
        hired = moment(rng, FOUNDED, START)
        yield {
            "employee_id": number,
            "manager_id": None if number == 1 else 1 if number <= offices else branch,
            "branch_id": branch,
            "full_name": who.name,
            "email": f"{mail_name(who.name)}.{number}@finsight.test",
            "phone": who.phone,
            "role": "manager" if number <= offices else rng.choices(("advisor", "agent", "analyst"), (4, 5, 1))[0],
            "hired_on": hired.date(),
            "created_at": hired,
            "updated_at": changed(rng, hired, 0.15),
        }
