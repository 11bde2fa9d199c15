"""A service that is killed with SIGKILL in the middle of every step that goes to it.

The step succeeds or says that it may be tried again, in time; tried again as Airflow does it, it finishes.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import pytest
from tests.conftest import RunningStack
from tests.crash.conftest import Service, Workers, left_of, require_transient
from tests.crash.worker import At, HeldAt, Job, Task

from testenv.core.admission import Admitted
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.resources import Action, Step, System
from testenv.engine import Engine
from testenv.reaper import destroy_wholly

NewJob = Callable[..., Job]

SYSTEMS = {
    "postgres": (System.POSTGRES,),
    "kafka": (System.KAFKA,),
    "snowflake": (System.SNOWFLAKE,),
    "aws": (System.SECRETS, System.S3, System.SPARK, System.ORCHESTRATOR),
}
"""What goes to which service."""

ROUNDS = int(os.environ.get("TESTENV_CRASH_ROUNDS", "1"))
"""How often each service is killed at other moments; more than one for a long search."""

SEED = int(os.environ.get("TESTENV_CRASH_SEED", random.randrange(10**6)))


SPAN = 0.6
"""Seconds after the steps have begun within which the service is killed: about as long as they take, all at once."""

STEP_SECONDS = 90
"""How long a step may take to say that its service is away."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_service_killed_in_the_middle_of_every_step_is_waited_for(
    stack: RunningStack,
    engine: Engine,
    workers: Workers,
    new_job: NewJob,
    service: Callable[[str], Service],
    name: str,
    round_: int,
) -> None:
    """As many environments as there are steps, each at another step when the service dies, of provision and destroy."""
    chance = random.Random(f"{SEED}/{name}/{round_}")
    print(f"TESTENV_CRASH_SEED={SEED}")
    doomed = service(name)
    scene = Scene(engine, workers, name, SYSTEMS[name], doomed.kill)
    jobs = scene.admitted(new_job)
    moments = [None, chance.uniform(0, SPAN)]
    chance.shuffle(moments)
    scene.kill_at(moments[0], Action.ENSURE, jobs)
    doomed.wait()  # a kill that came after the last step was heard of by none
    for job in jobs:
        drift = [str(step) for step in engine.drift(EnvId(job.env_id)) if step.resource.system in scene.systems]
        assert drift == []
    scene.each(jobs, engine.drain)
    if name == "postgres":  # which throws out all sessions and recovers when one is killed
        scene = replace(scene, kill=partial(doomed.kill_child, "postgres: testenv "))
    scene.kill_at(moments[1], Action.DESTROY, jobs)
    scene.each(jobs, partial(destroy_wholly, engine))
    assert {engine.ledger.environment(EnvId(job.env_id)).state for job in jobs} == {State.DESTROYED}
    assert left_of(stack, [job.env_id for job in jobs]) == []


@dataclass(frozen=True)
class Scene:
    """One service, the environments at work on it, and how it is killed."""

    engine: Engine
    workers: Workers
    service: str
    systems: tuple[System, ...]
    kill: Callable[[], None]

    def admitted(self, new_job: NewJob) -> list[Job]:
        """As many environments as there are steps that go to the service."""
        first = self._admitted(new_job())
        return [first, *(self._admitted(new_job()) for _ in self._steps(first, Action.ENSURE)[1:])]

    def _admitted(self, job: Job) -> Job:
        life = self.engine.request(job.conf, run_id=job.env_id, fallback_name="")
        assert self.engine.admit(life.env_id) == Admitted()
        return job

    def each(self, jobs: Sequence[Job], do: Callable[[EnvId], object]) -> None:
        """Do something with every environment."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(do, (EnvId(job.env_id) for job in jobs)))

    def kill_at(self, moment: float | None, action: Action, jobs: Sequence[Job]) -> None:
        """Bring every environment to a step of its own, kill the service while all apply it, and try all again.

        `moment` is in seconds after the steps began; `None` is right before.
        """
        task = Task(action.value, self.systems)
        steps = [self._steps(job, action) for job in jobs]
        began = [replace(job, tasks=(task,)) for job in jobs]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._bring_to, began, steps, range(len(jobs))))
        barrier = self.workers.context.Barrier(len(jobs) + 1, timeout=STEP_SECONDS)
        held = [
            replace(job, dies=HeldAt(f"{task}: started {own[at]}", barrier, dies_at=f"{task}: applied {own[at]}"))
            for at, (job, own) in enumerate(zip(began, steps, strict=True))
        ]
        with ThreadPoolExecutor(len(jobs)) as pool:
            ends = [pool.submit(self.workers.run, job) for job in held]
            barrier.wait()  # all have come to their steps
            if moment is None:
                self.kill()
            barrier.wait()  # and go
            if moment is not None:
                time.sleep(moment)  # of the crash: nothing is waited for
                self.kill()
            heard = [require_transient(end.result()) for end in ends]
            print(f"{self.service}, {action}, killed at {moment}: {sum(heard)} of {len(heard)} steps heard of it")
            list(pool.map(self._finish, began))

    def _steps(self, job: Job, action: Action) -> list[Step]:
        records = self.engine.ledger.steps(EnvId(job.env_id), action)
        return [record.step for record in records if record.step.resource.system in self.systems]

    def _bring_to(self, job: Job, steps: Sequence[Step], position: int) -> None:
        """Apply the first `position` steps."""
        if position:
            last = At(f"{job.tasks[0]}: applied {steps[position - 1]}")
            end = self.workers.run(replace(job, dies=last))
            assert end.killed, end.error

    def _finish(self, job: Job) -> None:
        assert self.workers.try_as_airflow_does(job)[-1].error is None
