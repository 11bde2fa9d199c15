"""serve_env: start or stop the scheduler and web UI of an environment."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.param import Param

from testenv_airflow.defaults import TASKS, environment_param
from testenv_airflow.operators.use import ServeOperator
from testenv_airflow.sensors.environment import EnvironmentSensor

DOC = """
### Serve a test environment

Starts the scheduler and web UI of a sandbox or integration environment, or stops them. They are started on demand,
because most environments never need them. The run's note has the address; `bin/testenv connect` has the login.
"""

with DAG(
    dag_id="serve_env",
    description="Start or stop a test environment's own Airflow UI",
    doc_md=DOC,
    tags=["testenv", "use"],
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=16,
    params={
        "environment": environment_param(),
        "action": Param(
            "start",
            type="string",
            title="Action",
            enum=["start", "stop"],
            description="start: scheduler and web UI run until they are stopped or the environment ends.",
        ),
    },
    default_args=TASKS,
):
    wait = EnvironmentSensor(
        task_id="wait",
        task_display_name="wait until the environment is ready",
        environment="{{ params.environment }}",
    )
    wait >> ServeOperator(
        task_id="serve",
        task_display_name="start or stop",
        environment="{{ params.environment }}",
        action="{{ params.action }}",
        timeout=timedelta(minutes=3),
    )
