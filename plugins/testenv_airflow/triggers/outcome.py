"""Whether there is anything to do for a task that only follows a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.models import TaskInstance
from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TriggerEvent
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState


class UnlessSucceededTrigger(BaseTrigger):
    """Skips its task if another of the run succeeded; lets it run otherwise. A skip costs no worker process.

    :param task_id: the other task, which has ended.
    """

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return ("testenv_airflow.triggers.outcome.UnlessSucceededTrigger", {"task_id": self.task_id})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        state = await asyncio.to_thread(self._state)
        yield TaskSkippedEvent() if state == TaskInstanceState.SUCCESS else TriggerEvent({"state": state})

    def _state(self) -> str | None:
        own = self.task_instance
        key = {"dag_id": own.dag_id, "run_id": own.run_id, "task_id": self.task_id, "map_index": -1}
        with create_session() as session:
            other = session.get(TaskInstance, key)
            return other.state if other else None
