"""Alerts of failed tasks, for DAGs whose failure people must hear of without looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testenv.alerts import alert
from testenv.config import Config

if TYPE_CHECKING:
    from airflow.utils.context import Context


def alert_failure(context: Context) -> None:
    """`on_failure_callback` of tasks. What goes wrong here stands in the task's log: Airflow writes it there."""
    task = context["task_instance"]
    reason = context.get("exception") or "the task ended without a word: see its log"
    alert(
        Config.from_environ(), f"{task.dag_id} failed in {task.task_id}", f"{task.run_id}: {reason}\n\n{task.log_url}"
    )
