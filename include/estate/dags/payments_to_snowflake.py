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

from airflow.decorators import dag, task

from estate.tables import SOURCE_TABLES
from estate.tasks import DAG_DEFAULTS, TASK_DEFAULTS, snowflake_task


@task
def extract(table_name: str, lake_url: str, data_interval_start=None, data_interval_end=None) -> None:
    """Copy one table's changes of the interval to the lake."""
    import tempfile
    from contextlib import closing
    from pathlib import Path

    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from estate.extract import extract_interval

    table = next(table for table in SOURCE_TABLES if table.name == table_name)
    target = f"{lake_url}raw/{table.name}/interval={data_interval_start.strftime('%Y%m%dT%H%M%S')}/part-0.parquet"
    with tempfile.TemporaryDirectory() as folder, closing(PostgresHook("finsight_postgres").get_conn()) as conn:
        path = Path(folder) / "part-0.parquet"
        rows = extract_interval(conn, table, data_interval_start, data_interval_end, path)
        S3Hook("aws_default").load_file(str(path), target, replace=True)
    print(f"{rows} rows of {table.name} to {target}")


@dag(
    schedule="@daily",
    tags=["finsight", "postgres", "critical"],
    default_args=TASK_DEFAULTS | {"owner": "payments"},
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def payments_to_snowflake() -> None:
    for table in SOURCE_TABLES:
        extracted = extract.override(task_id=f"extract_{table.name}")(table.name, "{{ var.value.lake_url }}")
        loaded = snowflake_task(
            f"load_{table.name}", "merge_table.sql", table=table.name, key=table.key, columns=list(table.columns)
        )
        extracted >> loaded


payments_to_snowflake()
