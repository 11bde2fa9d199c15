"""replay_stream: fill a topic of an environment from a tape."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.param import Param

from testenv.core.contract import Store
from testenv.datasets.contracts import contracted
from testenv_airflow.defaults import TASKS, environment_param
from testenv_airflow.operators.replay import ReplayOperator

DOC = """
### Replay a tape into a test environment

Makes a topic of the environment anew and fills it from a tape: *rebased* (offsets from 0 on, fast) or *exact* (the
offsets that production had, gaps included), as it was recorded or as a variant of it. It is read back and compared
record by record before the run is a success. What is asked is checked first; nothing is touched when anything is wrong.
The run's note says what was done. `bin/testenv replay ENV TOPIC`; docs/tapes.md has the whole.
"""

TOPICS = contracted(Store.KAFKA)

PARAMS = {
    "environment": environment_param(),
    "topic": Param(
        type="string",
        title="Topic",
        minLength=1,
        maxLength=200,
        examples=TOPICS,
        description="Production's name of a topic that the environment has, such as card_events.",
    ),
    "tapes": Param(
        None,
        type=["null", "string"],
        title="Tapes",
        maxLength=40,
        description="Tape set, or current. Empty: the set that the environment was filled from, or else the tapes of "
        "its dataset version.",
    ),
    "mode": Param(
        "rebased",
        type="string",
        title="Mode",
        enum=["rebased", "exact"],
        description="rebased: offsets from 0 on. exact: the offsets that production had, gaps included.",
    ),
    "variant": Param(
        None,
        type=["null", "string"],
        title="Variant",
        enum=[None, "late", "out-of-order", "duplicated", "poison"],
        description="What to do to some of the records. Empty: nothing.",
    ),
    "seed": Param(
        0,
        type="integer",
        title="Seed",
        minimum=0,
        description="Chooses the variant's records: the same seed, the same records.",
    ),
    "share": Param(
        0.1,
        type="number",
        title="Share",
        exclusiveMinimum=0,
        maximum=1,
        description="How many of the records the variant changes.",
    ),
    "groups": Param(
        {},
        type="object",
        title="Consumer groups",
        additionalProperties={"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
        description='Offsets at which consumer groups go on, by partition: {"reader": {"0": 12}}. Names are without '
        "the environment's prefix.",
    ),
}

with DAG(
    dag_id="replay_stream",
    description="Fill a topic of a test environment from a tape",
    doc_md=DOC,
    tags=["testenv", "use"],
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=16,
    params=PARAMS,
    default_args={**TASKS, "pool": "kafka", "execution_timeout": timedelta(hours=1)},
):
    ReplayOperator(
        task_id="replay",
        task_display_name="replay: make the topic anew, read it back",
        environment="{{ params.environment }}",
    )
