"""The tasks of `provision_env`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowFailException, AirflowSkipException

from testenv.core.admission import Queued
from testenv.core.lifecycle import State
from testenv.core.resources import System
from testenv_airflow import notes
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
    """

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
        return str(environment.env_id)

    def admitted(self, context: Context, event: dict[str, str]) -> str:
        """The trigger's word: the environment is in, or why it is not."""
        if refused := event.get("refused"):
            raise AirflowFailException(refused)
        notes.note_run(context, f"**{event['environment']}** was let in and is being made.")
        return event["environment"]


class EnsureOperator(TestenvOperator):
    """Make the planned parts of `systems` be there.

    :param systems: names of the systems whose parts to make.
    :param seeds: True for the data put into parts, False for the parts, None for both.
    """

    def __init__(self, *, systems: Sequence[str], seeds: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.systems = tuple(systems)
        self.seeds = seeds

    def act(self, engine: Engine, context: Context) -> None:
        for step in engine.ensure(self.env_id, _systems(self.systems), seeds=self.seeds):
            self.log.info("%s", step)


class VerifyOperator(TestenvOperator):
    """Compare what is there with what shall be, and log in everywhere as the environment."""

    def act(self, engine: Engine, context: Context) -> None:
        for name, number in sorted(engine.verify(self.env_id).items()):
            self.log.info("%10d  %s", number, name)


class ReadyOperator(TestenvOperator):
    """Hand the environment over, and say in the run's note how to use it."""

    def act(self, engine: Engine, context: Context) -> None:
        environment = engine.ready(self.env_id)
        notes.note_run(context, notes.ready(environment))
        seconds = (environment.ready_at - environment.requested_at).total_seconds() if environment.ready_at else 0
        self.log.info("%s is ready %.1f s after its request", environment.env_id, seconds)


class AbandonOperator(TestenvOperator):
    """What a failed provision leaves: nothing, or a quarantined environment where that was asked for.

    Runs when all other tasks are done, and skips itself when the environment is ready. Its success does not make the
    run a success: it is a teardown, and the run's state is that of the task `ready`.
    """

    def execute(self, context: Context) -> Any:
        if self.environment in ("", "None"):
            raise AirflowSkipException("Nothing was requested, so there is nothing to clean up.")
        return super().execute(context)

    def act(self, engine: Engine, context: Context) -> None:
        reason = notes.read_note(context)
        if not reason.startswith(notes.FAILED):
            reason = f"{notes.FAILED}a task that left no word: its log has more."
        state = engine.abandon(self.env_id, reason)
        if state is State.READY:
            raise AirflowSkipException(f"{self.env_id} is ready: nothing to clean up.")
        if state is State.DESTROYING:
            destroy_wholly(engine, self.env_id)
        notes.note_run(context, notes.failed(reason, _OUTCOMES.get(state, f"{self.env_id} is {state}.")))
        self.log.info("%s was %s", self.env_id, state)


_OUTCOMES = {
    State.DESTROYING: "Everything of the environment was destroyed; nothing is left.",
    State.QUARANTINED: "The environment is kept for inspection for 24 hours; `bin/testenv down` ends it sooner.",
    State.REFUSED: "Nothing was made.",
}


def _systems(names: Collection[str]) -> list[System]:
    return [System(name) for name in names]
