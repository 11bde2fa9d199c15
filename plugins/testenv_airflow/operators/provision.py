"""The tasks of `provision_env`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.models.skipmixin import SkipMixin
from airflow.triggers.base import StartTriggerArgs

from testenv.core.admission import Queued
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.resources import System
from testenv_airflow import notes
from testenv_airflow.hooks.testenv import airflow_errors
from testenv_airflow.operators.base import TestenvOperator
from testenv_airflow.operators.destroy import destroy_wholly
from testenv_airflow.triggers.admission import AdmissionTrigger

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.engine import Engine


class AdmitOperator(TestenvOperator):
    """Check the run's conf wholly, then wait without a worker until the environment is let in.

    Returns the environment's id. Unknown keys, names, references and dataset versions are refused here, before anything
    is touched. Pushed early, the id is known to the cleaning up even if admission refuses.

    :param build: id of the task group that builds the models; skipped when there are to be none but the dataset's.
    """

    def __init__(self, *, build: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.build = build

    def act(self, engine: Engine, context: Context) -> str:
        run = context["dag_run"]
        fallback = hashlib.sha256(run.run_id.encode()).hexdigest()[:8]
        environment = engine.request(run.conf or {}, run_id=run.run_id, fallback_name=fallback)
        context["task_instance"].xcom_push("return_value", str(environment.env_id))
        self.log.info("%s is requested by %s", environment.env_id, environment.spec.owner)
        verdict = engine.admit(environment.env_id)
        if isinstance(verdict, Queued):
            notes.note_run(context, notes.waiting(environment, verdict.place))
            self.log.info("All places are taken; waiting at place %d of the queue", verdict.place)
            self.defer(trigger=AdmissionTrigger(str(environment.env_id)), method_name="admitted")
        skip_build(self, engine, context, environment.env_id, self.build)
        return str(environment.env_id)

    def admitted(self, context: Context, event: dict[str, str]) -> str:
        """The trigger's word: the environment is in, or why it is not."""
        if refused := event.get("refused"):
            raise AirflowFailException(refused)
        notes.note_run(context, f"**{event['environment']}** was let in and is being made.")
        with airflow_errors():
            skip_build(self, self.hook.engine, context, EnvId(event["environment"]), self.build)
        return event["environment"]


def skip_build(task: TestenvOperator, engine: Engine, context: Context, env_id: EnvId, group: str) -> None:
    """Skip the task group that builds the models where the environment is to have none but its dataset's."""
    if engine.builds_models(env_id):
        return
    task.log.info("The models are those that the dataset brings along: there is nothing to build")
    run = context["dag_run"]
    SkipMixin().skip(run, run.execution_date, task.dag.task_group_dict[group].iter_tasks())


class EnsureOperator(TestenvOperator):
    """Make the planned parts of `systems` be there.

    :param systems: names of the systems whose parts to make.
    """

    def __init__(self, *, systems: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.systems = tuple(systems)

    def act(self, engine: Engine, context: Context) -> None:
        for step in engine.ensure(self.env_id, _systems(self.systems), run_id=context["run_id"]):
            self.log.info("%s", step)


class VerifyOperator(TestenvOperator):
    """Compare what is there with what shall be, and log in everywhere as the environment."""

    def act(self, engine: Engine, context: Context) -> None:
        for name, number in sorted(engine.verify(self.env_id).items()):
            self.log.info("%10d  %s", number, name)


class ReadyOperator(TestenvOperator):
    """Hand the environment over, and say in the run's note how to use it."""

    def act(self, engine: Engine, context: Context) -> None:
        environment = engine.ready(self.env_id, run_id=context["run_id"])
        notes.note_run(context, notes.ready(environment))
        seconds = (environment.ready_at - environment.requested_at).total_seconds() if environment.ready_at else 0
        self.log.info("%s is ready %.1f s after its request", environment.env_id, seconds)


class AbandonOperator(TestenvOperator):
    """What a failed provision leaves: nothing, or a quarantined environment where that was asked for.

    A failed move leaves the environment quarantined, to be moved again. Runs when all other tasks are done; the
    triggerer skips it when the environment is ready. Its success does not make the run a success: it is a teardown, and
    the run's state is that of the tasks that are none.

    :param ready: id of the task whose success leaves nothing to clean up.
    :param outcomes: what the run's note says of the state that follows.
    """

    def __init__(self, *, ready: str, outcomes: dict[State, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outcomes = outcomes or OUTCOMES
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="testenv_airflow.triggers.outcome.UnlessSucceededTrigger",
            trigger_kwargs={"task_id": ready},
            next_method="clean_up",
            timeout=None,
        )

    def clean_up(self, context: Context, event: dict[str, str]) -> Any:
        """The run failed."""
        if self.environment in ("", "None"):
            raise AirflowSkipException("Nothing was requested, so there is nothing to clean up.")
        return self.execute(context)

    def act(self, engine: Engine, context: Context) -> None:
        reason = notes.read_note(context)
        if not reason.startswith(notes.FAILED):
            reason = f"{notes.FAILED}a task that left no word: its log has more."
        state = engine.abandon(self.env_id, reason, run_id=context["run_id"])
        if state is State.READY:
            raise AirflowSkipException(f"{self.env_id} is ready: nothing to clean up.")
        if state is State.DESTROYING:
            destroy_wholly(engine, self.env_id)
        notes.note_run(context, notes.failed(reason, self.outcomes.get(state, f"{self.env_id} is {state}.")))
        self.log.info("%s was %s", self.env_id, state)


OUTCOMES = {
    State.DESTROYING: "Everything of the environment was destroyed; nothing is left.",
    State.QUARANTINED: "The environment is kept for inspection for 24 hours; `bin/testenv down` ends it sooner.",
    State.REFUSED: "Nothing was made.",
}

MOVE_OUTCOMES = {
    State.QUARANTINED: "It is quarantined as the move left it, with what is kept. `bin/testenv move` goes on with it.",
    State.MOVING: "Another run moves it.",
}


def _systems(names: Collection[str]) -> list[System]:
    return [System(name) for name in names]
