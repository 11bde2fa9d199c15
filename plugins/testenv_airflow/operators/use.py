"""The tasks of `run_pipeline` and `serve_env`: using an environment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowFailException

from testenv.core.errors import NotFound
from testenv_airflow import notes
from testenv_airflow.hooks.testenv import airflow_errors
from testenv_airflow.operators.base import TestenvOperator
from testenv_airflow.triggers.orchestrator import RunTrigger, ServingTrigger

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.engine import Engine


class RunPipelineOperator(TestenvOperator):
    """Run a DAG in the environment's own Airflow, wait for its end without a worker, and print its log.

    Returns the id of the task it ran as; fails when the run failed.

    :param dag: id of the DAG to run. (templated)
    :param logical_date: ISO 8601. (templated)
    :param timeout: how long the run may take.
    """

    template_fields: Sequence[str] = ("environment", "dag_to_run", "logical_date")

    def __init__(self, *, dag_to_run: str, logical_date: str, timeout: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dag_to_run = dag_to_run
        self.logical_date = logical_date
        self.timeout = timeout

    def act(self, engine: Engine, context: Context) -> None:
        task = engine.start_run(self.env_id, self.dag_to_run, self.logical_date)
        what = f"{self.dag_to_run} in {self.env_id} for {self.logical_date}"
        notes.note_run(context, f"{what} is running, as task `{task}`.")
        self.log.info("%s runs in %s as task %s", self.dag_to_run, self.env_id, task)
        self.defer(trigger=RunTrigger(task), method_name="finish", timeout=self.timeout)

    def finish(self, context: Context, event: dict[str, str]) -> str:
        """The run has ended."""
        with airflow_errors():
            reason = self._print(event.get("reason", ""))
        what = f"{self.dag_to_run} in {self.env_id} for {self.logical_date}"
        if event["state"] != "succeeded":
            raise AirflowFailException(f"{what} failed: {reason or 'its log says why'}")
        notes.note_run(context, f"{what} succeeded.")
        return event["task"]

    def _print(self, reason: str) -> str:
        """Print the run's log into the task's; returns why the run failed, as exactly as is known."""
        try:
            result = self.hook.engine.run_result(self.env_id, self.dag_to_run, self.logical_date)
        except NotFound as error:
            self.log.warning("%s", error)
            return reason
        self.log.info("::group::Log of %s in %s", self.dag_to_run, self.env_id)
        for line in result.log.splitlines():
            self.log.info("%s", line)
        self.log.info("::endgroup::")
        return str(result.result.get("error") or reason)


class ServeOperator(TestenvOperator):
    """Start or stop the scheduler and web UI of an environment. Started, it waits until the web UI answers.

    :param action: start or stop. (templated)
    :param timeout: how long starting may take.
    """

    template_fields: Sequence[str] = ("environment", "action")

    def __init__(self, *, action: str, timeout: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.timeout = timeout

    def act(self, engine: Engine, context: Context) -> None:
        if self.action == "stop":
            engine.stop_serving(self.env_id)
            notes.note_run(context, f"The scheduler and web UI of **{self.env_id}** are stopped.")
            return
        task = engine.start_serving(self.env_id)
        self.defer(trigger=ServingTrigger(task), method_name="served", timeout=self.timeout)

    def served(self, context: Context, event: dict[str, str]) -> str:
        """The web UI answers, or never will."""
        if event["state"] != "serving":
            raise AirflowFailException(f"the web UI of {self.env_id} did not start: {event['reason']}")
        notes.note_run(
            context,
            f"The Airflow of **{self.env_id}** is at http://{event['address']}. "
            f"How to log in: `bin/testenv connect {self.env_id}`",
        )
        return event["task"]
