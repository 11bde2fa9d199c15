"""An engine on a real ledger and systems in memory, and the ways to bring an environment into a state."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from testenv.backends.memory import MemoryBackend
from testenv.backends.protocol import TaskStatus
from testenv.core.admission import Admitted
from testenv.core.dataset import Dataset, Topic
from testenv.core.errors import UnknownDataset
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.resources import System
from testenv.engine import Engine

DATASET = Dataset(
    version="seed-1a2b3c4d",
    files={},
    postgres={"customers": 3},
    snowflake={"RAW.PAYMENTS": 2},
    topics=(Topic(name="card_events", partitions=3, records=4),),
)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
_numbers = itertools.count()


STEPS = 21
"""How many steps a provision has; a test says so where this is no longer true."""


class Datasets:
    def resolve(self, version: str, tier: str = "") -> str:
        if version not in ("latest", DATASET.version):
            raise UnknownDataset(f"dataset: {version!r} does not exist; there is {DATASET.version}")
        return DATASET.version

    def resolve_tapes(self, name: str | None) -> str:
        return name or ""

    def get(self, version: str, tapes: str = "") -> Dataset:
        return DATASET


class Source:
    def resolve(self, ref: str) -> str:
        return ref

    def archive(self, ref: str) -> bytes:
        return b""


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class Orchestrator:
    """Tasks in memory."""

    running: dict[str, TaskStatus] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)

    def start(self, env_id: EnvId, command: tuple[str, ...]) -> str:
        task_id = f"task{len(self.running)}"
        self.running[task_id] = TaskStatus("running", command, address="127.0.0.1:1")
        return task_id

    def status(self, task_id: str) -> TaskStatus | None:
        return self.running.get(task_id)

    def tasks(self, env_id: EnvId) -> dict[str, TaskStatus]:
        return self.running

    def stop(self, task_id: str) -> None:
        del self.running[task_id]

    def artifact(self, env_id: EnvId, path: str) -> str | None:
        return self.artifacts.get(path)


class Access:
    def connections(self, site: Any) -> dict[str, dict[str, str]]:
        return {"airflow": {"user": "admin"}}


def request(engine: Engine, **conf: Any) -> EnvId:
    run = f"run{next(_numbers)}"
    return engine.request(conf, run_id=run, fallback_name=run).env_id


def provisioned(engine: Engine, **conf: Any) -> EnvId:
    env_id = request(engine, **conf)
    assert engine.admit(env_id) == Admitted()
    engine.ensure(env_id, set(System))
    engine.verify(env_id)
    engine.ready(env_id)
    return env_id


def handed_over(engine: Engine, **conf: Any) -> EnvId:
    """An environment that is ready as far as the ledger goes: nothing of it was made."""
    env_id = request(engine, **conf)
    assert engine.admit(env_id) == Admitted()
    engine.ready(env_id)
    return env_id


def destroyed(engine: Engine, env_id: EnvId) -> State:
    engine.drain(env_id)
    engine.destroy(env_id, set(System))
    return engine.verify_gone(env_id).state


def memory(engine: Engine, system: System) -> MemoryBackend:
    backend = engine.backends[system]
    assert isinstance(backend, MemoryBackend)
    return backend


def clock(engine: Engine) -> Clock:
    assert isinstance(engine.clock, Clock)
    return engine.clock


@dataclass
class Artifacts:
    """When each environment's objects were written."""

    written: dict[EnvId, list[datetime]] = field(default_factory=dict)

    def older(self, before: datetime) -> dict[EnvId, int]:
        counts = {env_id: sum(time < before for time in times) for env_id, times in self.written.items()}
        return {env_id: number for env_id, number in counts.items() if number}

    def delete_older(self, before: datetime) -> dict[EnvId, int]:
        found = self.older(before)
        self.written = {env_id: [t for t in times if t >= before] for env_id, times in self.written.items()}
        return found
