"""Waiting for a trigger in the process of the run, where no triggerer is."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

from airflow.exceptions import TaskDeferred
from airflow.models.taskinstance import TaskInstance
from airflow.triggers.base import TriggerEvent


def await_trigger(deferred: TaskDeferred, instance: TaskInstance) -> TriggerEvent | dict[str, Any]:
    """The trigger's first event; or, if it fails or takes too long, the kwargs to resume the task with an error."""
    trigger = deferred.trigger
    trigger.task_instance = instance
    timeout = deferred.timeout.total_seconds() if deferred.timeout else None

    async def first_event() -> TriggerEvent:
        async for event in trigger.run():
            return event
        raise RuntimeError("the trigger ended without an event")

    async def within_time() -> TriggerEvent:
        return await asyncio.wait_for(first_event(), timeout)

    try:
        return asyncio.run(within_time())
    except TimeoutError:
        return {"error": "Trigger timeout"}
    except Exception:  # noqa: BLE001 (a trigger may raise anything; the task is told, as the triggerer does)
        return {"error": "Trigger failure", "traceback": traceback.format_exc().splitlines(keepends=True)}
