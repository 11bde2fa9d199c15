"""reap_environments: every 15 minutes, end what is expired and what was left over."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.param import Param

from testenv_airflow.defaults import TASKS
from testenv_airflow.operators.destroy import FindExpiredOperator, ReapOperator

DOC = """
### Reap environments

Destroys environments whose time is over, and orphans: things in the systems that carry the name of an environment which
the ledger does not know as living. Nothing is guessed: a name that belongs to no environment is left alone.

Trigger it with `dry_run` to see what it would do.
"""

with DAG(
    dag_id="reap_environments",
    description="End expired environments and what was left over",
    doc_md=DOC,
    tags=["testenv", "upkeep"],
    schedule=timedelta(minutes=15),
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Only say what would be destroyed, in the run's note and the log of the task find.",
        )
    },
    default_args=TASKS,
):
    find = FindExpiredOperator(
        task_id="find", task_display_name="find what is expired or left over", dry_run="{{ params.dry_run }}"
    )
    ReapOperator.partial(
        task_id="reap",
        task_display_name="destroy",
        map_index_template="{{ environment }}",
        max_active_tis_per_dag=4,
        execution_timeout=timedelta(minutes=10),
    ).expand(environment=find.output)
