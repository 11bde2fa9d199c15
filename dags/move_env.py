"""move_env: move an environment to another dataset version, without losing what its owner keeps."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from airflow.models import DAG
from airflow.models.param import Param
from airflow.utils.task_group import TaskGroup
from airflow.utils.trigger_rule import TriggerRule

from testenv_airflow.dbt import PRODUCER, build_group
from testenv_airflow.defaults import INVENTORY, PARTS, TASKS, environment_param
from testenv_airflow.operators.move import BeginMoveOperator, ServeAgainOperator
from testenv_airflow.operators.provision import (
    MOVE_OUTCOMES,
    AbandonOperator,
    EnsureOperator,
    ReadyOperator,
    VerifyOperator,
)
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
        build="build",
        pool=INVENTORY,
    )

    with TaskGroup("replace", tooltip="Make what is not kept be the version's, one task per vendor") as replace:
        parts = {
            name: EnsureOperator(task_id=name, task_display_name=part.title, systems=part.systems, pool=part.pool)
            for name, part in PARTS.items()
        }

    build = build_group(
        "build",
        checkout=Path(__file__).parents[1],
        environment=ENVIRONMENT,
        tooltip="Build the dbt models that the environment's code changes",
    )

    verify = VerifyOperator(
        task_id="verify",
        task_display_name="verify: log in everywhere and count",
        pool=INVENTORY,
        trigger_rule=TriggerRule.NONE_FAILED,  # `build` is skipped where the dataset brings the models along
    )
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

    wait >> begin >> replace
    parts["snowflake"] >> build
    building = build.children[f"build.{PRODUCER}"]  # the models' tasks only watch it
    [replace, building] >> verify >> ready >> serve
    [wait, begin, replace, building, verify, ready, serve] >> abandon
