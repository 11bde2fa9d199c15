from __future__ import annotations

from datetime import UTC, datetime

from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.reap import Finding, Why
from testenv.core.spec import EnvironmentSpec, OnFailure
from testenv.ledger import Environment
from testenv_airflow import notes

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def environment(**changes: object) -> Environment:
    spec = EnvironmentSpec(
        env_id=EnvId("sbx-pay-fix"),
        kind="sandbox",
        owner="ada",
        ref="working-tree",
        dataset="seed-1a2b3c4d",
        ttl_hours=None,
        on_failure=OnFailure.DESTROY,
        warehouse="TE_WH_SANDBOX",
    )
    values = {
        "life": 1,
        "env_id": spec.env_id,
        "spec": spec,
        "state": State.READY,
        "run_id": "run",
        "requested_at": NOON,
        "ready_at": NOON,
        "expires_at": NOON,
        "ended_at": None,
        "reason": None,
    }
    return Environment(**(values | changes))  # type: ignore[arg-type]


def test_a_ready_note_has_id_address_expiry_and_how_to_connect() -> None:
    note = notes.ready(environment())
    for needed in (
        "sbx-pay-fix",
        "2026-01-02 12:00 UTC",
        "/testenv/environments/sbx-pay-fix",
        "bin/testenv connect sbx-pay-fix",
        "TE_SBX_PAY_FIX",
    ):
        assert needed in note
    assert len(note) <= notes.LENGTH


def test_an_environment_without_end_says_so() -> None:
    assert "until it is destroyed" in notes.ready(environment(expires_at=None))


def test_a_long_reason_is_cut_and_the_outcome_is_not() -> None:
    note = notes.failed("Failed in x: " + "y" * 5000, "Nothing is left.")
    assert note.endswith("Nothing is left.") and len(note) == notes.LENGTH


def test_a_waiting_note_tells_the_place() -> None:
    assert "place 3 of the sandbox queue" in notes.waiting(environment(), 3)


def test_a_reaping_says_what_it_ends_and_what_it_leaves_alone() -> None:
    expired = Finding(EnvId("sbx-a"), Why.EXPIRED, "over", "the ledger")
    foreign = Finding(EnvId("sbx-b"), Why.FOREIGN, "no mark", "none")
    assert notes.found([], spared=False) == "Nothing is to end."
    assert notes.found([expired, foreign], spared=True) == (
        "Would end sbx-a (expired). Left alone: sbx-b (not ours). The log of `find` says why."
    )
    assert len(notes.found([expired] * 200, spared=False)) <= notes.LENGTH
