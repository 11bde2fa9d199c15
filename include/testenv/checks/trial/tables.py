"""Tables of the environment's own database: copies of them at moments, and back."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from testenv.backends.errors import snowflake_errors
from testenv.checks.diff import Fingerprint, SnowflakeTable, fingerprint

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

SCHEMA = "TESTENV_"
"""How the name of a schema begins that holds copies."""


def schema_of(moment: str) -> str:
    """The schema that holds a moment's copies: `TESTENV_BACKFILL_AT_ONCE` of `backfill/at-once`."""
    return SCHEMA + re.sub(r"[^A-Z0-9]", "_", moment.upper())


def copy_name(table: str) -> str:
    """The name of the copy of `SCHEMA.TABLE`, in one word: `3_RAW_PAYMENTS`. The number is the schema's length."""
    schema, _, name = table.partition(".")
    return f"{len(schema)}_{schema}_{name}"


def original_name(copy: str) -> str:
    """`SCHEMA.TABLE`, from the name of its copy."""
    length, _, rest = copy.partition("_")
    return f"{rest[: int(length)]}.{rest[int(length) + 1 :]}"


class Tables:
    """Base tables and views of the session's database, but for copies. The session's role owns them."""

    def __init__(self, connection: SnowflakeConnection, database: str) -> None:
        self._connection, self._database = connection, database

    def names(self) -> list[str]:
        """`SCHEMA.TABLE` of every table."""
        return sorted(name for name, kind in self._relations().items() if kind != "VIEW")

    def fingerprint(self, table: str) -> Fingerprint:
        """Of all its columns."""
        return fingerprint(SnowflakeTable(self._connection, table))

    def fingerprints(self, tables: Collection[str]) -> dict[str, Fingerprint]:
        """Of each; a few at once, as most of the time is the way there and back."""
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(tables, pool.map(self.fingerprint, tables), strict=True))

    def keep(self, moment: str, tables: Iterable[str]) -> None:
        """Copy tables as they are now."""
        schema = schema_of(moment)
        self._run(f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {quoted(schema)}")
        for table in tables:
            copy = quoted(schema, copy_name(table))
            self._run(f"CREATE OR REPLACE TRANSIENT TABLE {copy} CLONE {quoted(*table.split('.'))}")

    def views(self) -> dict[str, str]:
        """`SCHEMA.VIEW` → the statement that makes it."""
        rows = self._rows(f"SHOW VIEWS IN DATABASE {quoted(self._database)}")
        own = (row for row in rows if row["schema_name"] != "INFORMATION_SCHEMA")
        return {f"{row['schema_name']}.{row['name']}": str(row["text"]) for row in own}

    def restore(self, moment: str, tables: Collection[str], views: Mapping[str, str]) -> None:
        """Make `tables` be the copies of `moment`, and all views be `views`."""
        there = self.views()
        for view in sorted(there.keys() - views.keys()):
            self._run(f"DROP VIEW {quoted(*view.split('.'))}")
        for table in sorted(tables):
            copy = quoted(schema_of(moment), copy_name(table))
            self._run(f"CREATE OR REPLACE TRANSIENT TABLE {quoted(*table.split('.'))} CLONE {copy}")
        for view, text in sorted(views.items()):
            if there.get(view) != text:
                self._run(f"USE SCHEMA {quoted(view.split('.')[0])}")
                self._run(re.sub(r"^\s*create\s+(or\s+replace\s+)?", "CREATE OR REPLACE ", text, flags=re.IGNORECASE))

    def drop(self, tables: Iterable[str]) -> None:
        """Drop tables."""
        for table in tables:
            self._run(f"DROP TABLE IF EXISTS {quoted(*table.split('.'))}")

    def _relations(self) -> dict[str, str]:
        rows = self._rows(
            "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES "
            "WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA'"
        )
        return {
            f"{row['TABLE_SCHEMA']}.{row['TABLE_NAME']}": str(row["TABLE_TYPE"])
            for row in rows
            if not str(row["TABLE_SCHEMA"]).startswith(SCHEMA)
        }

    def _run(self, statement: str) -> None:
        self._rows(statement)

    def _rows(self, statement: str) -> list[dict[str, object]]:
        from snowflake.connector import DictCursor

        with snowflake_errors(), self._connection.cursor(DictCursor) as cursor:
            cursor.execute(statement, timeout=180)
            return [dict(row) for row in cursor.fetchall()]


def quoted(*parts: str) -> str:
    """A dotted name of parts as they are spelled."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
