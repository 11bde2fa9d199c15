"""Reading the ledger. The UI and the CLI get this and nothing that writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import create_engine, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from testenv.core.admission import Holder
from testenv.core.errors import NotFound, Unavailable
from testenv.core.lifecycle import HOLDING, State
from testenv.core.naming import EnvId
from testenv.core.resources import Action, Resource, Step, System
from testenv.core.spec import EnvironmentSpec
from testenv.ledger.tables import environments, events, steps


@dataclass(frozen=True)
class Environment:
    """One life of an environment, as the ledger has it. Times are aware, in UTC."""

    life: int
    env_id: EnvId
    spec: EnvironmentSpec
    state: State
    run_id: str
    requested_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    reason: str | None


@dataclass(frozen=True)
class StepRecord:
    """A step and how it went: `status` is planned, applied or failed."""

    id: int
    step: Step
    status: str
    attempts: int
    error: str | None


class LedgerReader:
    """Questions to the ledger. Raises `Unavailable`."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(
            url, pool_size=1, max_overflow=20, pool_pre_ping=True, future=True, connect_args={"connect_timeout": 10}
        )

    def close(self) -> None:
        """Give up the connections it keeps."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise Unavailable(f"the ledger does not answer: {error.orig}. Is its Postgres up (make status)?") from error

    def environment(self, env_id: EnvId) -> Environment:
        """The newest life of `env_id`. Raises `NotFound`."""
        with self._transaction() as connection:
            return _newest(connection, env_id)

    def environments(self, *, states: Collection[State] = frozenset(State), limit: int = 500) -> list[Environment]:
        """Lives in one of `states`, newest request first."""
        query = (
            select(environments)
            .where(environments.c.state.in_([state.value for state in states]))
            .order_by(environments.c.id.desc())
            .limit(limit)
        )
        with self._transaction() as connection:
            return [_environment(row) for row in connection.execute(query).mappings()]

    def living(self) -> list[Environment]:
        """Every environment of which something may exist."""
        return self.environments(states=HOLDING)

    def queue_place(self, env_id: EnvId) -> int | None:
        """Place in the queue of its kind, from 1; `None` if it does not wait."""
        with self._transaction() as connection:
            waiting = _queue(connection, env_id.kind)
        return waiting.index(env_id) + 1 if env_id in waiting else None

    def steps(self, env_id: EnvId, action: Action | None = None, system: System | None = None) -> list[StepRecord]:
        """Steps of the newest life of `env_id`, in order."""
        with self._transaction() as connection:
            return _steps(connection, _newest(connection, env_id).life, action, system)

    def events(self, env_id: EnvId) -> list[tuple[datetime, str, str]]:
        """What happened in the newest life of `env_id`: time, state, words."""
        with self._transaction() as connection:
            query = (
                select(events.c.at, events.c.state, events.c.text)
                .where(events.c.life == _newest(connection, env_id).life)
                .order_by(events.c.id)
            )
            return [(row.at, row.state, row.text) for row in connection.execute(query)]


def _newest(connection: Connection, env_id: EnvId, *, lock: bool = False) -> Environment:
    query = select(environments).where(environments.c.env_id == str(env_id)).order_by(environments.c.id.desc()).limit(1)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise NotFound(f"there is no environment {env_id}. bin/testenv list shows those there are")
    return _environment(row)


def _environment(row: Any) -> Environment:
    spec = dict(row["spec"])
    env_id = EnvId(row["env_id"])
    return Environment(
        life=row["id"],
        env_id=env_id,
        spec=EnvironmentSpec(**{**spec, "env_id": env_id}),
        state=State(row["state"]),
        run_id=row["run_id"],
        requested_at=row["requested_at"],
        ready_at=row["ready_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        reason=row["reason"],
    )


def _holders(connection: Connection, kind: str) -> list[Holder]:
    query = select(environments.c.env_id, environments.c.owner, environments.c.expires_at).where(
        environments.c.kind == kind, environments.c.state.in_([state.value for state in HOLDING])
    )
    return [Holder(EnvId(row.env_id), row.owner, row.expires_at) for row in connection.execute(query)]


def _queue(connection: Connection, kind: str) -> list[EnvId]:
    query = (
        select(environments.c.env_id)
        .where(environments.c.kind == kind, environments.c.state == State.QUEUED.value)
        .order_by(environments.c.id)
    )
    return [EnvId(row.env_id) for row in connection.execute(query)]


def _steps(connection: Connection, life: int, action: Action | None, system: System | None) -> list[StepRecord]:
    query = select(steps).where(steps.c.life == life).order_by(steps.c.id)
    if action:
        query = query.where(steps.c.action == action.value)
    if system:
        query = query.where(steps.c.system == system.value)
    return [
        StepRecord(
            id=row["id"],
            step=Step(
                Action(row["action"]),
                Resource(
                    System(row["system"]),
                    row["kind"],
                    row["name"],
                    tuple(sorted((str(k), str(v)) for k, v in row["settings"].items())),
                ),
            ),
            status=row["status"],
            attempts=row["attempts"],
            error=row["error"],
        )
        for row in connection.execute(query).mappings()
    ]
