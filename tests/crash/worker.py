"""A worker that can be killed: it does tasks of one environment as Airflow's would, and may die at any boundary.

A boundary lies after everything that changes something outside the worker: after each write of the ledger, and after
each call of a backend. What lies between two of them changes nothing, so a worker that was killed at every boundary
was killed everywhere that matters. Nothing here is known to the engine: its ledger and backends are wrapped.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

from testenv.backends.protocol import Backend
from testenv.backends.registry import connect_engine
from testenv.config import Config
from testenv.core.dataset import Dataset
from testenv.core.naming import EnvId
from testenv.core.resources import Action, Resource, Step, System
from testenv.datasets.store import DatasetStore
from testenv.engine import Engine
from testenv.ledger import LedgerWriter
from testenv.moves import Mover

TOPICS = ("account_events", "card_events")

WRITES = frozenset(name for name, thing in vars(LedgerWriter).items() if callable(thing) and not name.startswith("_"))
"""What the ledger's writer can write; a new verb is among them by itself."""


@dataclass(frozen=True)
class Task:
    """One call of the engine, as one task of Airflow makes it."""

    verb: str
    systems: tuple[System, ...] = tuple(System)

    def __str__(self) -> str:
        return self.verb if set(self.systems) == set(System) else f"{self.verb}({', '.join(self.systems)})"


PROVISION = (Task("admit"), Task("ensure"), Task("verify"), Task("ready"))
MOVE = (Task("begin"), Task("ensure"), Task("verify"), Task("ready"))
DESTROY = (Task("drain"), Task("destroy"), Task("verify_gone"))


@dataclass(frozen=True)
class Never:
    """Lives to the end."""

    def __call__(self, boundary: str) -> bool:
        return False


@dataclass(frozen=True)
class AtFirstNew:
    """Dies at the first boundary at which none of its predecessors died."""

    known: frozenset[str]

    def __call__(self, boundary: str) -> bool:
        return boundary not in self.known


@dataclass(frozen=True)
class At:
    """Dies at one boundary."""

    boundary: str

    def __call__(self, boundary: str) -> bool:
        return boundary == self.boundary


@dataclass(frozen=True)
class HeldAt:
    """Waits at one boundary until all who share the barrier have come, and again until all may go; dies at another."""

    boundary: str
    barrier: Barrier
    dies_at: str = ""

    def __call__(self, boundary: str) -> bool:
        if boundary == self.boundary:
            self.barrier.wait()
            self.barrier.wait()
        return boundary == self.dies_at


@dataclass
class AtNumber:
    """Dies at the boundary with this number, from 1."""

    number: int

    def __call__(self, boundary: str) -> bool:
        self.number -= 1
        return self.number == 0


@dataclass(frozen=True)
class Job:
    """What a worker is to do: `tasks` of `env_id`, whose request is `conf`. It dies where `dies` says so."""

    env_id: str
    conf: Mapping[str, Any]
    tasks: tuple[Task, ...]
    dies: Callable[[str], bool] = field(default_factory=Never)
    now: datetime | None = None  # what its clock shows, if not the time
    version: str = "latest"  # that it is moved to


def connect(config: Config) -> Engine:
    """The engine, with datasets of two topics: each further one would add boundaries of the same code, and a minute."""
    engine = connect_engine(config)
    return replace(engine, datasets=_TwoTopics(config))


class _TwoTopics(DatasetStore):
    def get(self, version: str, tapes: str = "") -> Dataset:
        dataset = super().get(version, tapes)
        return dataset.model_copy(update={"topics": tuple(topic for topic in dataset.topics if topic.name in TOPICS)})


def work(job: Job, parent: Connection) -> None:
    """Do `job`. Tells `parent` each boundary, each task that is done, and what went wrong."""
    engine = connect(Config.from_environ())
    if now := job.now:
        engine = replace(engine, clock=lambda: now)
    for task in job.tasks:

        def passed(boundary: str, task: Task = task) -> None:
            parent.send(("passed", f"{task}: {boundary}"))
            if job.dies(f"{task}: {boundary}"):
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            _call(mortal(engine, passed), task, job)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
            parent.send(("failed", (type(error).__name__, str(error))))
            return
        parent.send(("done", task.verb))


def _call(engine: Engine, task: Task, job: Job) -> None:
    env_id = EnvId(job.env_id)
    match task.verb:
        case "admit":
            requested = engine.request(job.conf, run_id=f"run of {env_id}", fallback_name=job.env_id.split("-", 1)[1])
            engine.admit(requested.env_id)
        case "begin":
            Mover(engine).begin(env_id, job.version, run_id=f"move of {env_id}")
        case "ensure" | "destroy":
            getattr(engine, task.verb)(env_id, task.systems)
        case "abandon":
            engine.abandon(env_id, "its worker was killed")
        case "verify" | "ready" | "drain" | "verify_gone":
            getattr(engine, task.verb)(env_id)
        case _:
            raise ValueError(f"no task is called {task.verb}")


def mortal(engine: Engine, passed: Callable[[str], None]) -> Engine:
    """`engine`, telling `passed` each boundary. A boundary that comes again is numbered."""
    times: dict[str, int] = {}

    def numbered(boundary: str) -> None:
        times[boundary] = times.get(boundary, 0) + 1
        passed(boundary if times[boundary] == 1 else f"{boundary} #{times[boundary]}")

    backends = {system: _Backend(backend, numbered) for system, backend in engine.backends.items()}
    return replace(engine, ledger=_Ledger(engine.ledger, numbered), backends=backends)


class _Ledger:
    """The ledger, with a boundary after each write."""

    def __init__(self, ledger: LedgerWriter, passed: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._passed = passed
        self._steps: dict[int, Step] = {}

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._ledger, name)
        if name not in WRITES:
            return verb

        def write(*args: Any, **kwargs: Any) -> Any:
            answer = verb(*args, **kwargs)
            step = self._steps.get(args[0]) if isinstance(args[0], int) else None
            self._passed(f"{name} {step}" if step else name)
            return answer

        return write

    def steps(self, *args: Any, **kwargs: Any) -> Any:
        records = self._ledger.steps(*args, **kwargs)
        self._steps.update({record.id: record.step for record in records})
        return records


class _Backend:
    """A backend, with a boundary after each change."""

    def __init__(self, backend: Backend, passed: Callable[[str], None]) -> None:
        self._backend = backend
        self._passed = passed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def ensure(self, resource: Resource, site: Any) -> None:
        self._backend.ensure(resource, site)
        self._passed(f"did {Step(Action.ENSURE, resource)}")

    def destroy(self, resource: Resource) -> None:
        self._backend.destroy(resource)
        self._passed(f"did {Step(Action.DESTROY, resource)}")


def boundaries_of(task: str, steps: Collection[Step]) -> set[str]:
    """The boundaries that each of `steps` has: written as started, done, written as applied."""
    return {f"{task}: {phase} {step}" for step in steps for phase in ("started", "did", "applied")}
