"""Moving environments to another dataset version, and what their owners keep over it.

A move is a provision whose plan begins at what is there: `begin` plans it, then `Engine.ensure`, `verify` and `ready`
do the rest, and `Engine.abandon` leaves what failed quarantined, to be moved again. docs/decisions/0006 says why.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, cast

from testenv.backends.protocol import Keeper
from testenv.core.errors import Busy, Conflict, NotFound
from testenv.core.kept import Kept
from testenv.core.lifecycle import USABLE, State
from testenv.core.moves import Follower, in_order_of_need, plan_move
from testenv.core.naming import EnvId, Names
from testenv.core.plan import desired
from testenv.core.resources import System
from testenv.core.spec import LATEST
from testenv.engine import Engine
from testenv.ledger import Environment


class Metadata(Protocol):
    """A backend that can look into the metadata database of an environment's Airflow."""

    def dag_runs(self, env_id: EnvId) -> list[str]:
        """DAG runs that are at work."""


@dataclass(frozen=True)
class Mover:
    """Uses of an engine that move environments."""

    engine: Engine

    # ---------------------------------------------------------------- what is kept

    def keep(self, env_id: EnvId, things: Collection[str]) -> list[str]:
        """Mark things (`SYSTEM:NAME`) as kept; returns all that is kept.

        Raises `Invalid` for what cannot be kept, `NotFound` for what the environment has not, `Conflict` unless it is
        ready. Nothing is marked when anything is wrong.
        """
        environment, wanted = self.engine.ledger.environment(env_id), [Kept.parse(thing) for thing in things]
        if environment.state not in USABLE:
            raise Conflict(f"{env_id} is {environment.state}: what is kept of it can be said when it is ready")
        if missing := [thing for thing in wanted if not self._holds(env_id, thing)]:
            raise NotFound(f"{env_id} has no {', '.join(map(str, missing))}. Nothing was marked as kept")
        self.engine.ledger.keep(env_id, wanted, self.engine.clock())
        return self.kept(env_id)

    def release(self, env_id: EnvId, things: Collection[str]) -> list[str]:
        """Mark things as kept no longer; returns what still is. Raises `NotFound` for what was not kept."""
        known, given = self.engine.ledger.keeping(env_id).things, [Kept.parse(thing) for thing in things]
        if self.engine.ledger.environment(env_id).state not in USABLE:
            raise Conflict(f"{env_id} is not ready: what is kept of it can be said when it is")
        if unknown := [str(thing) for thing in given if thing not in known]:
            kept = ", ".join(map(str, sorted(known))) or "nothing"
            raise NotFound(f"{env_id} does not keep {', '.join(unknown)}; it keeps {kept}")
        self.engine.ledger.release(env_id, given, self.engine.clock())
        return self.kept(env_id)

    def kept(self, env_id: EnvId) -> list[str]:
        """All that is kept of an environment."""
        return [str(thing) for thing in sorted(self.engine.ledger.keeping(env_id).things)]

    def _holds(self, env_id: EnvId, thing: Kept) -> bool:
        return cast(Keeper, self.engine.backends[thing.system]).holds(env_id, thing.name)

    # ---------------------------------------------------------------- who follows

    def followers(self, version: str = LATEST) -> list[EnvId]:
        """The environments that are to move to `version`, in order of need.

        Those that follow, are ready, and stand on another; also those whose last move failed or was cut off.
        """
        found = []
        for environment in self.engine.ledger.environments(states=USABLE):
            spec = environment.spec
            kind = self.engine.kinds[spec.kind]
            stands = environment.state is State.READY and spec.dataset == self._target(environment, version)
            if (
                not kind.moves(asked=spec.follow) or stands or environment.ready_at is None
            ):  # what never was ready is kept to be looked into
                continue
            snapshot = self.engine.datasets.get(spec.dataset).snapshot
            found.append(Follower(environment.env_id, kind.follows == "always", snapshot, environment.expires_at))
        return in_order_of_need(found)

    def _target(self, environment: Environment, version: str) -> str:
        return self.engine.datasets.resolve(version, self.engine.kinds[environment.spec.kind].dataset_tier)

    # ---------------------------------------------------------------- move

    def at_work(self, env_id: EnvId) -> list[str]:
        """What runs in the environment, in words: a move waits for it, and never cuts it."""
        tasks = self.engine.orchestrator.tasks(env_id).values()
        runs = [" ".join(task.command) for task in tasks if task.command[:1] != ("serve",)]
        jobs = [r.name for r in self.engine.backends[System.SPARK].observe(env_id) if r.kind == "job"]
        scheduled = []
        if any(task.command == ("serve",) for task in tasks):
            scheduled = cast(Metadata, self.engine.backends[System.POSTGRES]).dag_runs(env_id)
        return [*runs, *(f"Spark job {name}" for name in sorted(jobs)), *scheduled]

    def begin(self, env_id: EnvId, version: str = LATEST, *, run_id: str) -> Environment:
        """Begin to move a ready environment, or go on with a move that was cut off: plan all that is left to do.

        Its scheduler and web UI are stopped. Raises `Busy` while something runs in it, `Conflict` where it may not be
        moved, or stands on the version already; then it stays as it was. `UnknownDataset` as provision does.
        """
        before = self.engine.ledger.environment(env_id)
        target = self._target(before, version)
        if before.state is State.READY and before.spec.dataset == target:
            raise Conflict(f"{env_id} stands on {target} already. Name another version, or destroy and provision anew")
        self._require_idle(env_id)
        environment = self.engine.ledger.begin_move(env_id, run_id, self.engine.clock())
        try:
            self._require_idle(env_id)  # from here on nothing starts in it
        except Busy:
            if before.state in USABLE:
                words = before.reason or "it was at work, so its move was put off"
                self.engine.ledger.move(env_id, before.state, words, self.engine.clock())
            raise
        self.engine.stop_serving(env_id)
        spec = environment.spec.model_copy(update={"dataset": target})
        running = {"job", "task"}  # as for drift: its use, not its shape
        observed = {resource for resource in self.engine.observe(env_id) if resource.kind not in running}
        wanted = desired(spec, self.engine.datasets.get(target, spec.tapes))
        steps = plan_move(wanted, observed, self.engine.ledger.keeping(env_id), Names(env_id))
        return self.engine.ledger.plan_move(env_id, target, steps, self.engine.clock())

    def _require_idle(self, env_id: EnvId) -> None:
        if work := self.at_work(env_id):
            raise Busy(f"{env_id} is at work ({'; '.join(work[:5])}): it is moved when that has ended")
