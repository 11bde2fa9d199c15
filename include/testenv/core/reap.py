"""What is to be ended, and what is not ours to end. Pure: the clock, the ledger and the inventories are arguments.

Names find what may be ours; they are no proof where a system has room for a mark. There the mark must name the
environment, or, where what would write it died before it did, the ledger must know that we made the thing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from testenv.core.lifecycle import ENDED, USABLE, WAITING, WORKING, State
from testenv.core.naming import EnvId, owner_of
from testenv.core.resources import Resource


class Why(StrEnum):
    """What is wrong with an environment, or with what bears its name."""

    EXPIRED = "expired"
    STUCK = "stuck"
    LAPSED = "lapsed"
    LOST = "lost"
    CUT = "cut off"
    ORPHAN = "orphan"
    DRIFTED = "drifted"
    FOREIGN = "not ours"


ENDS = frozenset({Why.EXPIRED, Why.STUCK, Why.LAPSED, Why.LOST, Why.CUT, Why.ORPHAN})
"""What is ended, of a move that was cut off the move alone; the others are told and left alone."""


@dataclass(frozen=True)
class Finding:
    """One environment, or what bears its name: what is wrong, in words, and what proves that it is ours to end."""

    env_id: EnvId
    why: Why
    words: str
    proof: str
    resources: tuple[Resource, ...] = ()

    @property
    def ends(self) -> bool:
        """Whether reaping ends it."""
        return self.why in ENDS

    def __str__(self) -> str:
        what = f": {'; '.join(map(str, self.resources))}" if self.resources else ""
        return f"{self.env_id} {self.why}: {self.words} [{self.proof}]{what}"


class Life(Protocol):
    """What the ledger has of an environment."""

    @property
    def life(self) -> int: ...
    @property
    def env_id(self) -> EnvId: ...
    @property
    def state(self) -> State: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def lease_until(self) -> datetime | None: ...


def overdue(life: Life, now: datetime) -> tuple[Why, str] | None:
    """Why an environment is to end by what the ledger has of it, if it is: its time is over, or its holder died."""
    if life.state in USABLE and life.expires_at and life.expires_at <= now:
        return Why.EXPIRED, f"its time was over at {life.expires_at:%Y-%m-%d %H:%M} UTC"
    if life.lease_until is None or life.lease_until > now:
        return None
    silent = f"who worked on it has given no sign of life, and its lease ended at {life.lease_until:%Y-%m-%d %H:%M} UTC"
    if life.state is State.MOVING:  # its owner may have marked things as kept: it is not destroyed
        return Why.CUT, f"{silent}: its move to another dataset version is to be done again"
    if life.state in WORKING:
        return Why.STUCK, f"it is {life.state}, {silent}"
    return (Why.LAPSED, silent.replace("worked on", "asked for")) if life.state in WAITING else None


def missing(wanted: Collection[Resource], observed: Collection[Resource]) -> list[Resource]:
    """What an environment shall have and the systems have not, by name."""
    return sorted(set(wanted) - set(observed))


def of_ledger(
    before: Iterable[Life],
    after: Iterable[Life],
    observed: Collection[Resource],
    wanted: Mapping[EnvId, Collection[Resource]],
    now: datetime,
) -> list[Finding]:
    """Findings among the environments that the ledger knows and that have not ended.

    `before` and `after` are what it had before and after the systems were asked for `observed`: only what it had as
    usable both times can be missed. `wanted` is what each usable environment shall have.
    """
    found, usable = [], {life.life for life in before if life.state in USABLE}
    for life in after:
        proof = f"the ledger, life {life.life}"
        if due := overdue(life, now):
            found.append(Finding(life.env_id, due[0], due[1], proof))
        elif life.state in USABLE and life.life in usable:
            parts = missing(wanted[life.env_id], observed)
            if parts and len(parts) == len(wanted[life.env_id]):
                found.append(Finding(life.env_id, Why.LOST, "the systems have nothing of it", proof))
            elif parts and life.state is State.READY:  # what failed and is kept to look into may lack parts
                found.append(Finding(life.env_id, Why.DRIFTED, "parts of it are missing", proof, tuple(parts)))
    return found


def unknown(lives: Iterable[Life], observed: Iterable[Resource]) -> dict[EnvId, list[Resource]]:
    """What bears the name of an environment of which none of `lives` is under way."""
    living = {life.env_id for life in lives if life.state not in ENDED}
    found: dict[EnvId, list[Resource]] = {}
    for resource in observed:
        owner = owner_of(resource.name)
        if owner and owner not in living:
            found.setdefault(owner, []).append(resource)
    return found


def of_systems(
    leftovers: Mapping[EnvId, Collection[Resource]],
    marks: Mapping[Resource, str],
    made: Collection[Resource],
) -> list[Finding]:
    """Findings among what no environment of the ledger owns: orphans, and what only looks like one.

    `marks` has what the system's own mark says of each resource that could have one (empty: there is none); `made` is
    what the ledger knows that we made.
    """
    found = []
    for env_id, resources in sorted(leftovers.items()):
        ours: dict[Resource, str] = {}
        foreign = []
        for resource in sorted(resources):
            if proof := _proof(env_id, resource, marks, made):
                ours[resource] = proof
            else:
                foreign.append(resource)
        if ours:
            words = "the ledger knows it as no living environment"
            proofs = ", ".join(sorted(set(ours.values())))
            found.append(Finding(env_id, Why.ORPHAN, words, proofs, tuple(ours)))
        if foreign:
            told = sorted({f"{marks[resource]!r}" if marks[resource] else "nothing" for resource in foreign})
            words = "it has a name such as ours, and no mark that says so: it is left alone"
            found.append(Finding(env_id, Why.FOREIGN, words, f"its mark says {', '.join(told)}", tuple(foreign)))
    return found


def _proof(env_id: EnvId, resource: Resource, marks: Mapping[Resource, str], made: Collection[Resource]) -> str:
    if resource not in marks:
        return "by name: the system has no room for a mark"
    if marks[resource] == str(env_id):
        return "by name and mark"
    return "by name, and the ledger made it" if not marks[resource] and resource in made else ""
