"""A pipeline under test that tries what is not its own, by Airflow's hooks. `test_from_inside.py` runs it in A."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.decorators import dag, task


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def pipeline_that_tries() -> None:
    @task
    def go() -> None:
        import boto3
        from airflow.hooks.base import BaseHook
        from airflow.models import Variable
        from airflow.providers.amazon.aws.secrets.systems_manager import SystemsManagerParameterStoreBackend
        from airflow.providers.postgres.hooks.postgres import PostgresHook
        from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
        from confluent_kafka.admin import AdminClient

        def read_kafka(on: dict[str, str]) -> Any:
            admin = AdminClient(BaseHook.get_connection("finsight_kafka").extra_dejson)
            error = admin.list_topics(on["topic"], timeout=20).topics[on["topic"]].error
            if error:
                raise PermissionError(error.name())
            return on["topic"]

        def secret(on: dict[str, str]) -> Any:
            prefix = f"/testenv/{on['id']}/variables"
            found = SystemsManagerParameterStoreBackend(variables_prefix=prefix).get_variable("topic_prefix")
            if not found:
                raise LookupError("nothing")
            return found

        attempts: dict[str, Callable[[dict[str, str]], Any]] = {
            "postgres": lambda on: PostgresHook("finsight_postgres", database=on["source"]).get_first("SELECT 1"),
            "airflow": lambda on: PostgresHook("finsight_postgres", database=on["airflow"]).get_first("SELECT 1"),
            "snowflake": lambda on: SnowflakeHook("snowflake_default").get_first(f"SELECT * FROM {on['table']}"),
            "kafka": read_kafka,
            "s3": lambda on: boto3.client("s3").get_object(Bucket=on["bucket"], Key=on["key"])["Body"].read(),
            "secrets": secret,
        }
        outcomes: dict[str, dict[str, str]] = {}
        for whose, on in json.loads((Path(__file__).parent / "targets.json").read_text()).items():
            for name, attempt in attempts.items():
                try:
                    assert attempt(on)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                    said = f"{type(error).__name__}: {error}"
                else:
                    said = "succeeded"
                outcomes.setdefault(whose, {})[name] = said
        bucket, prefix = Variable.get("landing_url").removeprefix("s3://").split("/", 1)
        boto3.client("s3").put_object(Bucket=bucket, Key=prefix + "outcomes.json", Body=json.dumps(outcomes).encode())

    go()


pipeline_that_tries()
