"""Waiting for a place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.models import DagRun
from airflow.triggers.base import BaseTrigger, TriggerEvent
from airflow.utils.session import create_session

from testenv.core.admission import Admitted, Queued
from testenv.core.errors import Terminal, Transient
from testenv.core.naming import EnvId
from testenv_airflow import notes
from testenv_airflow.hooks.testenv import shared_engine


class AdmissionTrigger(BaseTrigger):
    """Asks for its turn until there is a place. Each change of place is told in the log and in the run's note.

    Each question is also a sign of life: who asks no more, because its run was deleted or failed, loses its place.

    :param environment: the id of the environment that waits.
    :param interval: seconds between two questions.
    """

    def __init__(self, environment: str, interval: float = 3.0) -> None:
        super().__init__()
        self.environment = environment
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "testenv_airflow.triggers.admission.AdmissionTrigger",
            {"environment": self.environment, "interval": self.interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        place = 0
        while True:
            try:
                verdict = await asyncio.to_thread(self._ask, place)
            except Transient as error:
                self.log.warning("Asking again: %s", error)
            except Terminal as error:
                yield TriggerEvent({"environment": self.environment, "refused": str(error)})
                return
            else:
                if isinstance(verdict, Admitted):
                    yield TriggerEvent({"environment": self.environment})
                    return
                place = verdict.place
            await asyncio.sleep(self.interval)

    def _ask(self, place: int) -> Admitted | Queued:
        engine, env_id = shared_engine(), EnvId(self.environment)
        verdict = engine.wait(env_id)
        if isinstance(verdict, Queued) and verdict.place != place:
            self.log.info("%s waits at place %d", env_id, verdict.place)
            words = notes.waiting(engine.ledger.environment(env_id), verdict.place)
            with create_session() as session:
                run = self.task_instance.get_dagrun(session)
                session.get(DagRun, run.id).note = words
        return verdict
