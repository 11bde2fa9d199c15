"""
### Card events to Snowflake

Drains the Kafka topic `card_events`.

1. `drain` (Spark Structured Streaming on EMR Serverless, `spark/card_events.py`) reads from the checkpoint to the end
   of the topic and stops. Each micro-batch is a folder of Parquet files in the interval's folder of the lake; a batch
   that is repeated after a crash replaces its folder. Records that are no events go to `quarantine/card_events/`.
2. `load` merges the interval's files into `RAW.CARD_EVENTS` by partition and offset.

**Run it again** whenever you like: what was drained is not drained twice, and what was loaded is not loaded twice. One
run at a time, as all share the checkpoint. To read the topic anew, delete the checkpoint.
"""

from __future__ import annotations

from airflow.decorators import dag

from estate.archetypes import drain_card_events
from estate.tasks import DAG_DEFAULTS, TASK_DEFAULTS


@dag(
    schedule="@hourly",
    max_active_runs=1,
    tags=["finsight", "kafka", "spark", "streaming", "critical"],
    default_args=TASK_DEFAULTS | {"owner": "cards"},
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def card_events_to_snowflake() -> None:
    drain_card_events("card_events_to_snowflake", folder="card_events")


card_events_to_snowflake()
