"""The golden Snowflake database of a dataset version, which environments clone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testenv.backends.errors import snowflake_errors
from testenv.backends.snowflake import Account, count_rows, identifier, literal, run
from testenv.core.errors import Invalid
from testenv.core.naming import golden_snowflake

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

BATCH = 1000
"""Rows of one INSERT."""


@snowflake_errors()
def is_whole(account: Account, version: str) -> bool:
    """Whether the database is there and complete."""
    name = golden_snowflake(version)
    with account.control() as connection:
        rows = run(connection, f"SHOW DATABASES LIKE {literal(name)}")
    return [row["comment"] for row in rows if row["name"] == name] == [_mark(version)]


@dataclass(frozen=True)
class Parquet:
    """Files that go into tables before the seed: `URL/SCHEMA.TABLE.parquet`, read by a storage integration.

    `keys` has the columns of each table's key: of seed rows with the key of one that is there, none is added.
    """

    url: str
    integration: str
    keys: Mapping[str, tuple[str, ...]]


@snowflake_errors()
def build(
    account: Account,
    version: str,
    warehouse: str,
    schema: str,
    tables: Mapping[str, bytes],
    first: Parquet | None = None,
) -> dict[str, int]:
    """Make the database anew from the schema's SQL and the CSV (with a header; `\\N` is null) of each `SCHEMA.TABLE`.

    Returns the rows by table. The comment that marks it whole comes last. Raises `Invalid` where a file does not fit
    the schema.
    """
    name = golden_snowflake(version)
    with account.control() as connection:
        run(connection, f"USE WAREHOUSE {identifier(warehouse)}")
        run(connection, f"CREATE OR REPLACE TRANSIENT DATABASE {identifier(name)} DATA_RETENTION_TIME_IN_DAYS = 0")
        run(connection, f"USE DATABASE {identifier(name)}")
        for statement in statements(schema):
            run(connection, statement)
        expected = _copy(connection, name, first) if first else {}
        for table, content in sorted(tables.items()):
            key = first.keys.get(table, ()) if first else ()
            expected[table] = expected.get(table, 0) + _load(connection, name, table, content, key)
        if (found := count_rows(connection, name, expected)) != expected:
            raise Invalid(f"seed/snowflake: loaded {expected}, and Snowflake counts {found}")
        run(connection, f"COMMENT ON DATABASE {identifier(name)} IS {literal(_mark(version))}")
    return expected


@snowflake_errors()
def drop(account: Account, version: str) -> None:
    """Drop the database, if it is there. Environments keep what they cloned of it."""
    with account.control() as connection:
        run(connection, f"DROP DATABASE IF EXISTS {identifier(golden_snowflake(version))}")


def statements(script: str) -> Iterator[str]:
    """The statements of a SQL script without string literals that hold `;` or `--`; comments are left out."""
    text = "\n".join(line.split("--", 1)[0] for line in script.splitlines())
    return (statement.strip() for statement in text.split(";") if statement.strip())


def _copy(connection: SnowflakeConnection, database: str, files: Parquet) -> dict[str, int]:
    """Through a stage that is gone afterwards."""
    stage = identifier(database, "PUBLIC", "REFRESH")
    run(
        connection,
        f"CREATE OR REPLACE TEMPORARY STAGE {stage} URL = {literal(files.url)} "
        f"STORAGE_INTEGRATION = {identifier(files.integration)}",
    )
    for table in sorted(files.keys):
        run(
            connection,
            f"COPY INTO {identifier(database, *table.split('.'))} FROM @{stage}/{table}.parquet "
            "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
        )
    return dict(count_rows(connection, database, dict.fromkeys(files.keys, 0)))


def _load(connection: SnowflakeConnection, database: str, table: str, content: bytes, key: tuple[str, ...]) -> int:
    header, *rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    target = identifier(database, *table.split("."))
    if key and set(key) <= set(header):
        places = [header.index(column) for column in key]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(map(identifier, key))} FROM {target}")
            there = {tuple(str(value) for value in row) for row in cursor}
        rows = [row for row in rows if tuple(row[place] for place in places) not in there]
    insert = f"INSERT INTO {target} ({', '.join(map(identifier, header))}) VALUES ({', '.join(['%s'] * len(header))})"
    values = [[None if field == "\\N" else field for field in row] for row in rows]
    if wrong := [number for number, row in enumerate(rows, 2) if len(row) != len(header)]:
        raise Invalid(f"seed/snowflake/{table}.csv: row {wrong[0]} has not the header's {len(header)} fields")
    with connection.cursor() as cursor:
        for start in range(0, len(values), BATCH):
            cursor.executemany(insert, values[start : start + BATCH])
    return len(rows)


def _mark(version: str) -> str:
    return json.dumps({"dataset": version})
