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

from estate.archetypes import replace_settlements
from estate.tasks import DAG_DEFAULTS, TASK_DEFAULTS


@dag(
    schedule="@daily",
    tags=["finsight", "s3", "spark"],
    default_args=TASK_DEFAULTS | {"owner": "settlements"},
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def settlements_to_snowflake() -> None:
    replace_settlements()


settlements_to_snowflake()
