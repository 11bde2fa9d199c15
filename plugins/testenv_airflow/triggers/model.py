"""Watching one model of a running dbt build, from the triggerer alone.

Cosmos starts a worker process for every model, twice: to see that the model is not built yet, and to hear that it is.
Here the watching starts and ends in the triggerer, so that a model costs no process at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.models.baseoperator import BaseOperator
from airflow.triggers.base import (
    BaseTrigger,
    StartTriggerArgs,
    TaskFailedEvent,
    TaskSkippedEvent,
    TaskSuccessEvent,
    TriggerEvent,
)
from airflow.utils.task_group import TaskGroup
from cosmos.listeners.dag_run_listener import EventStatus
from cosmos.operators._watcher.base import BaseConsumerSensor
from cosmos.operators._watcher.triggerer import WatcherEventReason, WatcherTrigger

INTERVAL = 2.0
"""Seconds between two looks. Nothing waits for the watchers, so they need not hurry."""


class ModelTrigger(BaseTrigger):
    """Cosmos' own trigger, its event turned into the task's end.

    :param model: dbt's unique id of the model.
    :param producer: task id of the running build, in the same run.
    :param tests: watch the model's tests instead of the model.
    """

    def __init__(self, model: str, producer: str, tests: bool = False) -> None:
        super().__init__()
        self.model = model
        self.producer = producer
        self.tests = tests

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "testenv_airflow.triggers.model.ModelTrigger",
            {"model": self.model, "producer": self.producer, "tests": self.tests},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        watched = WatcherTrigger(
            model_unique_id=self.model,
            producer_task_id=self.producer,
            dag_id=self.task_instance.dag_id,
            run_id=self.task_instance.run_id,
            map_index=-1,
            poke_interval=INTERVAL,
            is_test_sensor=self.tests,
        )
        async for event in watched.run():
            yield ending(event.payload)
            return


def ending(payload: dict[str, Any]) -> TriggerEvent:
    """How a task ends on Cosmos' event. A model that the build had no reason to run is skipped, not built."""
    if payload.get("reason") == WatcherEventReason.NODE_NOT_RUN:
        return TaskSkippedEvent()
    match payload["status"]:
        case EventStatus.SUCCESS:
            return TaskSuccessEvent()
        case EventStatus.SKIPPED:
            return TaskSkippedEvent()
        case _:
            return TaskFailedEvent()


def watch_without_worker(group: TaskGroup) -> None:
    """Make every watching task of a Cosmos group start and end in the triggerer."""
    for task in group.iter_tasks():
        if isinstance(task, BaseConsumerSensor) and isinstance(task, BaseOperator):
            task.start_from_trigger = True
            task.start_trigger_args = StartTriggerArgs(
                trigger_cls="testenv_airflow.triggers.model.ModelTrigger",
                trigger_kwargs={
                    "model": task.model_unique_id,
                    "producer": task.producer_task_id,
                    "tests": task.is_test_sensor,
                },
                next_method="execute_complete",
                timeout=task.execution_timeout,
            )
