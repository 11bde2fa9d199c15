"""Waiting for environments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sensors.base import BaseSensorOperator

from testenv.core.naming import EnvId
from testenv_airflow.conf import refuse_unknown_keys
from testenv_airflow.hooks.testenv import TestenvHook, airflow_errors

if TYPE_CHECKING:
    from airflow.utils.context import Context


class EnvironmentSensor(BaseSensorOperator):
    """Waits until an environment can be used; fails at once when it never will be.

    Holds no worker while it waits. The first task of its DAG, so it refuses unknown conf keys, too.

    :param environment: the environment's id, `KIND-SLUG`. (templated)
    """

    template_fields: Sequence[str] = ("environment",)

    def __init__(self, *, environment: str, **kwargs: Any) -> None:
        super().__init__(
            mode="reschedule",
            poke_interval=timedelta(seconds=3),
            timeout=timedelta(minutes=20),
            **kwargs,
        )
        self.environment = environment

    def poke(self, context: Context) -> bool:
        with airflow_errors():
            refuse_unknown_keys(context)
            return TestenvHook().engine.usable(EnvId(self.environment))
