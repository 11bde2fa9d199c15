"""Admission: quotas by kind, first come first served, refusals that name the holders."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testenv.core.admission import Admitted, Holder, Queued, admit
from testenv.core.errors import Refused
from testenv.core.kinds import load_kinds
from testenv.core.naming import EnvId

CI, SANDBOX = load_kinds()["ci"], load_kinds()["sandbox"]
END = datetime(2026, 1, 2, 12, tzinfo=UTC)


def holders(number: int, kind: str = "ci") -> list[Holder]:
    return [Holder(EnvId(f"{kind}-h{n}"), f"owner{n}", END) for n in range(number)]


def waiting(number: int) -> list[EnvId]:
    return [EnvId(f"ci-q{n}") for n in range(number)]


def test_a_free_place_is_taken() -> None:
    assert admit(EnvId("ci-a"), CI, holders(29), []) == Admitted()


def test_the_first_over_the_quota_waits_at_place_one() -> None:
    assert admit(EnvId("ci-a"), CI, holders(30), []) == Queued(1)


def test_a_new_request_does_not_overtake_the_queue() -> None:
    assert admit(EnvId("ci-new"), CI, holders(29), waiting(1)) == Queued(2)


@given(st.integers(0, 40), st.integers(1, 40))
def test_of_the_queue_as_many_come_in_as_places_are_free(held: int, queued: int) -> None:
    queue = waiting(queued)
    verdicts = [admit(env_id, CI, holders(held), queue) for env_id in queue]
    free = max(0, CI.at_once - held)
    assert [isinstance(verdict, Admitted) for verdict in verdicts] == [place < free for place in range(queued)]
    assert [verdict.place for verdict in verdicts if isinstance(verdict, Queued)] == list(range(free + 1, queued + 1))


def test_a_refusal_names_the_holders_and_until_when() -> None:
    with pytest.raises(Refused) as refusal:
        admit(EnvId("sbx-a"), SANDBOX, holders(10, "sbx"), [])
    assert "sbx-h0 of owner0, until 2026-01-02 12:00 UTC" in str(refusal.value)
    assert "bin/testenv down" in str(refusal.value)
