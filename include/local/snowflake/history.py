"""The statements that ran, for INFORMATION_SCHEMA.QUERY_HISTORY and SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY."""

import threading
from dataclasses import astuple, dataclass
from datetime import datetime

import duckdb

from local.snowflake.catalog import insert

TABLE = "_fs_global._account.query_history"
_KEPT = 50_000
_TEXT_LIMIT = 100_000

_CREATE = f"""
CREATE SCHEMA IF NOT EXISTS _fs_global._account;
CREATE TABLE IF NOT EXISTS {TABLE} (
    QUERY_ID VARCHAR, QUERY_TEXT VARCHAR, DATABASE_NAME VARCHAR, SCHEMA_NAME VARCHAR, QUERY_TYPE VARCHAR,
    SESSION_ID BIGINT, USER_NAME VARCHAR, ROLE_NAME VARCHAR, WAREHOUSE_NAME VARCHAR, QUERY_TAG VARCHAR,
    EXECUTION_STATUS VARCHAR, ERROR_CODE BIGINT, ERROR_MESSAGE VARCHAR, START_TIME TIMESTAMPTZ, END_TIME TIMESTAMPTZ,
    TOTAL_ELAPSED_TIME BIGINT, ROWS_PRODUCED BIGINT)
"""


@dataclass(frozen=True)
class Query:
    """One statement that ended, well or not; the fields are the columns of QUERY_HISTORY, times in milliseconds."""

    query_id: str
    query_text: str
    database_name: str | None
    schema_name: str | None
    query_type: str
    session_id: int
    user_name: str
    role_name: str | None
    warehouse_name: str | None
    query_tag: str
    execution_status: str
    error_code: int | None
    error_message: str | None
    start_time: datetime
    end_time: datetime
    total_elapsed_time: int
    rows_produced: int | None


class History:
    """Queries gathered in memory, written to their table when someone asks for it, or every thousand."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._pending: list[Query] = []
        connection.execute(_CREATE)

    def add(self, query: Query) -> None:
        with self._lock:
            self._pending.append(query)
            full = len(self._pending) >= 1000
        if full:
            self.flush()

    def flush(self) -> None:
        """Make the table complete, and forget what is older than the newest 50,000."""
        with self._lock:
            pending, self._pending = self._pending, []
            if not pending:
                return
            rows = [(q.query_id, q.query_text[:_TEXT_LIMIT], *astuple(q)[2:]) for q in pending]
            insert(self._connection, TABLE, rows)
            self._connection.execute(
                f"DELETE FROM {TABLE} WHERE START_TIME < "
                f"(SELECT START_TIME FROM {TABLE} ORDER BY START_TIME DESC LIMIT 1 OFFSET {_KEPT})"
            )
