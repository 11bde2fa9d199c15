"""destroy_env: end an environment, and see that nothing of it is left."""

from __future__ import annotations

from datetime import datetime

from airflow.models import DAG

from testenv_airflow.defaults import INVENTORY, TASKS, environment_param
from testenv_airflow.operators.destroy import DestroyOperator, DrainOperator

DOC = """
### Destroy a test environment

`drain` writes down all that may exist of the environment and stops what runs in it. `destroy` removes its parts from
every system, from the others too where one does not answer, and then looks into every system whether anything is left.
Names outside the reserved namespace, and names of production, are refused. Logs and reports are kept for 30 days.
"""

with DAG(
    dag_id="destroy_env",
    description="End a test environment",
    doc_md=DOC,
    tags=["testenv", "environments"],
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=64,
    max_active_tasks=128,
    params={"environment": environment_param()},
    default_args={**TASKS, "environment": "{{ params.environment }}"},
):
    drain = DrainOperator(task_id="drain", task_display_name="drain: stop what runs", pool=INVENTORY)

    destroy = DestroyOperator(
        task_id="destroy", task_display_name="destroy: remove its parts, and look", pool=INVENTORY
    )

    drain >> destroy
