"""Waiting for a dataset that is fresh."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from testenv.core.errors import Terminal, Transient
from testenv_airflow.hooks.testenv import shared_engine

if TYPE_CHECKING:
    from testenv.core.contract import Contracts
    from testenv.datasets.freshness import Look


class DatasetFreshnessTrigger(BaseTrigger):
    """Looks until nothing is stale, or nothing can change that any more. Its event has `dataset`, or `stale`: why not.

    :param version: a dataset version, or latest.
    :param environment: an environment's id, to look at the dataset that it stands on.
    :param contracts: ids of contracts; all where none is named.
    :param grace: seconds allowed beyond each promise.
    :param interval: seconds between two looks.
    :param until: when to give up, ISO 8601. The deadline is the trigger's own: Airflow's would not say what is stale.
    """

    def __init__(
        self, *, version: str, environment: str, contracts: Sequence[str], grace: float, interval: float, until: str
    ) -> None:
        super().__init__()
        self.version = version
        self.environment = environment
        self.contracts = contracts
        self.grace = grace
        self.interval = interval
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("version", "environment", "contracts", "grace", "interval", "until")
        path = "testenv_airflow.triggers.freshness.DatasetFreshnessTrigger"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from testenv.datasets.contracts import load_contracts

        contracts = await asyncio.to_thread(load_contracts)
        until, said = datetime.fromisoformat(self.until), "it could not be looked at"
        while True:
            try:
                found = await asyncio.to_thread(self._look, contracts)
            except Transient as error:
                self.log.warning("Looking again: %s", error)
                said = str(error)
            except Terminal as error:  # the environment has ended
                yield TriggerEvent({"stale": str(error)})
                return
            else:
                if not found.stale:
                    yield TriggerEvent({"dataset": found.dataset})
                    return
                said = str(found)
                if not found.may_change:
                    break
            if datetime.now(UTC) >= until:
                break
            await asyncio.sleep(min(self.interval, max(0.0, (until - datetime.now(UTC)).total_seconds())))
        yield TriggerEvent({"stale": said})

    def _look(self, contracts: Contracts) -> Look:
        from testenv.datasets.freshness import Question, look

        question = Question(self.version, self.environment, tuple(self.contracts), timedelta(seconds=self.grace))
        return look(shared_engine(), contracts, question)
