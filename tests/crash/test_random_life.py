"""Random lives of environments, against a model: whatever is killed, the ledger and the systems agree in the end."""

# ruff: noqa: F811 - fixtures that are imported are used by name
from __future__ import annotations

import os
import random
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.conftest import RunningStack
from tests.crash.conftest import End, Service, Workers, left_of
from tests.crash.model import Model
from tests.crash.use import leave_things
from tests.crash.worker import DESTROY, MOVE, PROVISION, AtNumber, Job, Never, Task
from tests.integration.testenv.conftest import unreaped  # noqa: F401 - a fixture
from tests.integration.testenv.moves.conftest import Versions, versions  # noqa: F401 - a fixture

from local.supervision import wait_until
from testenv.backends.aws import client
from testenv.backends.registry import connect_reaper
from testenv.config import Config
from testenv.core.errors import Conflict
from testenv.core.lifecycle import ENDED, USABLE, State
from testenv.core.naming import EnvId, Names
from testenv.core.reap import Why
from testenv.core.upkeep import load_upkeep
from testenv.moves import Mover

SEQUENCES = int(os.environ.get("TESTENV_CRASH_SEQUENCES", "2"))
STEPS = int(os.environ.get("TESTENV_CRASH_STEPS", "30"))
SEED = int(os.environ.get("TESTENV_CRASH_SEED", random.randrange(10**6)))

NAMES = 3
"""Environments that live at once; few, so that they die and live again."""

BOUNDARIES = 90
"""A worker has about as many."""

SERVICES = ("postgres", "kafka", "snowflake", "aws")

Killing = tuple[str, float] | None

deaths = st.none() | st.integers(1, BOUNDARIES)
kills = st.none() | st.none() | st.tuples(st.sampled_from(SERVICES), st.floats(0, 3))
"""Which service is killed beside a worker, and after how many seconds."""

numbers = st.integers(0, NAMES - 1)


@dataclass
class World:
    """What the machine acts on."""

    stack: RunningStack
    config: Config
    workers: Workers
    service: Callable[[str], Service]
    versions: Versions


class Lives(RuleBasedStateMachine):
    """Each rule does one thing to the real systems and tells the model; then ledger and model must agree."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        tag = secrets.token_hex(3)
        self.ids = [f"sbx-r{tag}{number}" for number in range(NAMES)]
        self.ghost = f"sbx-r{tag}g"
        self.haunted = False
        reaper = connect_reaper(self.world.config)
        now = datetime.now(UTC).replace(microsecond=0)
        self.model = Model(reaper.engine.kinds["sandbox"], load_upkeep().lease_seconds, now)
        self.engine = replace(reaper.engine, clock=lambda: self.model.now)
        self.reaper = replace(reaper, engine=self.engine)

    # ---------------------------------------------------------------- rules

    @initialize()
    def one_is_there(self) -> None:
        self._work(self.ids[0], PROVISION, None, None, refused="")

    @rule(number=numbers, dies=deaths, kills=kills)
    def move(self, number: int, dies: int | None, kills: Killing) -> None:
        """Move an environment to the other dataset version, or go on where its mover died or was cut off."""
        env_id = self.ids[number]
        state = self.model.state(env_id)
        refused = "NotFound" if state is None else "" if state in (State.MOVING, *USABLE) else "Conflict"
        if not refused:
            mover = Mover(self.engine)
            wait_until(lambda: not mover.at_work(EnvId(env_id)), 120, f"{env_id} does not come to rest", pause=0.3)
        self._work(env_id, MOVE, dies, kills, refused=refused, to=self._other(env_id))

    @rule(number=numbers, dies=deaths, kills=kills)
    def provision(self, number: int, dies: int | None, kills: Killing) -> None:
        """Ask for an environment, or go on making it where a worker died."""
        env_id = self.ids[number]
        ours = self.model.state(env_id) in (None, State.REQUESTED, State.PROVISIONING, *ENDED)
        self._work(env_id, PROVISION, dies, kills, refused="" if ours else "Conflict")

    @rule(number=numbers, dies=deaths, kills=kills)
    def destroy(self, number: int, dies: int | None, kills: Killing) -> None:
        """End an environment, or go on ending it."""
        env_id = self.ids[number]
        state = self.model.state(env_id)
        refused = "NotFound" if state is None else "Conflict" if state in ENDED else ""
        self._work(env_id, DESTROY, dies, kills, refused=refused)

    @precondition(lambda self: self._ready())
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        """Leave things behind as the environment: an object, a table, a topic's consumer group, a run that goes on."""
        env_id = EnvId(data.draw(st.sampled_from(self._ready())))
        leave_things(self.engine.connections(env_id))
        self.engine.start_run(env_id, "payments_to_snowflake", "2026-01-02")

    @precondition(lambda self: bool(self.model.lives))
    @rule(data=st.data(), hours=st.integers(1, 400))
    def extend(self, data: st.DataObject, hours: int) -> None:
        env_id = data.draw(st.sampled_from(sorted(self.model.lives)))
        if self.model.extend(env_id, hours):
            self.engine.extend(EnvId(env_id), hours)
        else:
            with pytest.raises(Conflict):
                self.engine.extend(EnvId(env_id), hours)

    @rule(hours=st.integers(1, 100))
    def pass_time(self, hours: int) -> None:
        self.model.now += timedelta(hours=hours)

    @rule(name=st.sampled_from(SERVICES))
    def restart(self, name: str) -> None:
        service = self.world.service(name)
        service.kill()
        service.wait()

    @rule()
    def haunt(self) -> None:
        """Things bear the name of an environment that the ledger never had."""
        names = Names(EnvId(self.ghost))
        client("s3", self.world.config).put_object(Bucket=self.world.config.bucket, Key=names.prefix + "x", Body=b"")
        self.haunted = True

    @rule()
    def reap(self) -> None:
        """What is due is found and ended, with its reason; nothing else is."""
        found = {str(f.env_id): f.why for f in self.reaper.findings() if f.ends and str(f.env_id) in self._every()}
        due = {env_id: why for env_id in self.ids if (why := self.model.due(env_id))}
        if self.haunted:
            due[self.ghost] = Why.ORPHAN
        assert found == due
        for env_id in found:
            self.reaper.reap(EnvId(env_id))
            if env_id != self.ghost:
                self.model.reaped(env_id)
        self.haunted = False

    # ---------------------------------------------------------------- what always holds

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        told = {str(life.env_id): life for life in reversed(self.engine.ledger.environments())}
        for env_id in self.ids:
            assert (told[env_id].state if env_id in told else None) == self.model.state(env_id), env_id
            if env_id in told:
                assert told[env_id].spec.dataset == self.model.lives[env_id].dataset
            if env_id in told and told[env_id].state not in ENDED and self.model.lives[env_id].expires:
                assert told[env_id].expires_at == self.model.lives[env_id].expires

    def teardown(self) -> None:
        """In the end all is destroyed and reaped, and the systems have nothing."""
        for env_id in self.model.living():
            self._work(env_id, DESTROY, None, None, refused="")
        self.reap()
        self.the_ledger_says_what_the_model_says()
        assert left_of(self.world.stack, self._every()) == []
        assert not [life for life in self.engine.ledger.living() if str(life.env_id) in self._every()]

    # ---------------------------------------------------------------- parts

    def _every(self) -> list[str]:
        return [*self.ids, self.ghost]

    def _ready(self) -> list[str]:
        return [env_id for env_id in self.ids if self.model.state(env_id) is State.READY]

    def _other(self, env_id: str) -> str:
        """The dataset version to move to: where a move was begun, that of the move."""
        versions, life = self.world.versions, self.model.lives.get(env_id)
        if life and life.state is not State.READY:
            return life.dataset
        return versions.second if life and life.dataset == versions.first else versions.first

    def _work(
        self, env_id: str, tasks: tuple[Task, ...], dies: int | None, kills: Killing, refused: str, to: str = ""
    ) -> None:
        """Let a worker do `tasks` until it dies at its boundary number `dies`, a service being killed beside it.

        What may be tried again is, as Airflow does. `refused` is the class of the error that must come, if one must.
        `to` is the dataset version that it is about; the first if none is named.
        """
        dataset = to or self.world.versions.first
        conf = {"name": env_id.removeprefix("sbx-"), "kind": "sandbox", "owner": "a test", "dataset": dataset}
        job = Job(env_id, conf, tasks, AtNumber(dies) if dies else Never(), self.model.now, version=dataset)
        if kills:
            service = self.world.service(kills[0])
            killer = threading.Timer(kills[1], service.kill)
            killer.start()
        ends = self.world.workers.try_as_airflow_does(job)
        if kills:
            killer.join()
            service.wait()
        for end in ends:
            self.model.happened(env_id, end.passed, dataset)
        kind, words = ends[-1].error or ("", "")
        doing = f"{env_id}: {', '.join(map(str, tasks))}, {kills or 'nothing'} killed"
        print(f"{doing}: {len(ends)} workers, {told(ends[-1])}")
        assert kind == refused, f"{env_id} after {ends[-1].passed[-1:]}: {kind}: {words}"


def told(end: End) -> str:
    last = f" after {end.passed[-1]}" if end.passed else ""
    return f"the last {'killed' if end.killed else end.error[0] if end.error else 'done'}{last}"


@pytest.mark.usefixtures("unreaped")  # every quarter of an hour it would end what haunts before we look
@pytest.mark.timeout(900)
def test_whatever_happens_to_environments_nothing_leaks_and_the_ledger_knows_it(
    stack: RunningStack, config: Config, workers: Workers, service: Callable[[str], Service], versions: Versions
) -> None:
    print(f"TESTENV_CRASH_SEED={SEED}")

    class Seeded(Lives):
        world = World(stack, config, workers, service, versions)

    run = settings(
        max_examples=SEQUENCES + 1,  # the first that hypothesis tries is the empty one
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # to shrink a sequence would take hours: its seed repeats it
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(SEED)(Seeded), settings=run)
