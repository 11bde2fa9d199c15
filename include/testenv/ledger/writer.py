"""Writing the ledger: requests, admissions, steps planned before they are applied, and how they went."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from testenv.core.admission import Admitted, Queued, admit, lapsed, place_of, turn
from testenv.core.errors import Conflict, Refused
from testenv.core.kept import Kept
from testenv.core.kinds import Kinds
from testenv.core.lifecycle import ENDED, USABLE, WAITING, State, advance
from testenv.core.naming import EnvId
from testenv.core.reap import overdue
from testenv.core.resources import Action, Step
from testenv.core.spec import EnvironmentSpec
from testenv.core.upkeep import Upkeep, load_upkeep
from testenv.ledger.reader import Environment, LedgerReader, _crowd, _environment, _holders, _in, _newest
from testenv.ledger.tables import environments, events, kept, steps

_ADMISSION_LOCK = 7_305_001
"""Key of the advisory lock that makes admissions one at a time."""


_WORKS_IN = {
    Action.ENSURE: {State.PROVISIONING, State.MOVING},
    Action.DESTROY: {State.DESTROYING, State.MOVING},
}
"""States that an environment may be in for a step of each kind to be applied."""


_TAKEN_OVER = {
    State.REQUESTED: State.REFUSED,
    State.QUEUED: State.REFUSED,
    State.MOVING: State.QUARANTINED,  # what is kept of it must not be lost because a worker died
}
"""What becomes of an environment in a state whose holder has died; any other is destroyed."""


class LedgerWriter(LedgerReader):
    """Changes to the ledger, each one transaction. `now` is an argument: the ledger has no clock.

    Every sign of life (a request, a question for admission, a step's start and end) renews the environment's lease.
    """

    def __init__(self, url: str, upkeep: Upkeep | None = None) -> None:
        super().__init__(url)
        self._upkeep = upkeep or load_upkeep()

    # ---------------------------------------------------------------- requests and admission

    def request(self, spec: EnvironmentSpec, run_id: str, expires_at: datetime | None, now: datetime) -> Environment:
        """Write a request down. The same `run_id` asking again gets what it has. Raises `Conflict`."""
        with self._transaction() as connection:
            _one_at_a_time(connection)  # so that the order of lives is the order of requests
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
            "lease_until": self._upkeep.lease(State.REQUESTED, now),
        }
        try:
            with connection.begin_nested():
                life = connection.execute(insert(environments).values(row).returning(environments.c.id)).scalar_one()
                return int(life)
        except IntegrityError as error:  # another request for the same id came between the look and the insert
            raise _taken(_newest(connection, spec.env_id)) from error

    def admit(self, env_id: EnvId, kinds: Kinds, now: datetime, planned: Sequence[Step] = ()) -> Admitted | Queued:
        """Let `env_id` in with all its steps planned, or queue it; one admission at a time.

        Who waits and has died is passed over, and its request ended. Raises `Refused` and ends the request.
        """
        refusal: Refused | None = None
        verdict: Admitted | Queued = Admitted()
        with self._transaction() as connection:
            _one_at_a_time(connection)
            environment = _newest(connection, env_id, lock=True)
            if environment.state is State.PROVISIONING:
                self._renew(connection, environment, now)
                return Admitted()
            if environment.state not in WAITING:
                raise Conflict(f"{env_id} is {environment.state}: its request was withdrawn or is over. Ask anew")
            kind = environment.spec.kind
            _, queue = _crowd(connection, kind)
            for dead in lapsed(queue, now, asking=env_id):
                self._end_if_overdue(connection, dead, now)
            try:
                verdict = admit(env_id, kinds[kind], _holders(connection, kind), queue, now)
            except Refused as error:
                refusal = error
                self._move(connection, environment, State.REFUSED, str(error), now)
            else:
                if isinstance(verdict, Admitted):
                    self._move(connection, environment, State.PROVISIONING, "admitted", now)
                    _plan(connection, environment.life, planned, now)
                    ends = kinds[kind].expires(now, environment.spec.ttl_hours)  # its life begins here
                    _set(connection, environment.life, expires_at=ends)
                elif environment.state is State.REQUESTED:
                    self._move(connection, environment, State.QUEUED, f"queued at place {verdict.place}", now)
                else:
                    self._renew(connection, environment, now)
        if refusal:
            raise refusal
        return verdict

    def wait(self, env_id: EnvId, kinds: Kinds, now: datetime) -> Queued | None:
        """A sign of life from the queue: the place in it, or `None` when it is time to ask for admission.

        Takes no lock that others wait for, as whoever waits asks every few seconds.
        """
        with self._transaction() as connection:
            renewed = (
                update(environments)
                .where(environments.c.env_id == str(env_id), environments.c.state == State.QUEUED.value)
                .values(lease_until=self._upkeep.lease(State.QUEUED, now))
            )
            if not connection.execute(renewed).rowcount:
                return None
            kind = env_id.kind
            held, queue = _crowd(connection, kind)
            return turn(place_of(env_id, queue, now), kinds[kind], held)

    # ---------------------------------------------------------------- moves

    def begin_move(self, env_id: EnvId, run_id: str, now: datetime) -> Environment:
        """Let `run_id` move the environment to another dataset version. It may begin again what it has begun.

        Raises `Conflict` where the environment is not ready, or another moves it and gives signs of life.
        """
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            moving = environment.state is State.MOVING
            if moving and environment.moved_by != run_id and not overdue(environment, now):
                raise Conflict(
                    f"{env_id} is being moved by {environment.moved_by}. Wait for that, or try again after "
                    f"{environment.lease_until:%H:%M} UTC if it is dead"
                )
            if moving:
                self._renew(connection, environment, now)
            else:
                self._move(connection, environment, State.MOVING, "moving to another dataset version", now)
            _set(connection, environment.life, moved_by=run_id)
            return _newest(connection, env_id)

    def plan_move(self, env_id: EnvId, dataset: str, planned: Sequence[Step], now: datetime) -> Environment:
        """Let the environment stand on `dataset` from now on, and `planned` be all that is left to do for it."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            if environment.state is not State.MOVING:
                raise Conflict(f"{env_id} is {environment.state}: its move has ended")
            spec = environment.spec.model_copy(update={"dataset": dataset})
            _set(connection, environment.life, spec=spec.model_dump(mode="json", exclude={"env_id"}))
            unfinished = (steps.c.life == environment.life) & steps.c.status.in_(["planned", "failed"])
            connection.execute(update(steps).where(unfinished).values(status="void", error=None))
            _plan(connection, environment.life, planned, now)
            words = f"from {environment.spec.dataset} to {dataset}: {len(planned)} steps"
            _note(connection, environment.life, State.MOVING, words, now)
            self._renew(connection, environment, now)
            return _newest(connection, env_id)

    def keep(self, env_id: EnvId, things: Collection[Kept], now: datetime) -> None:
        """Mark things as kept; those that are marked already stay so."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            there = set(connection.execute(select(kept.c.thing).where(kept.c.life == environment.life)).scalars())
            new = sorted({str(thing) for thing in things} - there)
            if new:
                rows = [{"life": environment.life, "thing": thing, "since": now} for thing in new]
                connection.execute(insert(kept), rows)
                _note(connection, environment.life, environment.state, f"kept: {', '.join(new)}", now)

    def release(self, env_id: EnvId, things: Collection[Kept], now: datetime) -> None:
        """Mark things as kept no longer."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            of = (kept.c.life == environment.life) & kept.c.thing.in_([str(thing) for thing in things])
            gone = sorted(connection.execute(delete(kept).where(of).returning(kept.c.thing)).scalars())
            if gone:
                _note(connection, environment.life, environment.state, f"kept no longer: {', '.join(gone)}", now)

    # ---------------------------------------------------------------- states

    def move(self, env_id: EnvId, to: State, words: str, now: datetime) -> Environment:
        """Advance the state, or renew the lease where it is so already. Raises `Conflict` as the lifecycle forbids."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            if environment.state is not to:
                self._move(connection, environment, to, words, now)
            else:
                self._renew(connection, environment, now)
            return _newest(connection, env_id)

    def renew(self, env_id: EnvId, now: datetime) -> None:
        """A sign of life of who works on an environment."""
        with self._transaction() as connection:
            self._renew(connection, _newest(connection, env_id), now)

    def seize(self, env_id: EnvId, now: datetime, *, lost: bool = False) -> Environment:
        """Take an environment that is to end from whoever had it: a request ends, anything else is destroying.

        It is looked at again under a lock: raises `Conflict` where it was renewed or extended meanwhile. `lost` is for
        a usable one of which the systems have nothing.
        """
        with self._transaction() as connection:
            environment = self._end_if_overdue(connection, env_id, now, lost=lost)
            if environment is None:
                alive = _newest(connection, env_id)
                raise Conflict(f"{env_id} is {alive.state} and lives until {alive.expires_at}: left alone")
            return environment

    def _end_if_overdue(
        self, connection: Connection, env_id: EnvId, now: datetime, *, lost: bool = False
    ) -> Environment | None:
        environment = _newest(connection, env_id, lock=True)
        due = overdue(environment, now)
        words = due[1] if due else "the systems have nothing of it"
        if not due and not (lost and environment.state in USABLE):
            return None
        to = _TAKEN_OVER.get(environment.state, State.DESTROYING)
        if environment.state is to:
            self._renew(connection, environment, now)
            _note(connection, environment.life, to, f"taken over: {words}", now)
        else:
            self._move(connection, environment, to, words, now)
        return _newest(connection, env_id)

    def mark(self, env_id: EnvId, reason: str | None, now: datetime) -> None:
        """Write down, or strike, what is wrong with a ready environment; nothing where that is known already."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            if environment.state is State.READY and environment.reason != reason:
                _set(connection, environment.life, reason=reason)
                _note(connection, environment.life, State.READY, reason or "it is whole again", now)

    def forget(self, before: datetime) -> list[EnvId]:
        """Strike lives that ended before a time, with their steps and events; returns their ids."""
        query = delete(environments).where(_in(ENDED), environments.c.ended_at < before)
        with self._transaction() as connection:
            return [EnvId(found) for found in connection.execute(query.returning(environments.c.env_id)).scalars()]

    def note(self, env_id: EnvId, words: str, now: datetime) -> None:
        """Write down what happened."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id)
            _note(connection, environment.life, environment.state, words, now)

    def expire(self, env_id: EnvId, at: datetime | None, words: str, now: datetime) -> Environment:
        """Set when the environment ends."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            _set(connection, environment.life, expires_at=at)
            _note(connection, environment.life, environment.state, words, now)
            return _newest(connection, env_id)

    # ---------------------------------------------------------------- steps

    def plan(self, env_id: EnvId, planned: Sequence[Step], now: datetime) -> None:
        """Write steps down before any is applied. One that is written already is planned again, not written twice."""
        with self._transaction() as connection:
            environment = _newest(connection, env_id, lock=True)
            _plan(connection, environment.life, planned, now)
            self._renew(connection, environment, now)

    def started(self, step_id: int, now: datetime) -> None:
        """A step is about to be applied. Raises `Conflict` where its environment was taken from who would do it."""
        with self._transaction() as connection:
            environment = self._sign_of_life(connection, step_id, now)
            if environment is not None:
                raise Conflict(
                    f"{environment.env_id} is {environment.state}: it was ended, or taken over after a lease of "
                    f"{self._upkeep.lease_seconds.working} s without a sign of life. Nothing more is done to it here"
                )
            _set_step(connection, step_id, status="planned", attempts=steps.c.attempts + 1, started_at=now, error=None)

    def applied(self, step_id: int, now: datetime) -> None:
        """A step was applied."""
        with self._transaction() as connection:
            self._sign_of_life(connection, step_id, now)
            _set_step(connection, step_id, status="applied", finished_at=now)

    def failed(self, step_id: int, error: str, now: datetime) -> None:
        """A step failed, and why."""
        with self._transaction() as connection:
            self._sign_of_life(connection, step_id, now)
            _set_step(connection, step_id, status="failed", finished_at=now, error=error)

    def _sign_of_life(self, connection: Connection, step_id: int, now: datetime) -> Environment | None:
        """Renew the lease of a step's environment; returns that, unchanged, where it is no longer the step's turn."""
        query = (
            select(environments, steps.c.action)
            .join(steps, steps.c.life == environments.c.id)
            .where(steps.c.id == step_id)
            .with_for_update(of=environments)
        )
        row = connection.execute(query).mappings().one()
        environment = _environment(row)
        if environment.state not in _WORKS_IN[Action(row["action"])]:
            return environment
        self._renew(connection, environment, now)
        return None

    def _renew(self, connection: Connection, environment: Environment, now: datetime) -> None:
        if until := self._upkeep.lease(environment.state, now):
            same = (environments.c.id == environment.life) & (environments.c.state == environment.state.value)
            connection.execute(update(environments).where(same).values(lease_until=until))

    def _move(self, connection: Connection, environment: Environment, to: State, words: str, now: datetime) -> None:
        advance(environment.env_id, environment.state, to)
        values: dict[str, object] = {"state": to.value, "lease_until": self._upkeep.lease(to, now)}
        if to is State.READY:
            values |= {"ready_at": environment.ready_at or now, "reason": None}
        if to in ENDED:
            values["ended_at"] = now
        if to in (State.QUARANTINED, State.REFUSED):
            values["reason"] = words
        _set(connection, environment.life, **values)
        _note(connection, environment.life, to, words, now)


def _one_at_a_time(connection: Connection) -> None:
    """Hold the admission lock to the end of the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADMISSION_LOCK})


def _plan(connection: Connection, life: int, planned: Sequence[Step], now: datetime) -> None:
    written = {
        (row.action, row.system, row.kind, row.name): row.id
        for row in connection.execute(select(steps).where(steps.c.life == life))
    }
    rows = []
    for position, step in enumerate(planned):
        resource = step.resource
        again = {"position": position, "settings": dict(resource.settings), "status": "planned"}
        if found := written.get((step.action, resource.system, resource.kind, resource.name)):
            _set_step(connection, found, error=None, **again)
            continue
        what = {"action": step.action, "system": resource.system, "kind": resource.kind, "name": resource.name}
        rows.append({**again, **{key: str(value) for key, value in what.items()}, "life": life, "planned_at": now})
    if rows:
        connection.execute(insert(steps), rows)


def _set(connection: Connection, life: int, **values: object) -> None:
    connection.execute(update(environments).where(environments.c.id == life).values(**values))


def _set_step(connection: Connection, step_id: int, **values: object) -> None:
    connection.execute(update(steps).where(steps.c.id == step_id).values(**values))


def _note(connection: Connection, life: int, state: State, words: str, now: datetime) -> None:
    connection.execute(insert(events).values(life=life, at=now, state=state.value, text=words))


def _taken(environment: Environment) -> Conflict:
    return Conflict(
        f"{environment.env_id} exists already: it is {environment.state} and of {environment.spec.owner}. "
        f"Choose another name, or end it first (bin/testenv down {environment.env_id})"
    )
