"""Writing the ledger: requests, admissions, steps planned before they are applied, and how they went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from testenv.core.admission import Admitted, Queued, admit
from testenv.core.errors import Conflict, Refused
from testenv.core.kinds import Kinds
from testenv.core.lifecycle import ENDED, WAITING, State, advance
from testenv.core.naming import EnvId
from testenv.core.resources import Step
from testenv.core.spec import EnvironmentSpec
from testenv.ledger.reader import Environment, LedgerReader, _holders, _newest, _queue
from testenv.ledger.tables import environments, events, steps

_ADMISSION_LOCK = 7_305_001
"""Key of the advisory lock that makes admissions one at a time."""


class LedgerWriter(LedgerReader):
    """Changes to the ledger, each one transaction. `now` is an argument: the ledger has no clock."""

    def request(self, spec: EnvironmentSpec, run_id: str, expires_at: datetime | None, now: datetime) -> Environment:
        """Write a request down. The same `run_id` asking again gets what it has. Raises `Conflict`."""
        with self._transaction() as connection:
            found = connection.execute(
                select(environments.c.run_id).where(
                    environments.c.env_id == str(spec.env_id), environments.c.ended_at.is_(None)
                )
            ).scalar()
            if found == run_id:
                return _newest(connection, spec.env_id)
            if found is not None:
                raise _taken(_newest(connection, spec.env_id))
            life = self._insert(connection, spec, run_id, expires_at, now)
            _note(connection, life, State.REQUESTED, f"requested by {spec.owner}", now)
            return _newest(connection, spec.env_id)

    def _insert(
        self, connection: Connection, spec: EnvironmentSpec, run_id: str, expires_at: datetime | None, now: datetime
    ) -> int:
        row = {
            "env_id": str(spec.env_id),
            "kind": spec.kind,
            "owner": spec.owner,
            "spec": spec.model_dump(mode="json", exclude={"env_id"}),
            "state": State.REQUESTED.value,
            "run_id": run_id,
            "requested_at": now,
            "expires_at": expires_at,
        }
        try:
            with connection.begin_nested():
                life = connection.execute(insert(environments).values(row).returning(environments.c.id)).scalar_one()
                return int(life)
        except IntegrityError as error:  # another request for the same id came between the look and the insert
            raise _taken(_newest(connection, spec.env_id)) from error

    def admit(self, env_id: EnvId, kinds: Kinds, now: datetime) -> Admitted | Queued:
        """Let `env_id` in, or queue it, one admission at a time. Raises `Refused` and ends the request."""
        refusal: Refused | None = None
        verdict: Admitted | Queued = Admitted()
        with self._transaction() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADMISSION_LOCK})
            environment = _newest(connection, env_id, lock=True)
            if environment.state is State.PROVISIONING:
                return Admitted()
            if environment.state not in WAITING:
                raise Conflict(f"{env_id} is {environment.state}: its request was withdrawn or is over. Ask anew")
            kind = environment.spec.kind
            try:
                verdict = admit(env_id, kinds[kind], _holders(connection, kind), _queue(connection, kind))
            except Refused as error:
                refusal = error
                _move(connection, environment, State.REFUSED, str(error), now)
            else:
                if isinstance(verdict, Admitted):
                    _move(connection, environment, State.PROVISIONING, "admitted", now)
                elif environment.state is State.REQUESTED:
                    _move(connection, environment, State.QUEUED, f"queued at place {verdict.place}", now)
        if refusal:
            raise refusal
        return verdict

    def move(self, env_id: EnvId, to: State, words: str, now: datetime) -> Environment:
        """Advance the state. Raises `Conflict` where the lifecycle forbids it."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            if environment.state is not to:
                _move(connection, environment, to, words, now)
            return _newest(connection, env_id)

    def note(self, env_id: EnvId, words: str, now: datetime) -> None:
        """Write down what happened."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id)
            _note(connection, environment.life, environment.state, words, now)

    def expire(self, env_id: EnvId, at: datetime | None, words: str, now: datetime) -> Environment:
        """Set when the environment ends."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            connection.execute(update(environments).where(environments.c.id == environment.life).values(expires_at=at))
            _note(connection, environment.life, environment.state, words, now)
            return _newest(connection, env_id)

    def plan(self, env_id: EnvId, planned: Sequence[Step], now: datetime) -> None:
        """Write steps down before any is applied. One that is written already is planned again, not written twice."""
        with self._transaction() as connection:
            life = _newest(connection, env_id, lock=True).life
            written = {
                (row.action, row.system, row.kind, row.name): row.id
                for row in connection.execute(select(steps).where(steps.c.life == life))
            }
            again = [
                written[key]
                for step in planned
                if (key := (step.action, step.resource.system, step.resource.kind, step.resource.name)) in written
            ]
            connection.execute(update(steps).where(steps.c.id.in_(again)).values(status="planned", error=None))
            rows = [
                {
                    "life": life,
                    "position": position,
                    "action": step.action.value,
                    "system": step.resource.system.value,
                    "kind": step.resource.kind,
                    "name": step.resource.name,
                    "settings": dict(step.resource.settings),
                    "status": "planned",
                    "planned_at": now,
                }
                for position, step in enumerate(planned)
                if (step.action, step.resource.system, step.resource.kind, step.resource.name) not in written
            ]
            if rows:
                connection.execute(insert(steps), rows)

    def started(self, step_id: int, now: datetime) -> None:
        """A step is about to be applied."""
        self._step(step_id, status="planned", attempts=steps.c.attempts + 1, started_at=now, error=None)

    def applied(self, step_id: int, now: datetime) -> None:
        """A step was applied."""
        self._step(step_id, status="applied", finished_at=now)

    def failed(self, step_id: int, error: str, now: datetime) -> None:
        """A step failed, and why."""
        self._step(step_id, status="failed", finished_at=now, error=error)

    def _step(self, step_id: int, **values: object) -> None:
        with self._transaction() as connection:
            connection.execute(update(steps).where(steps.c.id == step_id).values(**values))


def _move(connection: Connection, environment: Environment, to: State, words: str, now: datetime) -> None:
    advance(environment.env_id, environment.state, to)
    values: dict[str, object] = {"state": to.value}
    if to is State.READY:
        values["ready_at"] = now
    if to in ENDED:
        values["ended_at"] = now
    if to in (State.QUARANTINED, State.REFUSED):
        values["reason"] = words
    connection.execute(update(environments).where(environments.c.id == environment.life).values(**values))
    _note(connection, environment.life, to, words, now)


def _note(connection: Connection, life: int, state: State, words: str, now: datetime) -> None:
    connection.execute(insert(events).values(life=life, at=now, state=state.value, text=words))


def _taken(environment: Environment) -> Conflict:
    return Conflict(
        f"{environment.env_id} exists already: it is {environment.state} and of {environment.spec.owner}. "
        f"Choose another name, or end it first (bin/testenv down {environment.env_id})"
    )
