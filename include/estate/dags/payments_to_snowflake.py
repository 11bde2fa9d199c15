"""
### Payments to Snowflake

Copies what changed in the operational database `finsight` during the data interval: customers, merchants, accounts,
cards and payments.

1. `extract_TABLE` writes the rows with `updated_at` in the interval to the lake, one Parquet file per table and
   interval: `raw/TABLE/interval=…/part-0.parquet`.
2. `load_TABLE` merges the file into `RAW.TABLE` by key; the newer row wins.

**Run it again** whenever you like: the same interval gives the same file and the same table. Rows that are deleted in
Postgres stay in Snowflake.
"""

from __future__ import annotations

from airflow.decorators import dag

from estate.archetypes import copy_tables
from estate.tables import CORE_TABLES
from estate.tasks import DAG_DEFAULTS, TASK_DEFAULTS


@dag(
    schedule="@daily",
    tags=["finsight", "postgres", "critical"],
    default_args=TASK_DEFAULTS | {"owner": "payments"},
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def payments_to_snowflake() -> None:
    copy_tables(CORE_TABLES)


payments_to_snowflake()
