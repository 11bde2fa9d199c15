"""Who may come in: quotas by kind, a first-come queue for ci, a refusal that names the holders for the rest. Pure.

Whoever waits gives a sign of life by asking again; one whose lease is over has died and is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from testenv.core.errors import Refused
from testenv.core.kinds import Kind
from testenv.core.naming import EnvId


@dataclass(frozen=True)
class Holder:
    """An environment that holds a place."""

    env_id: EnvId
    owner: str
    expires_at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """A request that is not admitted yet, and until when its last sign of life counts."""

    env_id: EnvId
    lease_until: datetime


@dataclass(frozen=True)
class Admitted:
    """There is a place."""


@dataclass(frozen=True)
class Queued:
    """There is none yet. `place` counts from 1."""

    place: int


def lapsed(queue: Sequence[Waiting], now: datetime, *, asking: EnvId | None = None) -> list[EnvId]:
    """Those of the queue that have died. Who is `asking` lives, however long ago it asked before."""
    return [waiting.env_id for waiting in queue if waiting.lease_until <= now and waiting.env_id != asking]


def place_of(env_id: EnvId, queue: Sequence[Waiting], now: datetime) -> int:
    """The place of `env_id`, from 1, among those of the queue that live; the last, if it is not in it yet."""
    dead = set(lapsed(queue, now, asking=env_id))
    alive = [waiting.env_id for waiting in queue if waiting.env_id not in dead]
    return (alive.index(env_id) if env_id in alive else len(alive)) + 1


def turn(place: int, kind: Kind, held: int) -> Queued | None:
    """The place in the queue, once what is free is taken by those before; `None` for whom something is free, too."""
    free = max(0, kind.at_once - held)
    return Queued(place - free) if place > free else None


def admit(
    env_id: EnvId, kind: Kind, holders: Sequence[Holder], queue: Sequence[Waiting], now: datetime
) -> Admitted | Queued:
    """Whether `env_id` may come in now.

    `holders` hold the places of its kind; `queue` waits in order of request and may include `env_id`. Raises `Refused`
    where the kind does not queue and every place is taken.
    """
    if kind.over_quota == "queue":
        return turn(place_of(env_id, queue, now), kind, len(holders)) or Admitted()
    if len(holders) < kind.at_once:  # no queue: whoever asks while there is a place has it
        return Admitted()
    named = "; ".join(
        f"{holder.env_id} of {holder.owner}, until {holder.expires_at:%Y-%m-%d %H:%M} UTC"
        if holder.expires_at
        else f"{holder.env_id} of {holder.owner}"
        for holder in holders
    )
    raise Refused(
        f"no place for {env_id}: all {kind.at_once} places of its kind are taken by {named}. "
        "Ask a holder to give one up (bin/testenv down ENV), or wait for one to expire"
    )
