from __future__ import annotations

import pytest
from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent
from airflow.utils.module_loading import import_string
from cosmos.listeners.dag_run_listener import EventStatus
from cosmos.operators._watcher.triggerer import WatcherEventReason

from testenv_airflow.triggers.admission import AdmissionTrigger
from testenv_airflow.triggers.freshness import DatasetFreshnessTrigger
from testenv_airflow.triggers.model import ModelTrigger, ending
from testenv_airflow.triggers.orchestrator import RunTrigger, ServingTrigger
from testenv_airflow.triggers.outcome import UnlessSucceededTrigger

TRIGGERS: list[BaseTrigger] = [
    AdmissionTrigger("sbx-a", interval=1),
    RunTrigger("task1", interval=2),
    ServingTrigger("task2"),
    UnlessSucceededTrigger("ready"),
    DatasetFreshnessTrigger(
        version="latest",
        environment="sbx-a",
        contracts=["postgres.payments"],
        grace=3600.0,
        interval=2,
        until="2026-01-02T12:00:00+00:00",
    ),
    ModelTrigger("model.finsight.stg_payments", "build.dbt_producer_watcher", tests=True),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: type(trigger).__name__)
def test_a_trigger_is_rebuilt_from_what_it_serializes(trigger: BaseTrigger) -> None:
    path, arguments = trigger.serialize()
    again = import_string(path)(**arguments)
    assert type(again) is type(trigger)
    assert again.serialize() == trigger.serialize()


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (EventStatus.SUCCESS, TaskSuccessEvent),
        (EventStatus.SKIPPED, TaskSkippedEvent),
        (EventStatus.FAILED, TaskFailedEvent),
    ],
)
def test_a_models_task_ends_as_dbt_says(status: str, event: type[TriggerEvent]) -> None:
    assert type(ending({"status": status})) is event


def test_a_model_that_the_build_had_no_reason_to_run_is_skipped() -> None:
    event = {"status": EventStatus.SUCCESS, "reason": WatcherEventReason.NODE_NOT_RUN}
    assert type(ending(event)) is TaskSkippedEvent
