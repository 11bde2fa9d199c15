"""Reaping: what is to end, ended; what is old, forgotten. Everything is looked at again right before it is ended."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from testenv.core.errors import Conflict, Drifted, InvalidName, NotFound
from testenv.core.lifecycle import ENDED, USABLE, State
from testenv.core.naming import EnvId
from testenv.core.plan import desired, in_order
from testenv.core.reap import Finding, Why, of_ledger, of_systems, unknown
from testenv.core.resources import Resource, System
from testenv.core.upkeep import Upkeep
from testenv.engine import Engine
from testenv.ledger import Environment


class Marks(Protocol):
    """What the systems' own comments and tags say of resources."""

    def of(self, resources: Collection[Resource]) -> Mapping[Resource, str]:
        """The environment that the mark of each names, empty without one; only of those that could have a mark."""


class Artifacts(Protocol):
    """What environments leave behind: logs, results, reports."""

    def older(self, before: datetime) -> Mapping[EnvId, int]:
        """How many objects written before then there are, by environment."""

    def delete_older(self, before: datetime) -> Mapping[EnvId, int]:
        """Delete them; how many, by environment."""


@dataclass(frozen=True)
class Outdated:
    """What is older than it is kept: objects, lives that ended, exported code that nobody builds any more."""

    since: datetime
    artifacts: Mapping[EnvId, int]
    lives: tuple[EnvId, ...]
    code: tuple[Path, ...]

    def __str__(self) -> str:
        lines = [f"kept since {self.since:%Y-%m-%d %H:%M} UTC"]
        lines += [f"artifacts of {env_id}: {number} objects" for env_id, number in sorted(self.artifacts.items())]
        lines += [f"history of {env_id}" for env_id in self.lives]
        lines += [f"exported code {folder.name}" for folder in self.code]
        return "\n".join(lines)


@dataclass(frozen=True)
class Reaper:
    """Uses of an engine that look after all its environments. `code` is the folder of code exported for builds."""

    engine: Engine
    marks: Marks
    artifacts: Artifacts
    upkeep: Upkeep
    code: Path

    # ---------------------------------------------------------------- find

    def findings(self, env_id: EnvId | None = None) -> list[Finding]:
        """All that is wrong, of one environment or of all: what is to end, and what is only told. Changes nothing."""
        before = self._lives(env_id)
        observed = self.engine.observe(env_id)
        after = self._lives(env_id)
        wanted = {life.env_id: self._wanted(life) for life in after if life.state in USABLE}
        known = of_ledger(before, after, observed, wanted, self.engine.clock())
        leftovers = unknown([*before, *after], observed)
        if not leftovers:
            return known
        every = [resource for resources in leftovers.values() for resource in resources]
        return known + of_systems(leftovers, self.marks.of(every), self.engine.ledger.made(leftovers.keys()))

    def _lives(self, env_id: EnvId | None) -> list[Environment]:
        lives = self.engine.ledger.environments(states=frozenset(State) - ENDED)
        return [life for life in lives if env_id in (None, life.env_id)]

    def _wanted(self, life: Environment) -> frozenset[Resource]:
        return desired(life.spec, self.engine.datasets.get(life.spec.dataset, life.spec.tapes))

    def mark(self, findings: Collection[Finding]) -> None:
        """Write down of each ready environment which parts it lacks, and strike what is no longer so."""
        drifted = {finding.env_id: finding for finding in findings if finding.why is Why.DRIFTED}
        for life in self.engine.ledger.environments(states=[State.READY]):
            finding = drifted.get(life.env_id)
            reason = f"{finding.words}: {'; '.join(map(str, finding.resources))}" if finding else None
            if reason != life.reason:
                self.engine.ledger.mark(life.env_id, reason, self.engine.clock())

    # ---------------------------------------------------------------- end

    def reap(self, env_id: EnvId) -> list[Finding]:
        """End one environment, or what is left of it, after looking again; returns what was found and ended.

        Raises `Conflict` where nothing is to end any more, `Drifted` where something is still there afterwards.
        """
        found = [finding for finding in self.findings(env_id) if finding.ends]
        if not found:
            raise Conflict(f"nothing of {env_id} is to end: it was renewed, extended or ended meanwhile")
        for finding in found:
            if finding.why is Why.ORPHAN:
                self._destroy_orphan(finding)
            else:
                state = self.engine.ledger.seize(env_id, self.engine.clock(), lost=finding.why is Why.LOST).state
                if state is State.DESTROYING:  # neither a request that ended, nor one whose move was cut off
                    destroy_wholly(self.engine, env_id)
        return found

    def _destroy_orphan(self, finding: Finding) -> None:
        env_id = finding.env_id
        for resource in in_order(finding.resources, reverse=True):
            if self._lives(env_id):
                raise Conflict(f"{env_id} was asked for anew: what was left of it is left to that")
            self.engine.backends[resource.system].destroy(resource)
        left = sorted(set(finding.resources) & self.engine.observe(env_id))
        if left:
            raise Drifted(f"of {env_id} there is still {'; '.join(map(str, left))}. The next reaping tries again")

    # ---------------------------------------------------------------- forget

    def outdated(self) -> Outdated:
        """What `retain` would delete. Changes nothing."""
        since = self.upkeep.kept_since(self.engine.clock())
        lives = tuple(life.env_id for life in self.engine.ledger.ended_before(since))
        return Outdated(since, self.artifacts.older(since), lives, tuple(self._dead_code()))

    def retain(self) -> Outdated:
        """Delete what is older than it is kept; returns what was."""
        since = self.upkeep.kept_since(self.engine.clock())
        code = tuple(self._dead_code())
        for folder in code:
            shutil.rmtree(folder, ignore_errors=True)
        return Outdated(since, self.artifacts.delete_older(since), tuple(self.engine.ledger.forget(since)), code)

    def _dead_code(self) -> list[Path]:
        """Folders of builds that died: named after an environment that is not being made."""
        return [folder for folder in sorted(self.code.glob("*")) if folder.is_dir() and self._is_dead(folder.name)]

    def _is_dead(self, name: str) -> bool:
        try:
            state = self.engine.ledger.environment(EnvId(name)).state
            return state not in (State.PROVISIONING, State.MOVING)
        except InvalidName:
            return False  # not ours
        except NotFound:
            return True


def destroy_wholly(engine: Engine, env_id: EnvId) -> None:
    """Drain, destroy and verify in one go: for cleaning up, where no one waits for parallel tasks."""
    engine.drain(env_id)
    engine.destroy(env_id, list(System))
    engine.verify_gone(env_id)
