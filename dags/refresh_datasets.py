"""refresh_datasets: every night, a new dataset version from production, masked, judged and published."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.baseoperator import chain
from airflow.operators.trigger_dagrun import TriggerDagRunOperator

from testenv.datasets.subset import load_tiers
from testenv_airflow.alerts import alert_failure
from testenv_airflow.defaults import INVENTORY, TASKS
from testenv_airflow.notes import note_failure
from testenv_airflow.operators.move import FollowersOperator
from testenv_airflow.operators.refresh import (
    CheckOperator,
    LoadOperator,
    PrepareOperator,
    PublishOperator,
    RetireOperator,
    SynthesizeOperator,
)

DOC = """
### Refresh the datasets from production

`check` compares production's schemas with their contracts and stops at any difference, before a row is read. `prepare`
masks a snapshot into files, one tier within the other, and judges them: leaks, canaries, fidelity. `synthesize`
makes a tier of rows that are of nobody, `load` the databases that environments are copied from, `publish` moves one
pointer, `retire` deletes what is old and in no use. Then the environments that follow are moved to the version, in
order of need, by a run of `move_env` each: one that fails stops no other. What they stood on before is retired by the
next night's run.
A run that fails leaves the published version as it was, and alerts. `TESTENV_REFRESH_SCHEDULE` (cron) says when it
starts; without it, people do. docs/refresh.md has the whole.
"""

VERSION = "{{ ti.xcom_pull(task_ids='check') }}"

with DAG(
    dag_id="refresh_datasets",
    description="Make a dataset version from production",
    doc_md=DOC,
    tags=["testenv", "datasets"],
    schedule=os.environ.get("TESTENV_REFRESH_SCHEDULE") or None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={
        **TASKS,
        "version": VERSION,
        "pool": INVENTORY,
        "execution_timeout": timedelta(hours=1),
        "on_failure_callback": [note_failure, alert_failure],
    },
):
    check = CheckOperator(task_id="check", task_display_name="check: schemas against contracts", version="")
    prepare = PrepareOperator(task_id="prepare", task_display_name="prepare: subset, mask, judge")
    synthesize = SynthesizeOperator(task_id="synthesize", task_display_name="synthesize: rows that are of nobody")
    loads = [
        LoadOperator(task_id=f"load_{tier}", task_display_name=f"load: golden databases of tier {tier}", tier=tier)
        for tier in load_tiers().names
    ]
    publish = PublishOperator(task_id="publish", task_display_name="publish: move the pointer")
    retire = RetireOperator(task_id="retire", task_display_name="retire: delete what is old")
    followers = FollowersOperator(task_id="followers", task_display_name="followers: who is to move, in order of need")
    TriggerDagRunOperator.partial(
        task_id="move",
        task_display_name="move environments to the version",
        trigger_dag_id="move_env",
        wait_for_completion=True,
        deferrable=True,
        poke_interval=10,
        max_active_tis_per_dagrun=2,  # and the others in the order of the list
        map_index_template="{{ task.conf.environment }}",
        pool="default_pool",  # it does nothing but wait
        execution_timeout=timedelta(hours=2),
        retries=0,  # what may be tried again, `move_env` tries itself
    ).expand(conf=followers.output)

    chain(check, prepare, synthesize, *loads, publish, [retire, followers])
