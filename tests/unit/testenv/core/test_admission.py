"""Admission: quotas by kind, first come first served, refusals that name the holders, leases of who waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testenv.core.admission import Admitted, Holder, Queued, Waiting, admit, lapsed, place_of
from testenv.core.errors import Refused
from testenv.core.kinds import load_kinds
from testenv.core.naming import EnvId

CI, SANDBOX = load_kinds()["ci"], load_kinds()["sandbox"]
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
ALIVE, DEAD = NOW + timedelta(seconds=1), NOW


def holders(number: int, kind: str = "ci") -> list[Holder]:
    return [Holder(EnvId(f"{kind}-h{n}"), f"owner{n}", NOW) for n in range(number)]


def waiting(number: int) -> list[Waiting]:
    return [Waiting(EnvId(f"ci-q{n}"), ALIVE) for n in range(number)]


queues = st.lists(st.booleans(), max_size=60).map(
    lambda alive: [Waiting(EnvId(f"ci-q{n}"), ALIVE if lives else DEAD) for n, lives in enumerate(alive)]
)


def test_a_free_place_is_taken() -> None:
    assert admit(EnvId("ci-a"), CI, holders(29), [], NOW) == Admitted()


def test_the_first_over_the_quota_waits_at_place_one() -> None:
    assert admit(EnvId("ci-a"), CI, holders(30), [], NOW) == Queued(1)


def test_a_new_request_does_not_overtake_the_queue() -> None:
    assert admit(EnvId("ci-new"), CI, holders(29), waiting(1), NOW) == Queued(1)
    assert admit(EnvId("ci-new"), CI, holders(30), waiting(1), NOW) == Queued(2)


@given(st.integers(0, 40), queues)
def test_of_the_living_as_many_come_in_as_places_are_free_and_the_rest_have_each_a_place_of_its_own(
    held: int, queue: list[Waiting]
) -> None:
    living = [one.env_id for one in queue if one.lease_until == ALIVE]
    verdicts = [admit(env_id, CI, holders(held), queue, NOW) for env_id in living]
    free = max(0, CI.at_once - held)
    assert verdicts[:free] == [Admitted()] * min(free, len(living))
    assert verdicts[free:] == [Queued(place) for place in range(1, len(living) - free + 1)]


@given(st.integers(0, 40), queues, st.randoms(use_true_random=False))
def test_in_whatever_order_they_ask_they_come_in_as_they_requested_and_nobody_starves(
    held: int, queue: list[Waiting], order: object
) -> None:
    """Places come free one by one; whoever lives keeps asking."""
    holding, left = holders(held), list(queue)
    came_in: list[EnvId] = []
    living = [one.env_id for one in queue if one.lease_until == ALIVE]
    while set(living) - set(came_in):
        before = len(came_in)
        asking = [env_id for env_id in living if env_id not in came_in]
        order.shuffle(asking)  # type: ignore[attr-defined]
        for _ in range(2):  # once more, as one who asked too early may have its turn now
            for env_id in [env_id for env_id in asking if env_id not in came_in]:
                if admit(env_id, CI, holding, left, NOW) == Admitted():
                    came_in.append(env_id)
                    holding.append(Holder(env_id, "x", None))
                    left = [one for one in left if one.env_id != env_id]
                    assert len(holding) <= max(CI.at_once, held)
        assert set(came_in) == set(living[: len(came_in)]), "never past one who requested before"
        if len(came_in) == before:
            holding.pop()


@given(queues)
def test_who_asks_lives_and_who_died_is_passed_over(queue: list[Waiting]) -> None:
    for position, one in enumerate(queue):
        ahead = [other for other in queue[:position] if other.lease_until == ALIVE]
        assert place_of(one.env_id, queue, NOW) == len(ahead) + 1
        assert one.env_id not in lapsed(queue, NOW, asking=one.env_id)
    assert lapsed(queue, NOW) == [one.env_id for one in queue if one.lease_until == DEAD]


def test_a_refusal_names_the_holders_and_until_when() -> None:
    with pytest.raises(Refused) as refusal:
        admit(EnvId("sbx-a"), SANDBOX, holders(10, "sbx"), [], NOW)
    assert all(f"sbx-h{n} of owner{n}, until 2026-01-02 12:00 UTC" in str(refusal.value) for n in range(10))
    assert "bin/testenv down" in str(refusal.value)


def test_a_kind_that_does_not_queue_gives_a_place_to_who_asks() -> None:
    asked_before = [Waiting(EnvId("sbx-slow"), ALIVE)]
    assert admit(EnvId("sbx-a"), SANDBOX, holders(9, "sbx"), asked_before, NOW) == Admitted()
