"""Waiting for data that is fresh enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow.sensors.base import BaseSensorOperator

from testenv.core.spec import LATEST
from testenv_airflow.hooks.testenv import TestenvHook, airflow_errors
from testenv_airflow.triggers.freshness import DatasetFreshnessTrigger

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.datasets.freshness import Question


class DatasetFreshnessSensor(BaseSensorOperator):
    """Waits, without a worker, until a dataset is as fresh as its contracts promise. Returns the dataset's version.

    A contract's promise is its `frequency` and `latency` together (docs/refresh.md). Where no refresh can help, as for
    a version that is named or an environment that follows none, and when `timeout` is over, it fails with each
    contract's age and what is allowed.

    :param version: a dataset version; `latest` means the published one, whichever that is by then. (templated)
    :param environment: an environment's id, to ask for the dataset that it stands on instead. (templated)
    :param contracts: ids such as `postgres.payments`; all where none is named. (templated)
    :param grace: allowed beyond each promise; a day makes a nightly dataset serve for contracts of the hour.
    :param fail_fast: fail at once when something is stale, instead of waiting for a refresh.
    """

    template_fields: Sequence[str] = ("version", "environment", "contracts")

    def __init__(
        self,
        *,
        version: str = LATEST,
        environment: str = "",
        contracts: Collection[str] = (),
        grace: timedelta = timedelta(),
        fail_fast: bool = False,
        poke_interval: timedelta | float = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.version = version
        self.environment = environment
        self.contracts = list(contracts)
        self.grace = grace
        self.fail_fast = fail_fast

    def execute(self, context: Context) -> str:
        from testenv.datasets.contracts import load_contracts  # seconds: not at parse time
        from testenv.datasets.freshness import look

        with airflow_errors():
            found = look(TestenvHook().engine, load_contracts(), self._question())
        self.log.info("%s", found)
        if not found.stale:
            return found.dataset
        if self.fail_fast or not found.may_change:
            raise self._failure(str(found))
        raise TaskDeferred(
            trigger=DatasetFreshnessTrigger(
                version=self.version,
                environment=self.environment,
                contracts=list(self.contracts),
                grace=self.grace.total_seconds(),
                interval=self.poke_interval,
                until=(datetime.now(UTC) + timedelta(seconds=self.timeout)).isoformat(),
            ),
            method_name="looked",
        )

    def looked(self, context: Context, event: dict[str, str]) -> str:
        """The trigger's word: the version that is fresh, or why there was none."""
        if stale := event.get("stale"):
            raise self._failure(stale)
        self.log.info("%s is fresh", event["dataset"])
        return event["dataset"]

    def _question(self) -> Question:
        from testenv.datasets.freshness import Question

        return Question(self.version, self.environment, tuple(self.contracts), self.grace)

    def _failure(self, words: str) -> AirflowFailException | AirflowSkipException:
        return AirflowSkipException(words) if self.soft_fail else AirflowFailException(words)
