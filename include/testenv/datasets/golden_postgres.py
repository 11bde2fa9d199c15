"""The golden Postgres database of a dataset version: a template that environments are copied from."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from testenv.backends.errors import postgres_errors
from testenv.backends.postgres_server import Server, execute, query
from testenv.core.errors import Invalid
from testenv.core.naming import golden_postgres

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_PUBLISH_LOCK = 7_305_003

_TABLES = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
ORDER BY oid
"""
"""In the order of their creation, in which a table stands after those it refers to."""


@contextmanager
def publishing(server: Server) -> Iterator[None]:
    """Hold the lock that makes publications one at a time; whoever comes second finds the first one's work."""
    with postgres_errors(), server.control() as connection:
        execute(connection, "SET lock_timeout = '300s'")
        query(connection, "SELECT pg_advisory_lock(%s)", _PUBLISH_LOCK)
        yield


@postgres_errors()
def is_whole(server: Server, version: str) -> bool:
    """Whether the template is there, complete and closed."""
    with server.control() as connection:
        rows = query(
            connection,
            "SELECT shobj_description(oid, 'pg_database'), datistemplate, datallowconn "
            "FROM pg_database WHERE datname = %s",
            golden_postgres(version),
        )
    return rows == [(_mark(version), True, False)]


@postgres_errors()
def build(
    server: Server,
    version: str,
    schema: str,
    tables: Mapping[str, bytes],
    first: Mapping[str, Iterable[bytes]] | None = None,
) -> dict[str, int]:
    """Make the template anew from the schema's SQL and each table's CSV (with a header; `\\N` is null).

    `first` has what goes into a table before: CSV with a header, in blocks, whose empty fields are null. Of rows that
    have its keys or its unique values, what came first stays. Returns the rows by table.
    The closing comes last. Raises `Invalid` where a file does not fit the schema.
    """
    name = golden_postgres(version)
    drop(server, version)
    with server.control() as connection:
        execute(connection, "CREATE DATABASE {} TEMPLATE template0", name)
        execute(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
        with server.control(name) as inside:
            rows = _fill(inside, schema, tables, first or {})
        execute(connection, "COMMENT ON DATABASE {} IS %(mark)s", name, mark=_mark(version))
        execute(connection, "ALTER DATABASE {} IS_TEMPLATE true", name)
        execute(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
    return rows


@postgres_errors()
def drop(server: Server, version: str) -> None:
    """Drop the template, if it is there."""
    name = golden_postgres(version)
    with server.control() as connection:
        if query(connection, "SELECT FROM pg_database WHERE datname = %s", name):
            execute(connection, "ALTER DATABASE {} IS_TEMPLATE false", name)
            execute(connection, "DROP DATABASE {} WITH (FORCE)", name)


def _fill(
    inside: Connection, schema: str, tables: Mapping[str, bytes], first: Mapping[str, Iterable[bytes]]
) -> dict[str, int]:
    import psycopg2

    with inside.cursor() as cursor:
        cursor.execute(schema)
    there = [name for (name,) in query(inside, _TABLES)]
    if unknown := sorted((tables.keys() | first.keys()) - set(there)):
        raise Invalid(f"seed/postgres has {', '.join(unknown)}, which schema/postgres.sql does not; it has {there}")
    for table in there:
        if table in first:
            _copy(inside, table, _Blocks(first[table]), null="")
        if table not in tables:
            continue
        try:
            _copy(inside, table, io.BytesIO(tables[table]), null="\\N", merged=table in first)
        except (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.ProgrammingError) as error:
            raise Invalid(f"seed/postgres/{table}.csv does not fit schema/postgres.sql: {error}") from error
    execute(inside, "ANALYZE")
    return {table: int(query(inside, _count(table))[0][0]) for table in there}


def _copy(inside: Connection, table: str, content: BinaryIO, *, null: str, merged: bool = False) -> None:
    """Into the table itself, or by way of another where rows may be there already: COPY knows no conflicts."""
    from psycopg2 import sql

    header = content.readline().decode().strip().split(",")
    names = {
        "table": sql.Identifier(table),
        "into": sql.Identifier("seed" if merged else table),
        "columns": sql.SQL(", ").join(sql.Identifier(name.strip('"')) for name in header),
        "null": sql.Literal(null),
    }
    with inside.cursor() as cursor:
        if merged:
            cursor.execute(sql.SQL("CREATE TEMP TABLE seed (LIKE {table} INCLUDING DEFAULTS)").format(**names))
        copy = "COPY {into} ({columns}) FROM STDIN WITH (FORMAT csv, NULL {null})"
        cursor.copy_expert(sql.SQL(copy).format(**names), content)
        if merged:
            cursor.execute(sql.SQL("INSERT INTO {table} SELECT * FROM seed ON CONFLICT DO NOTHING").format(**names))
            cursor.execute("DROP TABLE seed")


class _Blocks(io.BufferedReader):
    """Blocks of bytes as a file, so that one COPY takes all: a row may refer to one in a later block."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        super().__init__(_Raw(iter(blocks)), 1 << 20)


class _Raw(io.RawIOBase):
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._left = blocks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = block
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)


def _count(table: str) -> Any:
    from psycopg2 import sql

    return sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))


def _mark(version: str) -> str:
    return json.dumps({"dataset": version})
