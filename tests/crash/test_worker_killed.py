"""A worker that is killed with SIGKILL, at every boundary of provision and destroy: resumed, or destroyed, wholly."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.conftest import RunningStack
from tests.crash.conftest import Workers, left_of, unwritten
from tests.crash.worker import DESTROY, PROVISION, At, Job, Task, boundaries_of

from local.inventory import inventory
from testenv.core.errors import Drifted
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.plan import desired
from testenv.core.resources import Action, Step, System
from testenv.engine import Engine
from testenv_airflow.defaults import PARTS

NewJob = Callable[..., Job]


@pytest.mark.timeout(600)
def test_what_a_killed_worker_began_the_next_one_ends_at_every_boundary(
    stack: RunningStack, engine: Engine, workers: Workers, new_job: NewJob
) -> None:
    """One environment, made and destroyed by as many workers as there are boundaries, each killed at its own."""
    job = new_job(*PROVISION)
    env_id = EnvId(job.env_id)

    def planned_before_it_was_made() -> None:
        assert unwritten(engine, env_id) == []

    provisioning = workers.walk(job, planned_before_it_was_made)
    made = engine.ledger.steps(env_id, Action.ENSURE)
    assert set(provisioning) >= {
        *("admit: request", "admit: admit", "ready: move"),
        *boundaries_of("ensure", [record.step for record in made]),
    }
    assert {record.attempts for record in made} == {3}, "killed before, after, and once it was written as applied"
    assert engine.ledger.environment(env_id).state is State.READY
    assert engine.drift(env_id) == ()
    assert all(
        inventory(stack.env, job.env_id)[system] for system in ("snowflake", "postgres", "kafka", "s3", "iam", "ssm")
    )

    destroying = workers.walk(replace(job, tasks=DESTROY), lambda: None)
    gone = engine.ledger.steps(env_id, Action.DESTROY)
    assert {record.step.resource for record in gone} >= {record.step.resource for record in made}
    assert set(destroying) >= {
        *("drain: move", "drain: plan", "verify_gone: move"),
        *boundaries_of("destroy", [record.step for record in gone]),
    }
    assert engine.ledger.environment(env_id).state is State.DESTROYED
    assert left_of(stack, [job.env_id]) == []


@pytest.mark.timeout(600)
def test_an_environment_can_be_destroyed_from_wherever_its_workers_were_killed(
    stack: RunningStack, engine: Engine, workers: Workers, new_job: NewJob
) -> None:
    """For every step, one environment whose worker was killed when the step's part existed and was not yet applied.

    As the machine would do it: an environment's tasks run side by side, and all die at once, each at a step of its own.
    """
    parts = [Task("ensure", tuple(map(System, part.systems))) for part in PARTS.values()]
    planned: set[str] = set()
    made: list[str] = []

    def die_at(position: int) -> set[str]:
        """Names of the steps of one environment at which its workers died, each at the `position`th of its part."""
        job = new_job(Task("admit"))
        made.append(job.env_id)
        workers.finish(job)
        steps = [record.step for record in engine.ledger.steps(EnvId(job.env_id), Action.ENSURE)]
        planned.update(_anyone(step, job) for step in steps)
        last = [[step for step in steps if step.resource.system in part.systems][: position + 1][-1] for part in parts]
        doomed = [
            replace(job, tasks=(part,), dies=At(f"{part}: did {step}")) for part, step in zip(parts, last, strict=True)
        ]
        with ThreadPoolExecutor(len(doomed)) as pool:
            ends = list(pool.map(workers.run, doomed))
        assert [(end.killed, end.error) for end in ends] == [(True, None)] * len(doomed)
        assert unwritten(engine, EnvId(job.env_id)) == []
        workers.finish(replace(job, tasks=DESTROY))
        assert engine.ledger.environment(EnvId(job.env_id)).state is State.DESTROYED
        return {_anyone(step, job) for step in last}

    died, position = die_at(0), 1
    while died != planned:
        died |= die_at(position)
        position += 1
    assert left_of(stack, made) == []


def _anyone(step: Step, job: Job) -> str:
    """A step as any environment has it."""
    slug = job.conf["name"]
    return str(step).replace(slug, "…").replace(slug.upper(), "…")


def test_an_admission_whose_worker_is_killed_is_whole_or_was_not(
    engine: Engine, workers: Workers, new_job: NewJob
) -> None:
    """Its state and its plan are one: no environment is admitted without the steps that a destroy goes by."""
    requested, admitted = [new_job(Task("admit")) for _ in range(2)]
    assert workers.run(replace(requested, dies=At("admit: request"))).killed
    assert engine.ledger.environment(EnvId(requested.env_id)).state is State.REQUESTED
    assert engine.ledger.steps(EnvId(requested.env_id)) == []
    assert workers.run(replace(admitted, dies=At("admit: admit"))).killed
    assert engine.ledger.environment(EnvId(admitted.env_id)).state is State.PROVISIONING
    spec = engine.ledger.environment(EnvId(admitted.env_id)).spec
    wanted = desired(spec, engine.datasets.get(spec.dataset))
    assert {record.step.resource for record in engine.ledger.steps(EnvId(admitted.env_id))} == wanted
    with pytest.raises(Drifted, match="differs from its specification"):
        engine.verify(EnvId(admitted.env_id))
    for job in (requested, admitted):
        workers.finish(job)
        assert engine.ledger.environment(EnvId(job.env_id)).state is State.PROVISIONING
        workers.finish(replace(job, tasks=DESTROY))
        assert engine.ledger.environment(EnvId(job.env_id)).state is State.DESTROYED
