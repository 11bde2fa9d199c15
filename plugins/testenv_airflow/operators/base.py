"""What all of testenv's operators share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowFailException
from airflow.models import BaseOperator
from airflow.ti_deps.deps.not_previously_skipped_dep import NotPreviouslySkippedDep

from testenv.core.naming import EnvId
from testenv_airflow.hooks.testenv import TestenvHook, airflow_errors

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.engine import Engine


class TestenvOperator(BaseOperator):
    """One call of the engine about one environment.

    :param environment: the environment's id, `KIND-SLUG`. (templated)

    What `act` returns goes to XCom, so it returns ids and nothing secret, or nothing.
    """

    __test__ = False  # pytest collects classes whose names begin with "Test"

    template_fields: Sequence[str] = ("environment",)
    # None of our tasks is skipped by what another has pushed, yet the scheduler would ask the database about every
    # finished upstream task of a waiting one, in every loop: a third of its work with forty runs.
    deps = frozenset(dep for dep in BaseOperator.deps if not isinstance(dep, NotPreviouslySkippedDep))
    ui_color = "#eef4ff"
    ui_fgcolor = "#1b2a41"

    def __init__(self, *, environment: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.environment = environment

    @abstractmethod
    def act(self, engine: Engine, context: Context) -> Any:
        """The one call."""

    def execute(self, context: Context) -> Any:
        with airflow_errors():
            return self.act(self.hook.engine, context)

    @cached_property
    def hook(self) -> TestenvHook:
        return TestenvHook()

    @property
    def env_id(self) -> EnvId:
        """The environment, once templates are rendered. Raises `InvalidName`, or fails the task when none is named."""
        if self.environment in ("", "None"):
            raise AirflowFailException(
                f"{self.task_id}: no environment is named. Trigger the DAG with the conf "
                '{"environment": "sbx-payments-fix"}; bin/testenv list shows those there are'
            )
        return EnvId(self.environment)
