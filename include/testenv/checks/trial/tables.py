"""Tables of the environment's own database: copies of them at moments, and back."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from testenv.backends.errors import snowflake_errors
from testenv.checks.diff import Fingerprint, SnowflakeTable, fingerprint
from testenv.checks.diff.table import WHOLE
from testenv.checks.trial.record import Moment

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

SCHEMA = "TESTENV_"
"""How the name of a schema begins that holds copies."""

BATCH = 50
"""Tables of which one query asks."""


def schema_of(moment: str) -> str:
    """The schema that holds a moment's copies: `TESTENV_BACKFILL_AT_ONCE` of `backfill/at-once`."""
    return SCHEMA + re.sub(r"[^A-Z0-9]", "_", moment.upper())


def copy_of(moment: str, table: str) -> str:
    """The copy of `SCHEMA.TABLE`: `TESTENV_HEAD.3_RAW_PAYMENTS`, where the number is the length of the schema's name.

    At the start whole schemas are copied at once: `TESTENV_START_RAW.PAYMENTS`.
    """
    schema, _, name = table.partition(".")
    if moment == Moment.START:
        return f"{schema_of(moment)}_{schema}.{name}"
    return f"{schema_of(moment)}.{len(schema)}_{schema}_{name}"


def original_of(copy: str) -> str:
    """`SCHEMA.TABLE`, from the name of its copy."""
    schema, _, name = copy.partition(".")
    if schema.startswith(start := schema_of(Moment.START) + "_"):
        return f"{schema.removeprefix(start)}.{name}"
    length, _, rest = name.partition("_")
    return f"{rest[: int(length)]}.{rest[int(length) + 1 :]}"


class Tables:
    """Base tables and views of the session's database, but for copies. The session's role owns them."""

    def __init__(self, connection: SnowflakeConnection, database: str) -> None:
        self._connection, self._database = connection, database

    def fingerprints(self, by_column: Collection[str]) -> dict[str, Fingerprint]:
        """Of every table, all of its columns: of whole rows in one query, and of each column for those `by_column`."""
        tables = {name: _Described(self._connection, name, types) for name, types in self._columns().items()}
        found = {
            str(row["NAME"]): Fingerprint(
                tables[str(row["NAME"])].method, int(str(row["NUMBER"])), int(str(row["HASH"])) % WHOLE
            )
            for names in batched(sorted(tables), BATCH)
            for row in self._rows(" UNION ALL ".join(tables[name].total(name) for name in names))
        }
        return found | {name: fingerprint(tables[name]) for name in sorted(tables.keys() & set(by_column))}

    def keep(self, moment: str, tables: Collection[str]) -> None:
        """Copy tables as they are now; at the start, all that their schemas have."""
        if moment == Moment.START:
            for schema in sorted({name.partition(".")[0] for name in tables}):
                copy = quoted(f"{schema_of(moment)}_{schema}")
                self._run(f"CREATE OR REPLACE TRANSIENT SCHEMA {copy} CLONE {quoted(schema)}")
        elif tables:
            self._run(f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {quoted(schema_of(moment))}")
            for table in tables:
                copy = quoted(*copy_of(moment, table).split("."))
                self._run(f"CREATE OR REPLACE TRANSIENT TABLE {copy} CLONE {quoted(*table.split('.'))}")

    def views(self) -> dict[str, str]:
        """`SCHEMA.VIEW` → the statement that makes it."""
        rows = self._rows(f"SHOW VIEWS IN DATABASE {quoted(self._database)}")
        own = [row for row in rows if not _is_apart(str(row["schema_name"]))]
        return {f"{row['schema_name']}.{row['name']}": str(row["text"]) for row in own}

    def restore(self, moment: str, tables: Collection[str], views: Mapping[str, str]) -> None:
        """Make `tables` be the copies of `moment`, and all views be `views`."""
        there = self.views()
        for view in sorted(there.keys() - views.keys()):
            self._run(f"DROP VIEW {quoted(*view.split('.'))}")
        for table in sorted(tables):
            copy = quoted(*copy_of(moment, table).split("."))
            self._run(f"CREATE OR REPLACE TRANSIENT TABLE {quoted(*table.split('.'))} CLONE {copy}")
        for view, text in sorted(views.items()):
            if there.get(view) != text:
                self._run(f"USE SCHEMA {quoted(view.split('.')[0])}")
                self._run(re.sub(r"^\s*create\s+(or\s+replace\s+)?", "CREATE OR REPLACE ", text, flags=re.IGNORECASE))

    def drop(self, tables: Iterable[str]) -> None:
        """Drop tables."""
        for table in tables:
            self._run(f"DROP TABLE IF EXISTS {quoted(*table.split('.'))}")

    def _columns(self) -> dict[str, dict[str, str]]:
        """`SCHEMA.TABLE` → column → type, of every table."""
        rows = self._rows(
            "SELECT C.TABLE_SCHEMA, C.TABLE_NAME, C.COLUMN_NAME, C.DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS AS C "
            "JOIN INFORMATION_SCHEMA.TABLES AS T ON T.TABLE_SCHEMA = C.TABLE_SCHEMA AND T.TABLE_NAME = C.TABLE_NAME "
            "WHERE T.TABLE_TYPE <> 'VIEW' ORDER BY C.TABLE_SCHEMA, C.TABLE_NAME, C.ORDINAL_POSITION"
        )
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            if not _is_apart(str(row["TABLE_SCHEMA"])):
                table = found.setdefault(f"{row['TABLE_SCHEMA']}.{row['TABLE_NAME']}", {})
                table[str(row["COLUMN_NAME"])] = str(row["DATA_TYPE"])
        return found

    def _run(self, statement: str) -> None:
        self._rows(statement)

    def _rows(self, statement: str) -> list[dict[str, object]]:
        from snowflake.connector import DictCursor

        with snowflake_errors(), self._connection.cursor(DictCursor) as cursor:
            cursor.execute(statement, timeout=180)
            return [dict(row) for row in cursor.fetchall()]


class _Described(SnowflakeTable):
    """A table whose columns are known already. INFORMATION_SCHEMA names types without their sizes."""

    def __init__(self, connection: SnowflakeConnection, name: str, types: dict[str, str]) -> None:
        super().__init__(connection, name)
        self.__dict__["types"] = types

    def total(self, name: str) -> str:
        """The query for the number of rows and the hash of all, with the table's name."""
        values = self._values(sorted(self.types))
        literal = name.replace("'", "''")
        return f"SELECT '{literal}' AS NAME, COUNT(*) AS NUMBER, HASH_AGG({values}) AS HASH FROM {self._table}"


def _is_apart(schema: str) -> bool:
    """Whether a schema has none of the outputs."""
    return schema == "INFORMATION_SCHEMA" or schema.startswith(SCHEMA)


def batched(names: list[str], size: int) -> Iterator[list[str]]:
    """The names, `size` at a time."""
    return (names[at : at + size] for at in range(0, len(names), size))


def quoted(*parts: str) -> str:
    """A dotted name of parts as they are spelled."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
