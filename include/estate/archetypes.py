"""The three ways in which data comes to the warehouse, as tasks of the DAG that is being defined.

    copy_tables    Postgres: extract what changed in the interval, merge it by key
    replace_feed   S3: read a day's files with Spark, replace the day
    drain_topic    Kafka: drain the topic with Spark, merge by partition and offset

Each may run again at any time: the same interval gives the same rows. Imported while DAGs are parsed, so it imports
nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow.decorators import task
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

from estate.tables import SourceTable, table_named
from estate.tasks import snowflake_task, spark_task

INTERVAL = "interval={{ data_interval_start | ts_nodash }}/"
LAKE = "{{ var.value.lake_url }}"
LANDING = "{{ var.value.landing_url }}"


@task
def extract(
    table_name: str,
    folder: str,
    lookback_days: int = 0,
    data_interval_start: datetime | None = None,
    data_interval_end: datetime | None = None,
) -> None:
    """Copy what changed in one table during the interval, and `lookback_days` before it, to `folder` of the lake."""
    import tempfile
    from contextlib import closing
    from pathlib import Path

    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from estate.extract import extract_interval

    if data_interval_start is None or data_interval_end is None:
        raise ValueError("this run has no data interval: run the DAG by its schedule, or for a logical date")
    table, start = table_named(table_name), data_interval_start - timedelta(days=lookback_days)
    target = f"{folder}interval={data_interval_start.strftime('%Y%m%dT%H%M%S')}/part-0.parquet"
    with tempfile.TemporaryDirectory() as temporary, closing(PostgresHook("finsight_postgres").get_conn()) as conn:
        path = Path(temporary) / "part-0.parquet"
        rows = extract_interval(conn, table, start, data_interval_end, path)
        S3Hook("aws_default").load_file(str(path), target, replace=True)
    print(f"{rows} rows of {table.name} to {target}")


def copy_tables(tables: Sequence[SourceTable], pipeline: str = "", lookback_days: int = 0) -> None:
    """Extract each table, then merge it. Files of a `pipeline` lie in a folder of its own below `raw/`."""
    for table in tables:
        folder = f"raw/{pipeline}/{table.name}/" if pipeline else f"raw/{table.name}/"
        extracted = extract.override(task_id=f"extract_{table.name}")(table.name, LAKE + folder, lookback_days)
        extracted >> snowflake_task(
            f"load_{table.name}",
            "merge_table.sql",
            table=table.name,
            key=table.key,
            columns=list(table.columns),
            folder=folder,
            suffix=f"_{pipeline}" if pipeline else "",
        )


def replace_settlements(days_back: int = 0) -> None:
    """Read settlements and exchange rates of the day that began `days_back` days before the interval; replace it."""
    day = _day(days_back)
    flatten = spark_task(
        "flatten",
        "settlements.py",
        f"--day={day}",
        f"--settlements={LANDING}settlements/dt={day}/",
        f"--fx-rates={LANDING}fx_rates/dt={day}/",
        f"--settlements-output={LAKE}raw/settlements/dt={day}/",
        f"--fx-rates-output={LAKE}raw/fx_rates/dt={day}/",
        f"--quarantine={LAKE}quarantine/settlements/dt={day}/",
    )
    flatten >> [
        snowflake_task(f"load_{table}", "replace_day.sql", table=table, days_back=days_back)
        for table in ("settlements", "fx_rates")
    ]


def replace_feed(feed: str, form: str, key: str, days_back: int = 0) -> None:
    """Read a day of a feed of records in the `form` json or csv, each with the field `key`; replace the day."""
    day = _day(days_back)
    read = spark_task(
        "read",
        "feed.py",
        f"--day={day}",
        f"--format={form}",
        f"--key={key}",
        f"--input={LANDING}{feed}/dt={day}/",
        f"--output={LAKE}raw/{feed}/dt={day}/",
        f"--quarantine={LAKE}quarantine/{feed}/dt={day}/",
    )
    read >> snowflake_task(f"load_{feed}", "replace_day.sql", table=feed, days_back=days_back)


def drain_card_events(pipeline: str, folder: str) -> None:
    """Drain the topic of card events; `folder` names the checkpoint, and the files below `raw/`."""
    _drain("card_events.py", "card_events", pipeline, folder) >> snowflake_task(
        "load", "merge_card_events.sql", folder=f"raw/{folder}/", suffix="" if folder == "card_events" else f"_{folder}"
    )


def drain_topic(topic: str, pipeline: str, avro: bool) -> None:
    """Drain a topic of JSON, or of Avro whose schemas stand in the topic `_schemas`; its records stay documents."""
    schemas = ("--schemas={{ var.value.topic_prefix }}_schemas",) if avro else ()
    _drain("topic.py", topic, pipeline, pipeline, *schemas) >> snowflake_task(
        "load", "merge_topic.sql", table=topic, folder=f"raw/{pipeline}/", suffix=f"_{pipeline}"
    )


def _drain(job: str, topic: str, pipeline: str, folder: str, *more: str) -> EmrServerlessStartJobOperator:
    return spark_task(
        "drain",
        job,
        "--kafka-secret={{ var.value.kafka_secret_name }}",
        "--topic={{ var.value.topic_prefix }}" + topic,
        "--group-prefix={{ var.value.group_prefix }}" + pipeline,
        f"--checkpoint={{{{ var.value.checkpoints_url }}}}{folder}/",
        f"--output={LAKE}raw/{folder}/{INTERVAL}",
        f"--quarantine={LAKE}quarantine/{folder}/{INTERVAL}",
        *more,
    )


def _day(days_back: int) -> str:
    return (
        f"{{{{ macros.ds_add(data_interval_start | ds, -{days_back}) }}}}"
        if days_back
        else "{{ data_interval_start | ds }}"
    )
