"""The warehouse: what the pipelines have loaded, brought there as they bring it, through Parquet files in the lake."""

from __future__ import annotations

import base64
import io
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import snowflake.connector
from snowflake.connector.util_text import split_statements

from estate.production.history import loaded
from estate.production.settings import Settings, SnowflakeLogin
from estate.production.tables import Row
from estate.production.world import World

SCHEMA = Path(__file__).parents[2] / "schema" / "snowflake.sql"


def fill(world: World, settings: Settings) -> dict[str, int]:
    """Replace all rows of the RAW tables, making tables and stage where needed; return the rows by table."""
    tables = loaded(world)
    s3 = boto3.client("s3", **settings.aws)
    for name, rows in tables.items():
        s3.put_object(Bucket=settings.bucket, Key=f"lake/{_path(name)}", Body=_parquet(rows))
    with closing(_connect(settings.snowflake)) as conn, conn.cursor() as cursor:
        for statement, _ in split_statements(io.StringIO(SCHEMA.read_text()), remove_comments=True):
            cursor.execute(statement)
        cursor.execute(
            f"CREATE STAGE IF NOT EXISTS RAW.LAKE URL = 's3://{settings.bucket}/lake/' "
            f"STORAGE_INTEGRATION = {settings.snowflake.storage_integration}"
        )
        for name in tables:
            _replace(cursor, name)
    return {f"RAW.{name}": len(rows) for name, rows in tables.items()}


def _path(table: str) -> str:
    return f"raw/{table.lower()}/history/part-0.parquet"


def _parquet(rows: list[Row]) -> bytes:
    table = pa.Table.from_pylist(rows)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _replace(cursor: Any, table: str) -> None:
    for statement in (
        "BEGIN",
        f"DELETE FROM RAW.{table}",
        f"COPY INTO RAW.{table} FROM @RAW.LAKE/{_path(table)} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) "
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FORCE = TRUE",
        "COMMIT",
    ):
        cursor.execute(statement)


def _connect(login: SnowflakeLogin) -> Any:
    address = {"host": login.host, "port": login.port} if login.host else {}
    return snowflake.connector.connect(
        account=login.account,
        user=login.user,
        private_key=base64.b64decode(login.private_key),
        role=login.role,
        database=login.database,
        warehouse=login.warehouse,
        session_parameters={"QUERY_TAG": '{"job": "estate.production fill"}', "TIMEZONE": "UTC"},
        **address,
    )
