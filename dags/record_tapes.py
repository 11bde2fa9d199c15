"""record_tapes: every night, a tape of each of production's topics, masked and sealed."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.baseoperator import chain
from airflow.models.param import Param

from testenv.core.contract import Store
from testenv.datasets.contracts import contracted
from testenv_airflow.defaults import INVENTORY, TASKS
from testenv_airflow.operators.record import (
    CheckTopicsOperator,
    PublishTapesOperator,
    RecordOperator,
    RetireTapesOperator,
)

DOC = """
### Record tapes of production's topics

`check` decides which part of each topic to record, and compares it and the registry's schemas with the contracts: any
difference stops the run before a record is captured. `record` captures, masks, judges and seals one topic; a tape that
is not fit to leave production is not sealed. `publish` makes the tapes a set once all that were asked are whole, and
moves `tapes/current` if the set has all topics. `retire` deletes what is older than 30 days and in nobody's use.
A run that fails leaves the current set as it was; a task that is cleared goes on with the same set.

`TESTENV_TAPES_SCHEDULE` (cron) says when it starts; without it, people do. The run's note names the set:
`bin/testenv up --tapes SET` fills an environment's topics from it. docs/tapes.md has the whole.
"""

TOPICS = contracted(Store.KAFKA)

PARAMS = {
    "topics": Param(
        [],
        type="array",
        title="Topics",
        examples=TOPICS,
        items={"type": "string", "enum": TOPICS},
        description="Topics of production to record. None: all, which alone makes a set the current one.",
    ),
    "hours": Param(
        None,
        type=["null", "integer"],
        title="Hours",
        minimum=1,
        description="Only records of the last so many hours, by their timestamps. Empty: however old.",
    ),
    "records": Param(
        100_000,
        type="integer",
        title="Records",
        minimum=1,
        maximum=10_000_000,
        description="The newest so many records of each partition, at most.",
    ),
}

with DAG(
    dag_id="record_tapes",
    description="Record masked tapes of production's topics",
    doc_md=DOC,
    tags=["testenv", "datasets"],
    schedule=os.environ.get("TESTENV_TAPES_SCHEDULE") or None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args={**TASKS, "pool": INVENTORY, "execution_timeout": timedelta(hours=1)},
):
    check = CheckTopicsOperator(task_id="check", task_display_name="check: topics against contracts")
    record = RecordOperator.partial(
        task_id="record",
        task_display_name="record: capture, mask, judge, seal",
        map_index_template="{{ topic }}",
        max_active_tis_per_dagrun=2,  # each masks as fast as a core can
    ).expand(topic=check.output)
    publish = PublishTapesOperator(task_id="publish", task_display_name="publish: one set, whole")
    retire = RetireTapesOperator(task_id="retire", task_display_name="retire: delete what is old")

    chain(record, publish, retire)
