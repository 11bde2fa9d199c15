"""Who may come in: quotas by kind, a first-come queue for ci, a refusal that names the holders for the rest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from testenv.core.errors import Refused
from testenv.core.kinds import Kind
from testenv.core.naming import EnvId


@dataclass(frozen=True)
class Holder:
    """An environment that holds a place, or waits for one."""

    env_id: EnvId
    owner: str
    expires_at: datetime | None


@dataclass(frozen=True)
class Admitted:
    """There is a place."""


@dataclass(frozen=True)
class Queued:
    """There is none yet. `place` counts from 1."""

    place: int


def admit(env_id: EnvId, kind: Kind, holders: Sequence[Holder], queue: Sequence[EnvId]) -> Admitted | Queued:
    """Whether `env_id` may come in now.

    `holders` hold the places of its kind; `queue` waits in order of request and may include `env_id`. Raises `Refused`
    where the kind does not queue and every place is taken.
    """
    ahead = queue[: queue.index(env_id)] if env_id in queue else queue
    if len(holders) + len(ahead) < kind.at_once:
        return Admitted()
    if kind.over_quota == "queue":
        return Queued(len(ahead) + 1)
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
