"""The tasks of `validate_release`. Each is one call of the validator, about the environment that the run's id names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
from airflow.models import DagRun
from airflow.models.skipmixin import SkipMixin
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.utils.session import NEW_SESSION, provide_session

from testenv.checks.plan import parse_asked, verdict_id
from testenv.core.errors import NotFound, TestenvError
from testenv.core.lifecycle import ENDED
from testenv.core.spec import Models
from testenv_airflow import notes
from testenv_airflow.hooks.testenv import TestenvHook, airflow_errors
from testenv_airflow.operators.base import TestenvOperator
from testenv_airflow.operators.destroy import destroy_wholly
from testenv_airflow.triggers.orchestrator import RunTrigger

if TYPE_CHECKING:
    from airflow.utils.context import Context
    from sqlalchemy.orm import Session

    from testenv.checks.report import Report
    from testenv.engine import Engine
    from testenv.verdicts import Validator

PROVISION = "provision_env"


class ValidateOperator(TestenvOperator):
    """One call about the verdict of this run."""

    def execute(self, context: Context) -> Any:
        self.environment = str(verdict_id(context["run_id"]))
        return super().execute(context)

    def act(self, engine: Engine, context: Context) -> Any:
        return self.say(self.hook.validator, context)

    @abstractmethod
    def say(self, validator: Validator, context: Context) -> Any:
        """The one call."""


class SelectOperator(ValidateOperator):
    """Check the run's conf, resolve what it names, and select what the change affects.

    Returns the names of the checks that follow the trial. Where nothing is to be run, the tasks `of_trial` are skipped.

    :param of_trial: ids of the tasks that only a trial needs.
    """

    def __init__(self, *, of_trial: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.of_trial = tuple(of_trial)

    def say(self, validator: Validator, context: Context) -> list[str]:
        run = context["dag_run"]
        plan = validator.begin(self.env_id, parse_asked(run.conf or {}))
        self.log.info("%s (%s) against %s (%s)", plan.head.asked, plan.head.commit, plan.base.asked, plan.base.commit)
        for each in plan.choice.selected:
            self.log.info("%s: %s", each.name, " → ".join(each.chain))
        notes.note_run(context, notes.selected(plan))
        if not plan.needs_trial:
            SkipMixin().skip(run, run.execution_date, [self.dag.get_task(each) for each in self.of_trial])
        return list(plan.after_trial)


class StaticChecksOperator(ValidateOperator):
    """Judge by the checks that need no environment, while it is being made."""

    def say(self, validator: Validator, context: Context) -> None:
        for name in validator.kept(self.env_id).plan().static:
            verdict = validator.judge(self.env_id, name)
            self.log.info("%s: %s, %d findings", name, verdict.outcome, len(verdict.findings))


class ProvisionOperator(TriggerDagRunOperator):
    """Have `provision_env` make the verdict's environment, and wait for it without a worker."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            trigger_dag_id=PROVISION,
            wait_for_completion=True,
            deferrable=True,
            poke_interval=2,
            reset_dag_run=True,  # of a run that is repeated: a request is the same by the run's id
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        env_id = verdict_id(context["run_id"])
        with airflow_errors():
            plan = TestenvHook().validator.kept(env_id).plan()
        self.trigger_run_id = _provisioning(context)
        self.conf = {
            "kind": env_id.kind,
            "name": env_id.slug,
            "owner": context["dag"].dag_id,
            "ref": plan.head.commit,
            "dataset": plan.dataset,
            "models": Models.DATASET,  # base's code, too, starts from what production has
        }
        super().execute(context)

    @provide_session
    def execute_complete(
        self, context: Context, event: tuple[str, dict[str, Any]], session: Session = NEW_SESSION
    ) -> None:
        """It has ended: fails with the words of its note."""
        run = session.query(DagRun).filter_by(dag_id=PROVISION, run_id=_provisioning(context)).one()
        if run.state not in self.allowed_states:
            words = (run.note or "its grid says why").removeprefix(notes.FAILED)
            raise AirflowFailException(f"the environment was not made: {words}")


def _provisioning(context: Context) -> str:
    return f"{context['dag'].dag_id}__{verdict_id(context['run_id'])}"


class TrialOperator(ValidateOperator):
    """Run what is affected in the environment, and wait for its end without a worker.

    Fails when the trial did not come to its end within the minutes that the conf allows.
    """

    def say(self, validator: Validator, context: Context) -> None:
        minutes = parse_asked(context["dag_run"].conf or {}).trial_minutes
        task = validator.start_trial(self.env_id, 60 * minutes)
        self.log.info("The trial runs in %s as task %s", self.env_id, task)
        self.defer(trigger=RunTrigger(task), method_name="finish", timeout=timedelta(minutes=minutes + 2))

    def finish(self, context: Context, event: dict[str, str]) -> None:
        """The trial has ended."""
        env_id = verdict_id(context["run_id"])
        with airflow_errors():
            why = self.hook.validator.end_trial(env_id)
        if event["state"] != "succeeded":
            why = why or event.get("reason") or f"task {event['task']} says why in its log"
        if why:
            raise AirflowFailException(f"the pipelines could not be run: {why}")


class CheckOperator(ValidateOperator):
    """Judge by one check. Whatever goes wrong in it is its verdict, so that the others still run.

    :param check: the check's name.
    """

    template_fields: Sequence[str] = ("environment", "check")

    def __init__(self, *, check: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check

    def say(self, validator: Validator, context: Context) -> None:
        verdict = validator.judge(self.env_id, self.check)
        self.log.info("%s: %s %s", self.check, verdict.outcome, verdict.why)
        for finding in verdict.findings:
            self.log.info("%s %s: %s. %s", finding.severity, finding.rule, finding.what, finding.remedy)


class ReportOperator(ValidateOperator):
    """Write the report, and the verdict into the run's note. Runs however the tasks before it ended."""

    def say(self, validator: Validator, context: Context) -> None:
        note = notes.read_note(context)
        problem = note if note.startswith(notes.FAILED) else ""
        if "Trigger/execution timeout" in problem:
            minutes = parse_asked(context["dag_run"].conf or {}).trial_minutes
            problem = f"the pipelines did not come to their end within {minutes} minutes. One of them may hang"
        try:
            report = validator.report(self.env_id, problem)
        except NotFound as error:
            raise AirflowFailException(f"nothing was selected, so there is no verdict. {error}") from error
        notes.note_run(context, notes.judged(report))
        self.log.info("%s", notes.judged(report))
        if (context["dag_run"].conf or {}).get("commit_status") is True:
            self._post(report)

    def _post(self, report: Report) -> None:
        """Nothing more than a word is lost where GitHub does not take it: the verdict stands."""
        from testenv_airflow.github import post_verdict

        try:
            post_verdict(report)
        except (TestenvError, AirflowNotFoundException) as error:
            self.log.error("The commit has no status: %s", error)


class GateOperator(ValidateOperator):
    """Fail unless the verdict is yes."""

    def say(self, validator: Validator, context: Context) -> None:
        report = validator.kept(self.env_id).report()
        if report.answer != "yes":
            raise AirflowFailException(notes.judged(report))


class DiscardOperator(ValidateOperator):
    """Destroy the environment of the verdict, however far it came; harmless where there is none.

    Skipped where the conf asks to keep it: then it lives as long as its kind does.
    """

    def say(self, validator: Validator, context: Context) -> None:
        if (context["dag_run"].conf or {}).get("keep") is True:
            raise AirflowSkipException(f"{self.env_id} is kept. bin/testenv down {self.env_id} ends it")
        engine = validator.engine
        try:
            environment = engine.ledger.environment(self.env_id)
        except NotFound:
            raise AirflowSkipException("No environment was asked for.") from None
        if environment.state in ENDED:
            raise AirflowSkipException(f"{self.env_id} is {environment.state} already.")
        destroy_wholly(engine, self.env_id)
        self.log.info("%s is gone", self.env_id)
