"""Reading the ledger. The UI and the CLI get this and nothing that writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import create_engine, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from testenv.core.admission import Holder, Waiting, turn
from testenv.core.errors import Busy, Failed, NotFound, Unavailable
from testenv.core.kept import Keeping, Kept
from testenv.core.kinds import Kinds
from testenv.core.lifecycle import ENDED, HOLDING, WAITING, State
from testenv.core.naming import EnvId
from testenv.core.resources import Action, Resource, Step, System
from testenv.core.spec import EnvironmentSpec
from testenv.ledger.tables import environments, events, kept, steps

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 30
LOCK_SECONDS = 20
"""How long admission, which is one at a time, may be waited for."""

CONNECTIONS = 5
"""Of one process at once. Sixteen tasks, the triggerer and two web workers stay far below what Postgres allows."""

UNDEFINED = ("42P01", "42703")
"""SQLSTATEs of a table and of a column that is not there."""


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
    lease_until: datetime | None = None
    moved_by: str | None = None


@dataclass(frozen=True)
class StepRecord:
    """A step and how it went: `status` is planned, applied or failed, or void where a later plan has no use for it.

    `position` is its place in the plan it was last part of.
    """

    id: int
    step: Step
    status: str
    attempts: int
    error: str | None
    position: int = 0

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be applied."""
        return self.status in ("planned", "failed")


class LedgerReader:
    """Questions to the ledger, each with a deadline. Raises `Unavailable`, and `Busy` when too many ask at once."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(
            url,
            pool_size=1,
            max_overflow=CONNECTIONS - 1,
            pool_timeout=STATEMENT_SECONDS,
            pool_pre_ping=True,
            future=True,
            connect_args=connect_arguments(),
        )

    def close(self) -> None:
        """Give up the connections it keeps."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except PoolTimeout as error:
            raise Busy(f"more than {CONNECTIONS} questions to the ledger at once from one process") from error
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(f"the ledger does not answer: {error.orig}. Is its Postgres up (make status)?") from error
        except ProgrammingError as error:
            if getattr(error.orig, "pgcode", None) not in UNDEFINED:
                raise
            raise Failed(
                f"the ledger has an older shape: {error.orig}. Bring it to the newest: "
                "python -m testenv.ledger migrate (make up does)"
            ) from error

    def environment(self, env_id: EnvId) -> Environment:
        """The newest life of `env_id`. Raises `NotFound`."""
        with self._transaction() as connection:
            return _newest(connection, env_id)

    def environments(self, *, states: Collection[State] = frozenset(State), limit: int = 500) -> list[Environment]:
        """Lives in one of `states`, newest request first."""
        query = select(environments).where(_in(states)).order_by(environments.c.id.desc()).limit(limit)
        with self._transaction() as connection:
            return [_environment(row) for row in connection.execute(query).mappings()]

    def living(self) -> list[Environment]:
        """Every environment of which something may exist."""
        return self.environments(states=HOLDING)

    def queue_places(self, kinds: Kinds) -> dict[EnvId, int]:
        """The place of every request that waits, from 1, in the queue of its kind.

        One for which a place is free waits no longer, though it may not have asked for it yet.
        """
        places: dict[EnvId, int] = {}
        with self._transaction() as connection:
            for name, kind in ((name, kind) for name, kind in kinds.items() if kind.over_quota == "queue"):
                held, queue = _crowd(connection, name)
                turns = {waiting.env_id: turn(place, kind, held) for place, waiting in enumerate(queue, 1)}
                places |= {env_id: queued.place for env_id, queued in turns.items() if queued}
        return places

    def made(self, env_ids: Collection[EnvId]) -> set[Resource]:
        """What any remembered life of these environments began to make."""
        query = (
            select(steps.c.system, steps.c.kind, steps.c.name)
            .join(environments, environments.c.id == steps.c.life)
            .where(
                environments.c.env_id.in_([str(env_id) for env_id in env_ids]),
                steps.c.action == Action.ENSURE.value,
                steps.c.attempts > 0,
            )
            .distinct()
        )
        with self._transaction() as connection:
            return {Resource(System(row.system), row.kind, row.name) for row in connection.execute(query)}

    def ended_before(self, time: datetime) -> list[Environment]:
        """Lives that ended before `time`, oldest first."""
        query = select(environments).where(_in(ENDED), environments.c.ended_at < time).order_by(environments.c.id)
        with self._transaction() as connection:
            return [_environment(row) for row in connection.execute(query).mappings()]

    def steps(self, env_id: EnvId, action: Action | None = None, system: System | None = None) -> list[StepRecord]:
        """Steps of the newest life of `env_id`, in order."""
        with self._transaction() as connection:
            return _steps(connection, _newest(connection, env_id).life, action, system)

    def keeping(self, env_id: EnvId) -> Keeping:
        """What is kept of the newest life of `env_id`."""
        with self._transaction() as connection:
            query = select(kept.c.thing).where(kept.c.life == _newest(connection, env_id).life)
            return Keeping(frozenset(map(Kept.parse, connection.execute(query).scalars())))

    def events(self, env_id: EnvId) -> list[tuple[datetime, str, str]]:
        """What happened in the newest life of `env_id`: time, state, words."""
        with self._transaction() as connection:
            query = (
                select(events.c.at, events.c.state, events.c.text)
                .where(events.c.life == _newest(connection, env_id).life)
                .order_by(events.c.id)
            )
            return [(row.at, row.state, row.text) for row in connection.execute(query)]


def connect_arguments() -> dict[str, str | int]:
    """What libpq is told: deadlines for the login, statements, locks, and for a server that no longer answers."""
    milliseconds = {
        "statement_timeout": STATEMENT_SECONDS * 1000,
        "lock_timeout": LOCK_SECONDS * 1000,
        "idle_in_transaction_session_timeout": 60_000,
    }
    return {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "testenv ledger",
        "options": " ".join(f"-c {name}={value}" for name, value in milliseconds.items()),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": STATEMENT_SECONDS * 1000,
    }


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
        lease_until=row["lease_until"],
        moved_by=row["moved_by"],
    )


def _holders(connection: Connection, kind: str) -> list[Holder]:
    query = select(environments.c.env_id, environments.c.owner, environments.c.expires_at).where(
        environments.c.kind == kind, _in(HOLDING)
    )
    return [Holder(EnvId(row.env_id), row.owner, row.expires_at) for row in connection.execute(query)]


def _crowd(connection: Connection, kind: str) -> tuple[int, list[Waiting]]:
    """How many hold a place, and the requests that are not admitted yet in their order; both at the same moment.

    Also those that have not asked for admission so far.
    """
    query = (
        select(environments.c.env_id, environments.c.state, environments.c.lease_until, environments.c.requested_at)
        .where(environments.c.kind == kind, _in(HOLDING | WAITING))
        .order_by(environments.c.id)
    )
    rows = connection.execute(query).all()
    queue = [Waiting(EnvId(r.env_id), r.lease_until or r.requested_at) for r in rows if State(r.state) in WAITING]
    return len(rows) - len(queue), queue


def _in(states: Collection[State]) -> Any:
    return environments.c.state.in_([state.value for state in states])


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
            position=row["position"],
        )
        for row in connection.execute(query).mappings()
    ]
