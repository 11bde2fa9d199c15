"""The engine: every use of `plan` and `apply`. Operators, the UI and tests call this and nothing below it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from testenv.backends.protocol import Backend, Orchestrator, Site, Source, TaskStatus, Vault
from testenv.core.admission import Admitted, Queued
from testenv.core.dataset import Dataset
from testenv.core.errors import Conflict, Drifted, Failed, Invalid, NotFound, Terminal, TestenvError
from testenv.core.kinds import Kinds
from testenv.core.lifecycle import ENDED, USABLE, WAITING, State
from testenv.core.naming import EnvId, Names
from testenv.core.plan import desired, plan
from testenv.core.resources import Action, Resource, Step, System
from testenv.core.spec import EnvironmentSpec, Models, OnFailure, parse_request, specify
from testenv.dbt import project_digest
from testenv.ledger import Environment, LedgerWriter
from testenv.ledger.reader import StepRecord

QUARANTINE = timedelta(hours=24)
"""How long a failed environment is kept for inspection when its request asked for that."""


_MAKING = frozenset({State.PROVISIONING, State.MOVING})
"""States in which the planned parts of an environment are made."""


class Connections(Protocol):
    """How a person logs in to each part of an environment."""

    def connections(self, site: Site) -> dict[str, dict[str, str]]:
        """Part → setting → value, credentials included."""


class Datasets(Protocol):
    """The published dataset versions."""

    def resolve(self, version: str, tier: str = "") -> str:
        """The dataset that `version` names, of `tier` where it has some; `latest` is the published pointer's.

        Raises `UnknownDataset`.
        """

    def resolve_tapes(self, name: str | None) -> str:
        """The tape set that `name` means; empty for none. Raises `UnknownDataset`."""

    def get(self, version: str, tapes: str = "") -> Dataset:
        """The manifest of `version`, with the topics of a tape set if one is named. Raises `UnknownDataset`."""


@dataclass(frozen=True)
class RunResult:
    """What a run left behind: `result` is `result.json` (state, tasks, error), `log` its text."""

    result: Mapping[str, Any]
    log: str


def parse_logical_date(text: str) -> str:
    """A logical date in the one form that names it everywhere: `2026-01-02T00:00:00Z`. Raises `Invalid`."""
    try:
        date = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise Invalid(
            f"logical_date: {text[:60]!r} is no ISO 8601 date, such as 2026-01-02 or 2026-01-02T03:00Z"
        ) from error
    return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_of(environment: Environment, run_id: str) -> bool:
    """Whether a run is one that works on the environment: while it is moved, that is its mover alone."""
    if environment.state is State.MOVING:
        return run_id == environment.moved_by
    return run_id in (environment.run_id, environment.moved_by)


@dataclass(frozen=True)
class Engine:
    """Decides with `core`, does with `backends`, remembers in `ledger`."""

    ledger: LedgerWriter
    backends: Mapping[System, Backend]
    vault: Vault
    datasets: Datasets
    source: Source
    orchestrator: Orchestrator
    access: Connections
    kinds: Kinds
    clock: Callable[[], datetime]

    # ---------------------------------------------------------------- provision

    def request(self, conf: Mapping[str, Any], *, run_id: str, fallback_name: str) -> Environment:
        """Check `conf` wholly, then write the request down. Nothing is touched when anything is wrong.

        Raises `Invalid` and its kin, `Conflict`.
        """
        asked = parse_request(conf)
        spec = specify(
            asked,
            self.kinds,
            ref=self.source.resolve(asked.ref),
            dataset=self.datasets.resolve(asked.dataset, self.kinds[asked.kind].dataset_tier),
            tapes=self.datasets.resolve_tapes(asked.tapes),
            fallback_name=fallback_name,
        )
        now = self.clock()
        return self.ledger.request(spec, run_id, self.kinds[spec.kind].expires(now, spec.ttl_hours), now)

    def admit(self, env_id: EnvId) -> Admitted | Queued:
        """Let the environment in and plan all its steps, or tell its place in the queue. Raises `Refused`."""
        spec = self.ledger.environment(env_id).spec
        planned = plan(desired(spec, self.datasets.get(spec.dataset, spec.tapes)), ())
        return self.ledger.admit(env_id, self.kinds, self.clock(), planned)

    def wait(self, env_id: EnvId) -> Admitted | Queued:
        """The place in the queue, or admission once there is one: what who waits asks for again and again.

        Raises `Refused`, and `Conflict` where the request is over.
        """
        return self.ledger.wait(env_id, self.kinds, self.clock()) or self.admit(env_id)

    def builds_models(self, env_id: EnvId) -> bool:
        """Whether the environment is to have models other than those that its dataset brings along."""
        spec = self.ledger.environment(env_id).spec
        there = self.datasets.get(spec.dataset).models
        if there and spec.models is Models.DATASET:
            return False
        return project_digest(self.source.archive(spec.ref)) != there

    def ensure(self, env_id: EnvId, systems: Collection[System], *, run_id: str = "") -> list[Step]:
        """Apply what is planned for `systems` and not yet applied, of a provision or a move."""
        environment = self._of_run(env_id, run_id)
        if environment.state not in _MAKING:
            raise Conflict(f"{env_id} is {environment.state}: only one that is admitted, or being moved, is made")
        site = self.site(environment.spec)
        return [self._take(record, partial(self._do, record, site)) for record in self._pending(env_id, None, systems)]

    def _do(self, record: StepRecord, site: Site) -> None:
        backend, resource = self._backend(record), record.step.resource
        match record.step.action:
            case Action.ENSURE:
                backend.ensure(resource, site)
            case Action.DESTROY:
                backend.destroy(resource)

    def _of_run(self, env_id: EnvId, run_id: str) -> Environment:
        """The environment, if `run_id` is empty or works on it. Raises `Conflict` where its name lives anew."""
        environment = self.ledger.environment(env_id)
        if run_id and not _is_of(environment, run_id):
            holder = environment.moved_by if environment.state is State.MOVING else environment.run_id
            raise Conflict(f"the {env_id} that was asked for by {run_id} has ended; there is one of {holder}")
        return environment

    def verify(self, env_id: EnvId) -> dict[str, int]:
        """Compare what is there with what shall be, and log in everywhere as the environment.

        Returns what it holds: table, topic or file → number. Raises `Drifted`, `Denied`.
        """
        environment = self.ledger.environment(env_id)
        if environment.state not in {*_MAKING, *USABLE}:
            raise Conflict(f"{env_id} is {environment.state}: there is nothing to verify")
        self.ledger.renew(env_id, self.clock())
        site = self.site(environment.spec)
        if drift := self.drift(env_id):
            raise Drifted(f"{env_id} differs from its specification: {'; '.join(map(str, drift))}")
        with ThreadPoolExecutor(len(self.backends)) as pool:
            counts = list(pool.map(lambda backend: backend.probe(site), self.backends.values()))
        return {name: number for count in counts for name, number in count.items()}

    def drift(self, env_id: EnvId) -> tuple[Step, ...]:
        """The steps that would make the environment what its specification says; empty when it is."""
        spec, keeping, names = self.ledger.environment(env_id).spec, self.ledger.keeping(env_id), Names(env_id)
        running = {"job", "task"}  # what runs in it is its use, not its shape
        observed = {resource for resource in self.observe(env_id) if resource.kind not in running}
        wanted = desired(spec, self.datasets.get(spec.dataset, spec.tapes))
        return plan(keeping.without_topics(wanted, names), keeping.without_topics(observed, names))

    def ready(self, env_id: EnvId, *, run_id: str = "") -> Environment:
        """The environment may be used."""
        self._of_run(env_id, run_id)
        return self.ledger.move(env_id, State.READY, "ready", self.clock())

    def abandon(self, env_id: EnvId, reason: str, *, run_id: str = "") -> State:
        """Provisioning failed: keep the environment for inspection if asked for, else start to destroy it.

        A request that was never admitted ends at once, and one whose move failed is quarantined, to be moved again.
        Returns the state that follows; for a run whose environment has ended, and whose name is another's by now, that
        it is destroyed.
        """
        environment, now = self.ledger.environment(env_id), self.clock()
        if run_id and not _is_of(environment, run_id):
            return environment.state if environment.state is State.MOVING else State.DESTROYED
        if environment.state is State.MOVING:
            return self.ledger.move(env_id, State.QUARANTINED, f"its move failed: {reason}", now).state
        if environment.state in WAITING:
            return self.ledger.move(env_id, State.REFUSED, reason, now).state
        if environment.state is not State.PROVISIONING:
            return environment.state
        if environment.spec.on_failure is OnFailure.KEEP:
            self.ledger.expire(env_id, now + QUARANTINE, "kept for inspection for 24 hours", now)
            return self.ledger.move(env_id, State.QUARANTINED, reason, now).state
        return self.ledger.move(env_id, State.DESTROYING, f"provisioning failed: {reason}", now).state

    # ---------------------------------------------------------------- destroy

    def drain(self, env_id: EnvId) -> Environment:
        """Begin to destroy: plan a step for all that may exist, and stop what runs. A waiting request is withdrawn."""
        environment = self.ledger.environment(env_id)
        if environment.state in WAITING:
            return self.ledger.move(env_id, State.DESTROYED, "withdrawn before it was admitted", self.clock())
        if environment.state in ENDED:
            raise Conflict(f"{env_id} is {environment.state}: there is nothing to destroy")
        environment = self.ledger.move(env_id, State.DESTROYING, "destroying", self.clock())
        may_exist = {
            record.step.resource for record in self.ledger.steps(env_id, Action.ENSURE) if record.attempts
        } | self.observe(env_id)
        self.ledger.plan(env_id, plan((), may_exist), self.clock())
        running = [r for r in may_exist if r.kind in ("job", "task")]
        for resource in running:
            self.backends[resource.system].destroy(resource)
        return environment

    def destroy(self, env_id: EnvId, systems: Collection[System] = tuple(System)) -> list[Step]:
        """Apply the planned destruction of `systems`: of the others too where one fails, whose error comes last."""
        failed: dict[System, TestenvError] = {}
        applied = []
        for record in self._pending(env_id, Action.DESTROY, systems):
            system = record.step.resource.system
            if system in failed:
                continue
            try:
                applied.append(self._take(record, partial(self._backend(record).destroy, record.step.resource)))
            except TestenvError as error:
                failed[system] = error
        if failed:
            raise min(failed.values(), key=lambda error: isinstance(error, Terminal))  # what may be tried again, first
        return applied

    def verify_gone(self, env_id: EnvId) -> Environment:
        """Look into every system; the environment has ended when none has anything of it. Raises `Drifted`."""
        self.ledger.renew(env_id, self.clock())
        if left := self.observe(env_id):
            raise Drifted(f"of {env_id} there is still {'; '.join(sorted(map(str, left)))}")
        return self.ledger.move(env_id, State.DESTROYED, "nothing of it is left", self.clock())

    # ---------------------------------------------------------------- tend

    def extend(self, env_id: EnvId, hours: int) -> Environment:
        """Move the end `hours` further, within the bounds of the kind. Raises `Conflict`."""
        environment = self.ledger.environment(env_id)
        kind = self.kinds[environment.spec.kind]
        if environment.state not in (State.READY, State.QUARANTINED) or environment.expires_at is None:
            raise Conflict(f"{env_id} is {environment.state} and has no end to move")
        if hours < 1:
            raise Conflict(f"hours must be 1 or more, got {hours}")
        until = environment.expires_at + timedelta(hours=hours)
        latest = environment.requested_at + timedelta(hours=kind.extendable_to or 0)
        if until > latest:
            raise Conflict(
                f"{env_id} may live until {latest:%Y-%m-%d %H:%M} UTC at most ({kind.extendable_to} hours from its "
                f"creation); {hours} more hours would end at {until:%Y-%m-%d %H:%M}. Ask for fewer, or provision anew"
            )
        return self.ledger.expire(env_id, until, f"extended by {hours} hours", self.clock())

    # ---------------------------------------------------------------- use

    def start_run(self, env_id: EnvId, dag_id: str, logical_date: str) -> str:
        """Run a DAG of the environment for a logical date; returns the id of the task it runs as.

        Raises `Invalid` for a malformed DAG id or date, `Conflict` where the environment is not ready.
        """
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", dag_id):
            raise Invalid(f"dag_id: {dag_id[:60]!r} is no DAG id: letters, digits, '_', '.' and '-'")
        date = parse_logical_date(logical_date)
        return self.start_task(env_id, ("run", dag_id, date), f"runs {dag_id} for {date}")

    def start_task(self, env_id: EnvId, command: tuple[str, ...], what: str) -> str:
        """Start a task of the environment's orchestrator; returns its id. `what` is for its history.

        Raises `Conflict` where the environment is not ready.
        """
        self._require_usable(env_id)
        self.ledger.note(env_id, what, self.clock())
        return self._start(env_id, command)

    def _start(self, env_id: EnvId, command: tuple[str, ...]) -> str:
        """Start a task, unless a move began meanwhile: that has looked for what runs before there was this."""
        task = self.orchestrator.start(env_id, command)
        try:
            self._require_usable(env_id)
        except Conflict:
            self.orchestrator.stop(task)
            raise
        return task

    def run_status(self, task_id: str) -> TaskStatus:
        """How a task started by `start_run` or `start_serving` stands. Raises `NotFound`."""
        status = self.orchestrator.status(task_id)
        if status is None:
            raise NotFound(f"the task {task_id} is forgotten: its orchestrator service was restarted. Start it again")
        return status

    def run_result(self, env_id: EnvId, dag_id: str, logical_date: str) -> RunResult:
        """What a finished run left behind. Raises `NotFound` when it left nothing."""
        folder = f"runs/{dag_id}/{parse_logical_date(logical_date)}/"
        result = self.orchestrator.artifact(env_id, folder + "result.json")
        log = self.orchestrator.artifact(env_id, folder + "log.txt")
        if result is None and log is None:
            raise NotFound(f"{env_id} has no run of {dag_id} for {logical_date}. bin/testenv run starts one")
        return RunResult(json.loads(result or "{}"), log or "")

    def start_serving(self, env_id: EnvId) -> str:
        """Start the environment's own scheduler and web UI, unless they run; returns the id of their task."""
        environment = self._require_usable(env_id)
        if environment.spec.kind == "ci":
            raise Conflict(f"{env_id} is a ci environment: its DAGs run to the end, without scheduler and web UI")
        if serving := self._serving(env_id):
            return serving
        self.ledger.note(env_id, "starts its scheduler and web UI", self.clock())
        return self._start(env_id, ("serve",))

    def serves(self, env_id: EnvId) -> bool:
        """Whether its scheduler and web UI run."""
        return self._serving(env_id) is not None

    def stop_serving(self, env_id: EnvId) -> None:
        """Stop the environment's scheduler and web UI; harmless when they do not run."""
        if serving := self._serving(env_id):
            self.orchestrator.stop(serving)
            self.ledger.note(env_id, "its scheduler and web UI are stopped", self.clock())

    def connections(self, env_id: EnvId) -> dict[str, dict[str, str]]:
        """How to log in to each part, credentials included; the ledger notes that they were shown."""
        environment = self._require_usable(env_id)
        shown = self.access.connections(self.site(environment.spec))
        serving = self._serving(env_id)
        address = self.run_status(serving).address if serving else ""
        shown["airflow"]["url"] = f"http://{address}" if address else ""
        self.ledger.note(env_id, "its credentials were shown", self.clock())
        return shown

    def _serving(self, env_id: EnvId) -> str | None:
        tasks = self.orchestrator.tasks(env_id)
        return next((task_id for task_id, task in tasks.items() if task.command == ("serve",)), None)

    def usable(self, env_id: EnvId) -> bool:
        """Whether the environment can be used now. Raises `NotFound`, and `Conflict` where it never will be."""
        state = self.ledger.environment(env_id).state
        if state is State.DESTROYING or state in ENDED:
            raise Conflict(f"{env_id} is {state}: it cannot be used. bin/testenv up makes a new one")
        return state in USABLE

    def _require_usable(self, env_id: EnvId) -> Environment:
        environment = self.ledger.environment(env_id)
        if environment.state not in USABLE:
            raise Conflict(f"{env_id} is {environment.state}: it can be used when it is ready")
        return environment

    # ---------------------------------------------------------------- parts

    def site(self, spec: EnvironmentSpec) -> Site:
        """What backends may know of the environment."""
        return Site(spec, self.datasets.get(spec.dataset, spec.tapes), self.vault, self.ledger.keeping(spec.env_id))

    def observe(self, env_id: EnvId | None) -> frozenset[Resource]:
        """What every system has of one environment, or of all."""
        with ThreadPoolExecutor(len(self.backends)) as pool:
            found = list(pool.map(lambda backend: backend.observe(env_id), self.backends.values()))
        return frozenset().union(*found)

    def _backend(self, record: StepRecord) -> Backend:
        return self.backends[record.step.resource.system]

    def _pending(self, env_id: EnvId, action: Action | None, systems: Collection[System]) -> list[StepRecord]:
        """Steps of `systems` that are planned and not applied, in the plan's order."""
        records = sorted(self.ledger.steps(env_id, action), key=lambda each: each.position)
        return [each for each in records if each.is_pending and each.step.resource.system in systems]

    def _take(self, record: StepRecord, do: Callable[[], None]) -> Step:
        """Take one step, written down before and after."""
        self.ledger.started(record.id, self.clock())
        try:
            do()
        except TestenvError as error:
            self.ledger.failed(record.id, str(error), self.clock())
            raise
        except Exception as error:
            self.ledger.failed(record.id, f"{type(error).__name__}", self.clock())
            raise Failed(f"{record.step} failed: {type(error).__name__}. The task's log has the traceback") from error
        self.ledger.applied(record.id, self.clock())
        return record.step
