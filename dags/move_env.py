"""move_env: move an environment to another dataset version, without losing what its owner keeps."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.param import Param

from testenv_airflow.defaults import INVENTORY, TASKS, environment_param
from testenv_airflow.making import BUILD, make
from testenv_airflow.operators.move import BeginMoveOperator, ServeAgainOperator
from testenv_airflow.operators.provision import MOVE_OUTCOMES, AbandonOperator, ReadyOperator
from testenv_airflow.sensors.environment import IdleSensor

DOC = """
### Move a test environment to another dataset version

`wait` lets what runs in the environment end, an hour at most; nothing is cut. `begin` plans what differs from the
version, and from then on nobody uses the environment. `replace` makes it: databases, topics and `landing/` are the
version's, but for what the owner has marked (`bin/testenv keep ENV THING…`), which stays with its rows. `build` runs
dbt for the models that the environment's code changes, also over a kept table that is such a model's. `verify` logs in
everywhere, `ready` hands it back. A move that fails leaves the environment quarantined: trigger this again, which goes
on where it was.
"""

ENVIRONMENT = "{{ params.environment }}"

with DAG(
    dag_id="move_env",
    description="Move a test environment to another dataset version",
    doc_md=DOC,
    tags=["testenv", "environments", "datasets"],
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=16,
    params={
        "environment": environment_param(),
        "dataset": Param(
            "latest",
            type="string",
            title="Dataset version",
            minLength=1,
            maxLength=40,
            description="A published dataset version, such as seed-1a2b3c4d; latest means the newest one.",
        ),
    },
    default_args={**TASKS, "environment": ENVIRONMENT},
):
    wait = IdleSensor(
        task_id="wait", task_display_name="wait until nothing runs in it", timeout=timedelta(hours=1), pool=INVENTORY
    )
    begin = BeginMoveOperator(
        task_id="begin",
        task_display_name="begin: plan what differs",
        dataset="{{ params.dataset }}",
        build=BUILD,
        pool=INVENTORY,
    )

    making = make("replace", "Make what is not kept be the version's, one task per vendor", ENVIRONMENT)

    ready = ReadyOperator(task_id="ready", task_display_name="ready: hand it back")
    serve = ServeAgainOperator(
        task_id="serve",
        task_display_name="start its scheduler again, if it ran",
        served="{{ ti.xcom_pull(task_ids='wait') }}",
    )
    abandon = AbandonOperator(
        task_id="abandon",
        ready="ready",
        outcomes=MOVE_OUTCOMES,
        task_display_name="quarantine it if that failed",
        execution_timeout=timedelta(minutes=10),
    ).as_teardown()

    wait >> begin >> making.parts
    making.verify >> ready >> serve
    [wait, begin, making.parts, making.building, making.verify, ready, serve] >> abandon
