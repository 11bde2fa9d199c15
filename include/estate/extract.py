"""Rows of a Postgres table that changed in an interval, as one Parquet file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg2 import sql
from psycopg2.extras import register_default_jsonb

from estate.tables import SourceTable

if TYPE_CHECKING:
    from psycopg2.extensions import Column, connection

FETCH_ROWS = 20_000

_ARROW_TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int64(),
    23: pa.int64(),
    25: pa.string(),
    1042: pa.string(),
    1043: pa.string(),
    1082: pa.date32(),
    # Snowflake keeps these as TIMESTAMP_NTZ; without a zone in the file, no session's time zone can move them.
    1184: pa.timestamp("us"),
    # JSON stays the text that Postgres makes of it.
    3802: pa.string(),
}
_NUMERIC = 1700


def extract_interval(conn: connection, table: SourceTable, start: datetime, end: datetime, path: Path) -> int:
    """Write the rows of `table` with `start <= updated_at < end` to the Parquet file `path`; return their number.

    The file is written even when there is no row, so that a rerun replaces what an earlier run left. Rows are ordered
    by key, instants are in UTC. Raises `TypeError` for a column type that has no counterpart in Parquet.
    """
    query = sql.SQL("SELECT {columns} FROM {table} WHERE updated_at >= %s AND updated_at < %s ORDER BY {key}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        table=sql.Identifier(table.name),
        key=sql.Identifier(table.key),
    )
    register_default_jsonb(conn, loads=str)
    # A named cursor stays on the server: a day of payments need not fit into memory.
    with conn.cursor(name=f"extract_{table.name}") as cursor:
        cursor.execute(query, (start, end))
        rows = cursor.fetchmany(FETCH_ROWS)
        schema = pa.schema([_field(column) for column in cursor.description])
        written = 0
        with pq.ParquetWriter(path, schema) as writer:
            while True:
                writer.write_table(_table(rows, schema))
                written += len(rows)
                if not (rows := cursor.fetchmany(FETCH_ROWS)):
                    return written


def _field(column: Column) -> pa.Field:
    if column.type_code == _NUMERIC and column.precision is not None:
        return pa.field(column.name, pa.decimal128(column.precision, column.scale or 0))
    try:
        return pa.field(column.name, _ARROW_TYPES[column.type_code])
    except KeyError:
        raise TypeError(
            f"column {column.name!r} has the Postgres type {column.type_code}, which this extract does not know; "
            f"add it to {__name__}._ARROW_TYPES, and a NUMERIC needs a precision"
        ) from None


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table(
        [pa.array(map(_naive_utc, values), field.type) for values, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


def _naive_utc(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
