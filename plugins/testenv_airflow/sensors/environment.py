"""Waiting for environments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sensors.base import BaseSensorOperator, PokeReturnValue

from testenv.core.naming import EnvId
from testenv_airflow import notes
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


class IdleSensor(BaseSensorOperator):
    """Waits until nothing runs in an environment that can be used; returns whether it serves its scheduler and web UI.

    Holds no worker while it waits. What runs is never cut: when `timeout` is over, the sensor fails and the environment
    is as it was. The first task of its DAG, so it refuses unknown conf keys, too.

    :param environment: the environment's id, `KIND-SLUG`. (templated)
    """

    template_fields: Sequence[str] = ("environment",)

    def __init__(self, *, environment: str, timeout: timedelta, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", poke_interval=timedelta(seconds=5), timeout=timeout, **kwargs)
        self.environment = environment

    def poke(self, context: Context) -> PokeReturnValue:
        hook, env_id = TestenvHook(), EnvId(self.environment)
        with airflow_errors():
            refuse_unknown_keys(context)
            if work := hook.mover.at_work(env_id):
                notes.note_run(context, f"**{env_id}** is at work, and is moved when that has ended: {'; '.join(work)}")
                self.log.info("%s is at work: %s", env_id, "; ".join(work))
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=hook.engine.serves(env_id))
