"""LocalExecutor with warm workers: each task is forked from a process that has imported all that a task will.

Without it every task loads Airflow's plugins, Cosmos' web views among them, and what the DAG files import: 0.8 seconds
of CPU before a task's own work, which is less.
"""

from __future__ import annotations

from airflow import settings
from airflow.executors.local_executor import LocalExecutor
from airflow.models.dagbag import DagBag
from airflow.plugins_manager import ensure_plugins_loaded


class WarmLocalExecutor(LocalExecutor):
    """Code that was imported is the workers' until the scheduler is restarted; DAG files themselves are read anew."""

    def start(self) -> None:
        ensure_plugins_loaded()
        DagBag(include_examples=False)  # runs the files, which import more while they run
        settings.engine.dispose()  # no connection may be shared with a child
        super().start()
