"""Waiting for tasks of environments' own Airflows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from airflow.triggers.base import BaseTrigger, TriggerEvent

from testenv.core.errors import Terminal, Transient
from testenv_airflow.hooks.testenv import shared_engine

ENDED = ("succeeded", "failed")


class RunTrigger(BaseTrigger):
    """Waits until a task of an orchestrator has ended.

    Its event has `task`, `state` (succeeded or failed) and, if it failed, `reason`.

    :param task: the id that the engine gave the task.
    :param interval: seconds between two questions.
    """

    def __init__(self, task: str, interval: float = 1.0) -> None:
        super().__init__()
        self.task = task
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        name = f"testenv_airflow.triggers.orchestrator.{type(self).__name__}"
        return name, {"task": self.task, "interval": self.interval}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            try:
                event = await self.look()
            except Transient as error:
                self.log.warning("Asking again: %s", error)
            except Terminal as error:
                yield TriggerEvent({"task": self.task, "state": "failed", "reason": str(error)})
                return
            else:
                if event:
                    yield TriggerEvent(event)
                    return
            await asyncio.sleep(self.interval)

    async def look(self) -> dict[str, str] | None:
        """The event, when what is waited for has come."""
        status = await asyncio.to_thread(shared_engine().run_status, self.task)
        return {"task": self.task, "state": status.state, "reason": status.reason} if status.state in ENDED else None


class ServingTrigger(RunTrigger):
    """Waits until the web server of an orchestrator answers, or its task has ended. Its event has `address`, too."""

    async def look(self) -> dict[str, str] | None:
        status = await asyncio.to_thread(shared_engine().run_status, self.task)
        if status.state in ENDED:
            return {"task": self.task, "state": "failed", "reason": status.reason or "its task has ended"}
        if status.state == "running" and status.address and await _is_healthy(status.address):
            return {"task": self.task, "state": "serving", "address": status.address}
        return None


async def _is_healthy(address: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            return (await client.get(f"http://{address}/health")).is_success
    except httpx.TransportError:
        return False  # it does not listen yet
