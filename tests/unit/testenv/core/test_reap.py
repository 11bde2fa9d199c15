"""Reaping decides by the ledger, the inventories and the marks; a name alone proves nothing where a mark could."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.reap import Why, of_ledger, of_systems, overdue, unknown
from testenv.core.resources import Resource, System

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
PAST, FUTURE = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)
A = EnvId("sbx-a")
DATABASE = Resource(System.POSTGRES, "database", "te_sbx_a_src")
TOPIC = Resource(System.KAFKA, "topic", "te.sbx-a.card_events")

LOOK_ALIKES = [
    "finsight", "FINSIGHT", "postgres", "testenv_ledger", "airflow_management", "te_template_airflow",
    "te_golden_seed_1a2b3c4d_src", "TE_GOLDEN_SEED_1A2B3C4D", "TE_SBX", "TE_PAYMENTS", "te_sbx__a_src", "te_sbx_a_src_",
    "te.sbx-x", "te..card_events", "te.SBX-A.card_events", "te.sbx-a-.x", "te-sbx", "te-testenv-admin", "xte-sbx-a",
    "env/NOT-AN-ID/lake/x", "env/", "env/sbx_a/x", "datasets/seed-1a2b3c4d/landing/x", "datasets/current",
    "artifacts/reports/x", "/testenv/orchestrator", "/testenv/SBX-A/credentials/kafka", "/finsight/sbx-a/x",
    "card_events",
]  # fmt: skip
"""Names of production, of golden datasets, of the control plane's own things, and others' that look like ours."""


@dataclass(frozen=True)
class OneLife:
    state: State
    expires_at: datetime | None = None
    lease_until: datetime | None = None
    env_id: EnvId = A
    life: int = 7


@pytest.mark.parametrize(
    ("life", "why"),
    [
        (OneLife(State.READY, expires_at=PAST), Why.EXPIRED),
        (OneLife(State.READY, expires_at=NOW), Why.EXPIRED),
        (OneLife(State.READY, expires_at=FUTURE), None),
        (OneLife(State.READY), None),
        (OneLife(State.QUARANTINED, expires_at=PAST), Why.EXPIRED),
        (OneLife(State.PROVISIONING, expires_at=PAST, lease_until=FUTURE), None),
        (OneLife(State.PROVISIONING, expires_at=FUTURE, lease_until=PAST), Why.STUCK),
        (OneLife(State.DESTROYING, lease_until=PAST), Why.STUCK),
        (OneLife(State.DESTROYING, lease_until=FUTURE), None),
        (OneLife(State.QUEUED, expires_at=PAST, lease_until=FUTURE), None),
        (OneLife(State.QUEUED, lease_until=PAST), Why.LAPSED),
        (OneLife(State.REQUESTED, lease_until=PAST), Why.LAPSED),
    ],
)
def test_what_is_used_ends_by_its_time_and_what_is_worked_on_by_its_lease(life: OneLife, why: Why | None) -> None:
    due = overdue(life, NOW)
    assert (due[0] if due else None) == why


def test_only_what_was_usable_before_the_systems_were_asked_can_be_missed() -> None:
    ready, making = OneLife(State.READY), OneLife(State.PROVISIONING, lease_until=FUTURE)
    wanted = {A: [DATABASE, TOPIC]}
    assert of_ledger([making], [ready], [], wanted, NOW) == []
    assert [f.why for f in of_ledger([ready], [ready], [], wanted, NOW)] == [Why.LOST]
    assert [(f.why, f.resources) for f in of_ledger([ready], [ready], [TOPIC], wanted, NOW)] == [
        (Why.DRIFTED, (DATABASE,))
    ]
    assert of_ledger([ready], [ready], [TOPIC, DATABASE], wanted, NOW) == []


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_name_that_is_no_environments_is_never_found(name: str) -> None:
    resources = [Resource(system, "database", name) for system in System]
    assert unknown([], resources) == {}


@pytest.mark.parametrize("state", State)
def test_what_a_life_that_is_under_way_owns_is_no_orphan(state: State) -> None:
    ended = state in (State.DESTROYED, State.REFUSED)
    assert unknown([OneLife(state)], [TOPIC]) == ({A: [TOPIC]} if ended else {})


@pytest.mark.parametrize(
    ("mark", "made", "why"),
    [
        ("sbx-a", False, Why.ORPHAN),
        ("sbx-b", True, Why.FOREIGN),
        ("owned by finance", True, Why.FOREIGN),
        ("", False, Why.FOREIGN),
        ("", True, Why.ORPHAN),
    ],
)
def test_what_could_have_a_mark_is_ours_by_that_or_by_the_ledger_where_it_has_none(
    mark: str, made: bool, why: Why
) -> None:
    [finding] = of_systems({A: [DATABASE]}, {DATABASE: mark}, {DATABASE} if made else set())
    assert (finding.why, finding.resources) == (why, (DATABASE,))


def test_what_cannot_have_a_mark_is_ours_by_name() -> None:
    [finding] = of_systems({A: [TOPIC]}, {}, set())
    assert (finding.why, finding.proof) == (Why.ORPHAN, "by name: the system has no room for a mark")
    assert str(finding).startswith("sbx-a orphan: ")
