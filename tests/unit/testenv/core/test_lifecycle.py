"""An environment moves forward only, and ends."""

from __future__ import annotations

import pytest

from testenv.core.errors import Conflict
from testenv.core.lifecycle import _NEXT, ENDED, HOLDING, State, advance


def test_every_state_has_its_followers() -> None:
    assert set(_NEXT) == set(State)


@pytest.mark.parametrize("state", State)
def test_staying_is_allowed_so_that_a_step_may_be_retried(state: State) -> None:
    assert advance("sbx-a", state, state) is state


def test_a_step_not_foreseen_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        Conflict, match="sbx-a is ready and cannot become provisioning; what may follow is destroying, moving"
    ):
        advance("sbx-a", State.READY, State.PROVISIONING)


@pytest.mark.parametrize("state", set(State) - ENDED)
def test_every_state_reaches_an_end(state: State) -> None:
    reached, todo = set(), [state]
    while todo:
        current = todo.pop()
        reached.add(current)
        todo += [follower for follower in _NEXT[current] if follower not in reached]
    assert reached & ENDED


def test_what_holds_a_place_ends_only_through_destroying() -> None:
    assert all(not _NEXT[state] & ENDED for state in HOLDING - {State.DESTROYING})
