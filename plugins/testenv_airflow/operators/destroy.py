"""The tasks of `destroy_env`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testenv.core.naming import Names
from testenv.reaper import destroy_wholly
from testenv_airflow import notes
from testenv_airflow.conf import refuse_unknown_keys
from testenv_airflow.operators.base import TestenvOperator

__all__ = ["DestroyOperator", "DrainOperator", "destroy_wholly"]

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.engine import Engine


class DrainOperator(TestenvOperator):
    """Write down the destruction of all that may exist, and stop what runs."""

    def act(self, engine: Engine, context: Context) -> None:
        refuse_unknown_keys(context)
        environment = engine.drain(self.env_id)
        notes.note_run(context, f"**{environment.env_id}** of {environment.spec.owner} is being destroyed.")


class DestroyOperator(TestenvOperator):
    """Apply the planned destruction in every system, and look into each: fails when one still has something.

    One task: the look is a fraction of what a task of its own would cost.
    """

    def act(self, engine: Engine, context: Context) -> None:
        for step in engine.destroy(self.env_id):
            self.log.info("%s", step)
        environment = engine.verify_gone(self.env_id)
        kept = Names(environment.env_id).artifacts
        notes.note_run(context, f"**{environment.env_id}** is gone. Its logs and reports stay 30 days below `{kept}`.")
