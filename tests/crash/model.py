"""What the ledger must say of environments, decided without it: pure, told only what happened and what time it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from testenv.core.kinds import Kind
from testenv.core.lifecycle import ENDED, USABLE, WAITING, WORKING, State
from testenv.core.reap import Why
from testenv.core.upkeep import Leases


@dataclass
class Life:
    """One life of an environment, on `dataset`: who works on it last gave a sign of life at `alive`."""

    requested: datetime
    alive: datetime
    dataset: str
    state: State = State.REQUESTED
    expires: datetime | None = None


@dataclass
class Model:
    """All environments, by id."""

    kind: Kind
    leases: Leases
    now: datetime
    lives: dict[str, Life] = field(default_factory=dict)

    def state(self, env_id: str) -> State | None:
        """Of its newest life; `None` when it never lived."""
        return self.lives[env_id].state if env_id in self.lives else None

    def living(self) -> list[str]:
        return sorted(env_id for env_id, life in self.lives.items() if life.state not in ENDED)

    def happened(self, env_id: str, boundaries: Iterable[str], dataset: str) -> None:
        """A worker passed `boundaries`: what is written is written, whether or not it lived to know.

        `dataset` is the version that it makes the environment of, or moves it to.
        """
        for boundary in boundaries:
            self._happened(env_id, boundary, dataset)

    def _happened(self, env_id: str, boundary: str, dataset: str) -> None:
        task, what = boundary.split(": ", 1)
        if (task, what) == ("admit", "request") and self.state(env_id) in (None, *ENDED):
            self.lives[env_id] = Life(self.now, self.now, dataset)
        life = self.lives[env_id]
        life.alive = self.now
        match task, what:
            case "admit", "admit" if life.state is State.REQUESTED:
                life.state = State.PROVISIONING
                life.expires = self.kind.expires(self.now, None)
            case "begin", "begin_move":
                life.state = State.MOVING
            case "begin", "plan_move":
                life.dataset = dataset
            case "ready", "move":
                life.state = State.READY
            case "drain", "move":
                life.state = State.DESTROYED if life.state in WAITING else State.DESTROYING
            case "verify_gone", "move":
                life.state = State.DESTROYED

    def extend(self, env_id: str, hours: int) -> bool:
        """Whether its end may be moved; it is, if so."""
        life = self.lives[env_id]
        if life.state not in USABLE or life.expires is None or self.kind.extendable_to is None:
            return False
        until = life.expires + timedelta(hours=hours)
        if until > life.requested + timedelta(hours=self.kind.extendable_to):
            return False
        life.expires = until
        return True

    def due(self, env_id: str) -> Why | None:
        """Why reaping ends it, if it does."""
        life = self.lives.get(env_id)
        if life is None:
            return None
        silent = (self.now - life.alive).total_seconds()
        if life.state in USABLE and life.expires and life.expires <= self.now:
            return Why.EXPIRED
        if life.state in WORKING and silent >= self.leases.working:
            return Why.CUT if life.state is State.MOVING else Why.STUCK
        return Why.LAPSED if life.state in WAITING and silent >= self.leases.waiting else None

    def reaped(self, env_id: str) -> None:
        life = self.lives[env_id]
        if life.state is State.MOVING:
            life.state, life.alive = State.QUARANTINED, self.now
        else:
            life.state = State.REFUSED if life.state in WAITING else State.DESTROYED
