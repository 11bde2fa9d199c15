"""
### Settlements to Snowflake

Loads what the acquirer delivers each day: settlement files (nested JSON, one settlement a line) and the day's exchange
rates (CSV), under `settlements/dt=…/` and `fx_rates/dt=…/` of the landing zone.

1. `flatten` (Spark on EMR Serverless, `spark/settlements.py`) writes one row per settlement line, with its amount in
   EUR, and the rates, as Parquet. Lines that are delivered twice count once. What cannot be read goes to
   `quarantine/settlements/dt=…/` of the lake, with the reason.
2. `load_settlements` and `load_fx_rates` replace the day in `RAW` in one transaction.

**Run it again** whenever you like: the day is replaced whole. `flatten` fails while the acquirer has not delivered.
"""

from __future__ import annotations

from airflow.decorators import dag

from estate.tasks import DAG_DEFAULTS, TASK_DEFAULTS, snowflake_task, spark_task

DAY = "dt={{ data_interval_start | ds }}/"


@dag(
    schedule="@daily",
    tags=["finsight", "s3", "spark"],
    default_args=TASK_DEFAULTS | {"owner": "settlements"},
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def settlements_to_snowflake() -> None:
    flatten = spark_task(
        "flatten",
        "settlements.py",
        "--day={{ data_interval_start | ds }}",
        "--settlements={{ var.value.landing_url }}settlements/" + DAY,
        "--fx-rates={{ var.value.landing_url }}fx_rates/" + DAY,
        "--settlements-output={{ var.value.lake_url }}raw/settlements/" + DAY,
        "--fx-rates-output={{ var.value.lake_url }}raw/fx_rates/" + DAY,
        "--quarantine={{ var.value.lake_url }}quarantine/settlements/" + DAY,
    )
    flatten >> [
        snowflake_task("load_settlements", "replace_day.sql", table="settlements"),
        snowflake_task("load_fx_rates", "replace_day.sql", table="fx_rates"),
    ]


settlements_to_snowflake()
