"""What FinSight's DAGs share: their defaults, and the tasks that load Snowflake and run Spark.

Imported while DAGs are parsed, so it imports nothing heavy.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

QUERY_TAG = '{"dag": "{{ dag.dag_id }}", "task": "{{ task.task_id }}", "run": "{{ run_id }}"}'
"""Stands in Snowflake's query history beside each statement."""

DAG_DEFAULTS: dict[str, Any] = {
    "start_date": datetime(2024, 1, 1, tzinfo=UTC),
    "catchup": False,
    "template_searchpath": [str(Path(__file__).parent / "sql")],
}

TASK_DEFAULTS: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=30)}

_SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    # An empty _SUCCESS object would be one more file for Snowflake to read.
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}


def snowflake_task(task_id: str, sql: str, **params: Any) -> SQLExecuteQueryOperator:
    """Run the file `sql` of the folder `sql/`, all statements in one session, with `params` in its template."""
    return SQLExecuteQueryOperator(
        task_id=task_id,
        conn_id="snowflake_default",
        sql=sql,
        params=params,
        split_statements=True,
        # Each file says itself where its transaction begins and ends.
        autocommit=True,
        hook_params={"session_parameters": {"QUERY_TAG": QUERY_TAG}},
        do_xcom_push=False,
    )


def spark_task(task_id: str, job: str, *arguments: str) -> EmrServerlessStartJobOperator:
    """Run the file `job` of the folder `spark/` on EMR Serverless and wait for its end.

    The Kafka connector (`spark-sql-kafka-0-10`) is part of the EMR application's image.
    """
    settings = " ".join(f"--conf {key}={value}" for key, value in _SPARK_SETTINGS.items())
    return EmrServerlessStartJobOperator(
        task_id=task_id,
        name="{{ dag.dag_id }}.{{ task.task_id }}",
        application_id="{{ var.value.emr_application_id }}",
        execution_role_arn="{{ var.value.emr_execution_role_arn }}",
        job_driver={
            "sparkSubmit": {
                "entryPoint": "{{ var.value.spark_code_url }}" + job,
                "entryPointArguments": list(arguments),
                "sparkSubmitParameters": settings,
            }
        },
        configuration_overrides={
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "{{ var.value.artifacts_url }}emr/"}}
        },
        waiter_delay=2,
        waiter_max_attempts=1800,
    )
