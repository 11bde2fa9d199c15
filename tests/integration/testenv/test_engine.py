"""The engine on a real ledger: what is planned is written first, what fails leaves nothing, what ends is gone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from testenv.backends.memory import MemoryBackend, MemoryVault
from testenv.backends.protocol import TaskStatus
from testenv.core.admission import Admitted, Queued
from testenv.core.dataset import Dataset, Topic
from testenv.core.errors import Conflict, Drifted, Failed, Invalid, NotFound, Refused, Unavailable, UnknownDataset
from testenv.core.kinds import load_kinds
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId, Names
from testenv.core.resources import Action, Resource, System
from testenv.engine import Engine, parse_logical_date
from testenv.ledger import LedgerReader, LedgerWriter
from testenv.ledger.__main__ import migrate

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
    def resolve(self, version: str) -> str:
        if version not in ("latest", DATASET.version):
            raise UnknownDataset(f"dataset: {version!r} does not exist; there is {DATASET.version}")
        return DATASET.version

    def get(self, version: str) -> Dataset:
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


@pytest.fixture(scope="module")
def ledger_url(stack: Any) -> Iterator[str]:
    """A ledger of its own, migrated, on the stack's Postgres."""
    admin = make_url(stack.env["TESTENV_LEDGER_URL"])
    url = admin.set(database="te_ledger_tests")
    connection = psycopg2.connect(
        host=admin.host, port=admin.port, user=admin.username, password=admin.password, dbname=admin.database
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE te_ledger_tests")
        migrate(url.render_as_string(hide_password=False))
        yield url.render_as_string(hide_password=False)
        cursor.execute("DROP DATABASE te_ledger_tests WITH (FORCE)")
    connection.close()


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    ledger = LedgerWriter(ledger_url)
    with ledger._transaction() as connection:
        connection.exec_driver_sql("TRUNCATE environments CASCADE")
    yield Engine(
        ledger=ledger,
        backends={system: MemoryBackend(system) for system in System},
        vault=MemoryVault(),
        datasets=Datasets(),
        source=Source(),
        orchestrator=Orchestrator(),
        access=Access(),
        kinds=load_kinds(),
        clock=Clock(),
    )
    ledger.close()


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


def destroyed(engine: Engine, env_id: EnvId) -> State:
    engine.drain(env_id)
    engine.destroy(env_id, set(System))
    return engine.verify_gone(env_id).state


def memory(engine: Engine, system: System) -> MemoryBackend:
    backend = engine.backends[system]
    assert isinstance(backend, MemoryBackend)
    return backend


def test_an_environment_is_provisioned_used_and_destroyed(engine: Engine) -> None:
    env_id = provisioned(engine, name="pay-fix", owner="ada")
    environment = engine.ledger.environment(env_id)
    assert (environment.state, environment.ready_at, environment.spec.owner) == (State.READY, NOON, "ada")
    assert engine.drift(env_id) == ()
    assert destroyed(engine, env_id) is State.DESTROYED
    assert engine.observe(None) == frozenset()


def test_every_step_is_written_before_it_is_applied(engine: Engine) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    planned = engine.ledger.steps(env_id, Action.ENSURE)
    assert planned
    assert {record.status for record in planned} == {"planned"}
    assert len(planned) == STEPS
    assert engine.observe(None) == frozenset()


def test_a_request_that_is_wrong_changes_nothing(engine: Engine) -> None:
    for conf in ({"dataset": "seed-ffffffff"}, {"name": "a;b"}, {"kind": "prod"}, {"unknown": 1}):
        with pytest.raises(Invalid):
            engine.request(conf, run_id="r", fallback_name="x")
    assert engine.ledger.environments() == []
    assert engine.observe(None) == frozenset()


def test_a_taken_name_is_refused_naming_its_owner(engine: Engine) -> None:
    provisioned(engine, name="mine", owner="ada")
    with pytest.raises(Conflict, match="sbx-mine exists already: it is ready and of ada"):
        request(engine, name="mine", owner="bob")


def test_the_same_run_asking_again_gets_what_it_has(engine: Engine) -> None:
    first = engine.request({"name": "again"}, run_id="same", fallback_name="x")
    assert engine.request({"name": "again"}, run_id="same", fallback_name="x").life == first.life


def test_an_id_may_live_again_after_its_environment_ended(engine: Engine) -> None:
    first = provisioned(engine, name="phoenix")
    destroyed(engine, first)
    assert provisioned(engine, name="phoenix") == first


def test_sixty_requests_at_once_get_thirty_places_and_thirty_turns(engine: Engine) -> None:
    ids = [request(engine, kind="ci") for _ in range(60)]
    with ThreadPoolExecutor(16) as pool:
        verdicts = list(pool.map(engine.admit, ids))
    assert sum(isinstance(verdict, Admitted) for verdict in verdicts) == 30
    assert sorted(verdict.place for verdict in verdicts if isinstance(verdict, Queued)) == list(range(1, 31))


def test_who_waits_comes_in_when_a_place_is_free_first_come_first_served(engine: Engine) -> None:
    held = [provisioned(engine, kind="ci") for _ in range(30)]
    first, second = request(engine, kind="ci"), request(engine, kind="ci")
    assert [engine.admit(first), engine.admit(second)] == [Queued(1), Queued(2)]
    assert engine.ledger.queue_place(second) == 2
    destroyed(engine, held[0])
    assert engine.admit(second) == Queued(2)
    assert engine.admit(first) == Admitted()


def test_an_eleventh_sandbox_is_refused_and_its_request_ends(engine: Engine) -> None:
    for number in range(10):
        provisioned(engine, name=f"s{number}", owner="ada")
    refused = request(engine, name="s10")
    with pytest.raises(Refused, match="sbx-s0 of ada"):
        engine.admit(refused)
    assert engine.ledger.environment(refused).state is State.REFUSED


@pytest.mark.parametrize("position", range(STEPS))
def test_a_step_that_fails_is_resumed_where_it_stopped(engine: Engine, position: int) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    record = engine.ledger.steps(env_id, Action.ENSURE)[position]
    name = record.step.resource.name
    memory(engine, record.step.resource.system).faults[name] = Unavailable("away")
    with pytest.raises(Unavailable):
        engine.ensure(env_id, set(System))
    assert [r.status for r in engine.ledger.steps(env_id) if r.error] == ["failed"]
    engine.ensure(env_id, set(System))
    assert engine.drift(env_id) == ()


@pytest.mark.parametrize("position", range(STEPS))
def test_an_environment_half_made_leaves_nothing_when_abandoned(engine: Engine, position: int) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    record = engine.ledger.steps(env_id, Action.ENSURE)[position]
    memory(engine, record.step.resource.system).faults[record.step.resource.name] = Failed("broken")
    with pytest.raises(Failed):
        engine.ensure(env_id, set(System))
    assert engine.abandon(env_id, "broken") is State.DESTROYING
    assert destroyed(engine, env_id) is State.DESTROYED
    assert engine.observe(None) == frozenset()


def test_a_failed_environment_is_kept_for_a_day_when_asked(engine: Engine) -> None:
    env_id = request(engine, on_failure="keep")
    engine.admit(env_id)
    assert engine.abandon(env_id, "the build failed") is State.QUARANTINED
    environment = engine.ledger.environment(env_id)
    assert environment.expires_at == NOON + timedelta(hours=24)
    assert environment.reason == "the build failed"


def test_what_is_still_there_keeps_an_environment_from_ending(engine: Engine) -> None:
    env_id = provisioned(engine)
    engine.drain(env_id)
    engine.destroy(env_id, set(System) - {System.KAFKA})
    with pytest.raises(Drifted, match="there is still kafka"):
        engine.verify_gone(env_id)
    assert engine.ledger.environment(env_id).state is State.DESTROYING


@pytest.mark.parametrize("held", [0, 30])
def test_a_request_that_was_never_admitted_may_be_withdrawn_and_leaves_its_place_in_the_queue(
    engine: Engine, held: int
) -> None:
    for _ in range(held):
        provisioned(engine, kind="ci")
    waiting, behind = request(engine, kind="ci"), request(engine, kind="ci")
    if held:
        assert [engine.admit(waiting), engine.admit(behind)] == [Queued(1), Queued(2)]
    assert engine.drain(waiting).state is State.DESTROYED
    with pytest.raises(Conflict, match="destroyed"):
        engine.admit(waiting)
    if held:
        assert engine.ledger.queue_place(behind) == 1
    assert engine.abandon(behind, "its run was failed by hand") is State.REFUSED


def test_drift_names_what_is_missing_and_what_is_too_much(engine: Engine) -> None:
    env_id = provisioned(engine)
    names = Names(env_id)
    memory(engine, System.S3).destroy(Resource(System.S3, "role", names.iam_role))
    extra = Resource(System.KAFKA, "topic", names.topic("forgotten"))
    memory(engine, System.KAFKA).resources.add(extra)
    assert {str(step) for step in engine.drift(env_id)} == {f"ensure s3 role {names.iam_role}", f"destroy {extra}"}
    with pytest.raises(Drifted, match=names.iam_role):
        engine.verify(env_id)


def test_destroying_finds_what_appeared_since(engine: Engine) -> None:
    env_id = provisioned(engine)
    memory(engine, System.KAFKA).resources.add(Resource(System.KAFKA, "topic", Names(env_id).topic("late")))
    assert destroyed(engine, env_id) is State.DESTROYED


def test_destroying_twice_is_harmless_until_it_has_ended(engine: Engine) -> None:
    env_id = provisioned(engine)
    engine.drain(env_id)
    assert destroyed(engine, env_id) is State.DESTROYED
    with pytest.raises(Conflict, match="nothing to destroy"):
        engine.drain(env_id)


def test_orphans_are_what_no_living_environment_owns(engine: Engine) -> None:
    env_id = provisioned(engine)
    stray = Resource(System.POSTGRES, "database", "te_sbx_gone_src")
    memory(engine, System.POSTGRES).resources.add(stray)
    assert engine.orphans() == {EnvId("sbx-gone"): [stray]}
    assert env_id not in engine.orphans()


def test_an_environment_expires_and_may_be_extended_within_its_kinds_bound(engine: Engine) -> None:
    env_id = provisioned(engine, ttl_hours=1)
    assert engine.expired() == []
    assert engine.extend(env_id, 5).expires_at == NOON + timedelta(hours=6)
    with pytest.raises(Conflict, match="336 hours from its creation"):
        engine.extend(env_id, 336)
    assert isinstance(engine.clock, Clock)
    engine.clock.now = NOON + timedelta(hours=6)
    assert engine.expired() == [env_id]


def test_a_run_needs_a_ready_environment_a_dag_id_and_a_date(engine: Engine) -> None:
    env_id = request(engine)
    with pytest.raises(Conflict, match="can be used when it is ready"):
        engine.start_run(env_id, "payments", "2026-01-02")
    ready = provisioned(engine)
    with pytest.raises(Invalid, match="dag_id"):
        engine.start_run(ready, "../etc", "2026-01-02")
    with pytest.raises(Invalid, match="logical_date"):
        engine.start_run(ready, "payments", "yesterday")
    task = engine.start_run(ready, "payments", "2026-01-02T01:00+01:00")
    assert engine.run_status(task).command == ("run", "payments", "2026-01-02T00:00:00Z")


def test_it_may_be_waited_for_until_it_is_ready_and_no_longer_once_it_ends(engine: Engine) -> None:
    env_id = request(engine)
    assert not engine.usable(env_id)
    engine.admit(env_id)
    assert not engine.usable(env_id)
    engine.ensure(env_id, set(System))
    engine.ready(env_id)
    assert engine.usable(env_id)
    engine.drain(env_id)
    with pytest.raises(Conflict, match="is destroying: it cannot be used"):
        engine.usable(env_id)


def test_a_ci_environment_has_no_web_ui(engine: Engine) -> None:
    env_id = provisioned(engine, kind="ci")
    with pytest.raises(Conflict, match="without scheduler"):
        engine.start_serving(env_id)


def test_a_sandbox_serves_once(engine: Engine) -> None:
    env_id = provisioned(engine)
    assert engine.start_serving(env_id) == engine.start_serving(env_id)
    assert engine.connections(env_id)["airflow"]["url"] == "http://127.0.0.1:1"
    engine.stop_serving(env_id)
    assert engine.connections(env_id)["airflow"]["url"] == ""


def test_what_happened_is_told_in_order(engine: Engine) -> None:
    env_id = provisioned(engine, owner="ada")
    engine.connections(env_id)
    assert [words for _, _, words in engine.ledger.events(env_id)] == [
        "requested by ada",
        "admitted",
        "ready",
        "its credentials were shown",
    ]


def test_an_unknown_environment_is_said_to_be_unknown(engine: Engine) -> None:
    with pytest.raises(NotFound, match="there is no environment sbx-nope"):
        engine.ledger.environment(EnvId("sbx-nope"))


def test_a_ledger_that_is_away_is_a_transient_error() -> None:
    with pytest.raises(Unavailable, match="the ledger does not answer"):
        LedgerReader("postgresql+psycopg2://nobody:x@127.0.0.1:9/none").environments()


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-01-02", "2026-01-02T00:00:00Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-03-29T02:30+02:00", "2026-03-29T00:30:00Z"),
    ],
)
def test_a_logical_date_has_one_form(text: str, date: str) -> None:
    assert parse_logical_date(text) == date
