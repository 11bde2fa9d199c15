"""Executes one DAG run in this process: a scheduler's decisions without a scheduler.

Like `DAG.test()`, from which it differs where a faithful run needs it: failed tasks are retried (at once: what a
retry delay waits for does not happen here), triggers run with their timeout and their kwargs kept, start dates are
set, the data interval is that of the scheduled run with this logical date, and SIGTERM ends the run.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import time
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType

from airflow.exceptions import AirflowTaskTerminated, TaskDeferred
from airflow.models import import_all_models
from airflow.models.dag import DAG
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.timetables.base import DataInterval
from airflow.triggers.base import BaseTaskEndEvent, TriggerEvent
from airflow.utils import timezone
from airflow.utils.net import get_hostname
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from airflow.utils.types import DagRunType
from sqlalchemy import select
from sqlalchemy.orm import Session

from testenv_airflow.orchestrator.trigger_wait import await_trigger

log = logging.getLogger(__name__)

_RESUME_WITH_ERROR = "__fail__"  # as airflow.models.trigger has it


@dataclass(frozen=True)
class TaskResult:
    """One task instance at the end. `start` and `end` are ISO 8601 or None; `tries` counts attempts."""

    task_id: str
    map_index: int
    state: str | None
    start: str | None
    end: str | None
    tries: int


@dataclass(frozen=True)
class Outcome:
    """How the run ended; `error` is the text of the first failure of a task.

    `interrupted`: it did not end, but was left after its first task as a killed process would leave it.
    """

    succeeded: bool
    tasks: list[TaskResult]
    error: str | None
    interrupted: bool = False


class RunStopped(BaseException):
    """SIGTERM came. Not an Exception, so that no code under test catches it. `tasks` is filled when the run is
    closed.
    """

    tasks: list[TaskResult]

    def __init__(self) -> None:
        super().__init__("the run was stopped by SIGTERM")
        self.tasks = []


def execute(dag: DAG, logical_date: datetime, *, first_task_only: bool = False, resume: bool = False) -> Outcome:
    """Run `dag` for `logical_date` to the end; an earlier run of that date is deleted. Raises RunStopped.

    `first_task_only` leaves the run after its first task; `resume` goes on with one that was left.
    """
    import_tables()
    signal.signal(signal.SIGTERM, _stop)
    with create_session() as session:
        run = _run_of(dag, logical_date, session) if resume else None
        execution = _Execution(dag, run or _new_run(dag, logical_date, session), session, first_task_only)
        try:
            execution.to_the_end()
        except RunStopped as stopped:
            session.rollback()
            execution.close_as_failed()
            stopped.tasks = execution.results()
            raise
        except Exception as error:  # not a task's failure but the run's: the database, or a run that cannot go on
            log.exception("the run cannot go on")
            session.rollback()
            execution.close_as_failed()
            return Outcome(False, execution.results(), f"{type(error).__name__}: {error}")
        state, error_text = execution.run.state, next(iter(execution.errors.values()), None)
        interrupted = first_task_only and state == DagRunState.RUNNING
        return Outcome(state == DagRunState.SUCCESS, execution.results(), error_text, interrupted)


def import_tables() -> None:
    """Load all of Airflow's models: tables refer to each other by name, and to those of the user management."""
    import_all_models()
    importlib.import_module("airflow.providers.fab.auth_manager.models")


def scheduled_interval(dag: DAG, logical_date: datetime) -> DataInterval:
    """The data interval of the run that a scheduler would make for `logical_date`; where the date is not one of the
    timetable's, or there is no schedule, that of a manual run at that time.
    """
    date = timezone.coerce_datetime(logical_date)
    manual = dag.timetable.infer_manual_data_interval(run_after=date)
    try:
        automated = dag.infer_automated_data_interval(date)
    except ValueError:  # a timetable of one's own that does not say
        return manual
    if dag.timetable.infer_manual_data_interval(run_after=automated.end) == automated:
        return automated
    return manual


@dataclass
class _Execution:
    dag: DAG
    run: DagRun
    session: Session
    first_task_only: bool = False
    errors: dict[str, str] = field(default_factory=dict)  # of each task whose last try failed, in order of failure

    def __post_init__(self) -> None:
        self.run_id = self.run.id

    def to_the_end(self) -> None:
        before: dict[tuple[str, int], str | None] = {}
        while self.run.state == DagRunState.RUNNING:
            self._refresh()
            schedulable, _ = self.run.update_state(session=self.session)
            for instance in schedulable:
                self._schedule(instance)
            self.session.commit()
            waiting = self.run.get_task_instances(session=self.session)
            states = {(each.task_id, each.map_index): each.state for each in waiting}
            scheduled = [each for each in waiting if each.state == TaskInstanceState.SCHEDULED]
            for task_id, map_index in sorted((each.task_id, each.map_index) for each in scheduled):
                self._run_task(task_id, map_index)
                if self.first_task_only:
                    return
            if not scheduled and states == before and self.run.state == DagRunState.RUNNING:
                self._wait_for_reschedule(waiting)
            before = states

    def results(self) -> list[TaskResult]:
        """All task instances, in order of start."""
        self._refresh()
        instances = self.run.get_task_instances(session=self.session)
        last = timezone.utcnow()
        ordered = sorted(
            instances, key=lambda each: (each.start_date or each.end_date or last, each.task_id, each.map_index)
        )
        return [
            TaskResult(
                each.task_id,
                each.map_index,
                each.state and str(each.state),
                each.start_date and each.start_date.isoformat(),
                each.end_date and each.end_date.isoformat(),
                each.try_number,
            )
            for each in ordered
        ]

    def close_as_failed(self) -> None:
        """What did not finish has failed, and so has the run."""
        self._refresh()
        for instance in self.run.get_task_instances(session=self.session):
            if instance.state not in State.finished and instance.start_date:
                instance.set_state(TaskInstanceState.FAILED, session=self.session)
        self.run.set_state(DagRunState.FAILED)
        self.session.commit()

    def _refresh(self) -> None:
        """Read the run anew: Airflow detaches objects from the session while it runs a task."""
        self.session.expire_all()
        self.run = self.session.scalars(select(DagRun).where(DagRun.id == self.run_id)).one()
        self.run.dag = self.dag

    def _instance(self, task_id: str, map_index: int) -> TaskInstance:
        self._refresh()
        instance = self.run.get_task_instance(task_id, session=self.session, map_index=map_index)
        instance.task = self.dag.task_dict[task_id]
        return instance

    def _schedule(self, instance: TaskInstance) -> None:
        if instance.state != TaskInstanceState.UP_FOR_RESCHEDULE:
            instance.try_number += 1
        instance.state = TaskInstanceState.SCHEDULED

    def _run_task(self, task_id: str, map_index: int) -> None:
        """Run one try of one task; a failure is noted, and the next try scheduled if there is one left."""
        instance = self._instance(task_id, map_index)
        name = task_id if map_index < 0 else f"{task_id}[{map_index}]"
        print(f"orchestrator: task {name} try {instance.try_number} started", flush=True)
        instance.state = TaskInstanceState.RUNNING
        instance.start_date, instance.end_date = timezone.utcnow(), None
        instance.hostname, instance.pid = get_hostname(), os.getpid()
        self.session.commit()
        try:
            self._run_with_triggers(instance)
        except AirflowTaskTerminated as terminated:  # Airflow's own handler of SIGTERM, which has called on_kill
            raise RunStopped from terminated
        except Exception as error:
            if not self.session.is_active:  # the failure was the database's
                self.session.rollback()
            if instance.state == TaskInstanceState.RUNNING:  # Airflow failed around the task, and did not say so
                log.exception("task %s could not be run", name)
            self.errors.setdefault(name, f"{name}: {type(error).__name__}: {error}")
        finally:
            signal.signal(signal.SIGTERM, _stop)  # Airflow leaves its own in place
        self.session.commit()
        instance = self._instance(task_id, map_index)
        print(f"orchestrator: task {name} try {instance.try_number} {instance.state}", flush=True)
        if instance.state == TaskInstanceState.UP_FOR_RETRY:
            self._schedule(instance)
            self.session.commit()
        elif instance.state == TaskInstanceState.SUCCESS:
            self.errors.pop(name, None)

    def _run_with_triggers(self, instance: TaskInstance) -> None:
        while True:
            try:
                instance._run_raw_task(session=self.session, raise_on_defer=True)
                return
            except TaskDeferred as deferred:
                instance.next_method = deferred.method_name
                instance.next_kwargs = deferred.kwargs or {}
                event = await_trigger(deferred, instance)
            if isinstance(event, BaseTaskEndEvent):
                event.handle_submit(task_instance=instance, session=self.session)
                self.session.commit()
                return
            if isinstance(event, TriggerEvent):
                instance.next_kwargs = {**(instance.next_kwargs or {}), "event": event.payload}
            else:
                instance.next_method, instance.next_kwargs = _RESUME_WITH_ERROR, event
            self.session.merge(instance)
            self.session.commit()

    def _wait_for_reschedule(self, instances: list[TaskInstance]) -> None:
        """Sleep until the first rescheduled sensor is due; raise if there is none, since then nothing will ever
        happen.
        """
        from airflow.models.taskreschedule import TaskReschedule

        sensors = [each for each in instances if each.state == TaskInstanceState.UP_FOR_RESCHEDULE]
        if not sensors:
            stuck = sorted(each.task_id for each in instances if each.state not in State.finished)
            raise RuntimeError(f"no task can run; unfinished: {', '.join(stuck)}; see why in the log above")
        dates = []
        for sensor in sensors:
            statement = TaskReschedule.stmt_for_task_instance(sensor, descending=True)
            dates.append(self.session.scalars(statement.limit(1)).one().reschedule_date)
        time.sleep(max(0.0, (min(dates) - timezone.utcnow()).total_seconds()))


def _run_of(dag: DAG, logical_date: datetime, session: Session) -> DagRun | None:
    date = timezone.coerce_datetime(logical_date)
    return session.scalar(select(DagRun).where(DagRun.dag_id == dag.dag_id, DagRun.execution_date == date))


def _new_run(dag: DAG, logical_date: datetime, session: Session) -> DagRun:
    dag.validate()
    date = timezone.coerce_datetime(logical_date)
    earlier = _run_of(dag, date, session)
    if earlier is not None:
        print(f"orchestrator: deleting the earlier run {earlier.run_id}, {earlier.state}", flush=True)
        session.delete(earlier)
        session.commit()
    interval = scheduled_interval(dag, date)
    print(f"orchestrator: {dag.dag_id} {date.isoformat()}, data from {interval.start} to {interval.end}", flush=True)
    run = dag.create_dagrun(
        state=DagRunState.RUNNING,
        execution_date=date,
        run_id=DagRun.generate_run_id(DagRunType.MANUAL, date),
        run_type=DagRunType.MANUAL,
        start_date=timezone.utcnow(),
        external_trigger=True,
        data_interval=interval,
        session=session,
    )
    session.commit()
    return run


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise RunStopped
