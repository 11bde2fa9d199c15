"""run_pipeline: run one DAG of an environment to its end."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.param import Param

from testenv_airflow.defaults import TASKS, environment_param
from testenv_airflow.operators.use import RunPipelineOperator
from testenv_airflow.sensors.environment import EnvironmentSensor

DOC = """
### Run a pipeline in a test environment

Runs one DAG of the code under test in the environment's own Airflow, for one logical date, to its end. The log of the
run is printed into the log of the task; it also lies with the environment's artifacts for 30 days.
"""

with DAG(
    dag_id="run_pipeline",
    description="Run a DAG in a test environment",
    doc_md=DOC,
    tags=["testenv", "use"],
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=64,
    max_active_tasks=64,
    params={
        "environment": environment_param(),
        "dag_id": Param(
            type="string",
            title="Pipeline",
            minLength=1,
            maxLength=200,
            description="Id of a DAG of the code under test, such as payments_to_snowflake.",
        ),
        "logical_date": Param(
            "2026-01-02",
            type="string",
            title="Logical date",
            minLength=1,
            maxLength=40,
            description="Start of the data interval, ISO 8601, in UTC unless it says otherwise: 2026-01-02 or "
            "2026-01-02T03:00Z. The seed dataset's days are 2026-01-01 to 2026-01-03.",
        ),
    },
    default_args=TASKS,
):
    wait = EnvironmentSensor(
        task_id="wait",
        task_display_name="wait until the environment is ready",
        environment="{{ params.environment }}",
    )
    wait >> RunPipelineOperator(
        task_id="run",
        task_display_name="run to its end",
        environment="{{ params.environment }}",
        dag_to_run="{{ params.dag_id }}",
        logical_date="{{ params.logical_date }}",
        timeout=timedelta(hours=2),
        retries=0,  # a pipeline that fails shall be seen to fail; its own tasks have retries of their own
    )
