"""The states of an environment, and which may follow which."""

from __future__ import annotations

from enum import StrEnum

from testenv.core.errors import Conflict


class State(StrEnum):
    """Where an environment stands in its life."""

    REQUESTED = "requested"
    QUEUED = "queued"
    PROVISIONING = "provisioning"
    READY = "ready"
    MOVING = "moving"
    QUARANTINED = "quarantined"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"
    REFUSED = "refused"


HOLDING = frozenset({State.PROVISIONING, State.READY, State.MOVING, State.QUARANTINED, State.DESTROYING})
"""States in which an environment holds a place of its kind's quota, because its parts may exist."""

WAITING = frozenset({State.REQUESTED, State.QUEUED})
"""States before admission, in which nothing of an environment exists."""

WORKING = frozenset({State.PROVISIONING, State.MOVING, State.DESTROYING})
"""States in which someone must be at work on an environment, and gives a sign of life by renewing its lease."""

USABLE = frozenset({State.READY, State.QUARANTINED})
"""States in which pipelines may be run in an environment, and people may log in to it."""

ENDED = frozenset({State.DESTROYED, State.REFUSED})
"""States in which nothing of an environment exists and its id may be used again."""

_NEXT: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.QUEUED, State.PROVISIONING, State.REFUSED, State.DESTROYED}),
    State.QUEUED: frozenset({State.PROVISIONING, State.REFUSED, State.DESTROYED}),
    State.PROVISIONING: frozenset({State.READY, State.QUARANTINED, State.DESTROYING}),
    State.READY: frozenset({State.MOVING, State.DESTROYING}),
    State.MOVING: frozenset({State.READY, State.QUARANTINED, State.DESTROYING}),
    State.QUARANTINED: frozenset({State.MOVING, State.DESTROYING}),
    State.DESTROYING: frozenset({State.DESTROYED}),
    State.DESTROYED: frozenset(),
    State.REFUSED: frozenset(),
}


def advance(env_id: object, current: State, to: State) -> State:
    """`to`, if it may follow `current` or is `current` (a retried step). Raises `Conflict`."""
    if to is current or to in _NEXT[current]:
        return to
    allowed = ", ".join(sorted(_NEXT[current])) or "nothing: it has ended"
    raise Conflict(f"{env_id} is {current} and cannot become {to}; what may follow is {allowed}")
