"""reap_environments: every 15 minutes, end what is over, stuck or left over; once a day, forget what is old."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.param import Param

from testenv_airflow.defaults import TASKS
from testenv_airflow.operators.reap import FindOperator, ReapOperator, RetainOperator

DOC = """
### Reap environments

`find` looks into the ledger and into every system, and its log tells all that is wrong, why, and what proves it:
environments whose time is over, that are stuck because who worked on them died, dead requests, ready environments of
which nothing is left, and orphans: things that no living environment of the ledger owns. `reap` ends each. What bears
such a name but not testenv's mark is told and never touched; a ready environment that lacks parts is told and kept.

`retain` runs once a day: artifacts, logs and history are kept for 30 days.

Trigger it with `dry_run` to see what it would do.
"""

with DAG(
    dag_id="reap_environments",
    description="End environments that are over, and what was left of others",
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
            description="Only say what would be ended and deleted, in the run's note and the logs of find and retain.",
        )
    },
    default_args=TASKS,
):
    find = FindOperator(task_id="find", task_display_name="find what is to end", dry_run="{{ params.dry_run }}")
    ReapOperator.partial(
        task_id="reap",
        task_display_name="end it",
        map_index_template="{{ environment }}",
        max_active_tis_per_dag=4,
        execution_timeout=timedelta(minutes=10),
    ).expand(environment=find.output)
    RetainOperator(task_id="retain", task_display_name="forget what is old", dry_run="{{ params.dry_run }}")
