"""The golden Postgres database of a dataset version: a template that environments are copied from."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
def build(server: Server, version: str, schema: str, tables: Mapping[str, bytes]) -> None:
    """Make the template anew from the schema's SQL and each table's CSV (with a header; `\\N` is null).

    Its closing comes last. Raises `Invalid` where a file does not fit the schema.
    """
    name = golden_postgres(version)
    with server.control() as connection:
        if query(connection, "SELECT FROM pg_database WHERE datname = %s", name):
            execute(connection, "ALTER DATABASE {} IS_TEMPLATE false", name)
            execute(connection, "DROP DATABASE {} WITH (FORCE)", name)
        execute(connection, "CREATE DATABASE {} TEMPLATE template0", name)
        execute(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
        with server.control(name) as inside:
            _fill(inside, schema, tables)
        execute(connection, "COMMENT ON DATABASE {} IS %(mark)s", name, mark=_mark(version))
        execute(connection, "ALTER DATABASE {} IS_TEMPLATE true", name)
        execute(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)


def _fill(inside: Connection, schema: str, tables: Mapping[str, bytes]) -> None:
    import psycopg2
    from psycopg2 import sql

    with inside.cursor() as cursor:
        cursor.execute(schema)
    there = [name for (name,) in query(inside, _TABLES)]
    if unknown := sorted(tables.keys() - set(there)):
        raise Invalid(f"seed/postgres has {', '.join(unknown)}, which schema/postgres.sql does not; it has {there}")
    for table in (name for name in there if name in tables):
        columns = tables[table].split(b"\n", 1)[0].decode().strip().split(",")
        copy = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv, HEADER true, NULL {})").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Literal("\\N")
        )
        try:
            with inside.cursor() as cursor:
                cursor.copy_expert(copy, io.BytesIO(tables[table]))
        except (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.ProgrammingError) as error:
            raise Invalid(f"seed/postgres/{table}.csv does not fit schema/postgres.sql: {error}") from error
    execute(inside, "ANALYZE")


def _mark(version: str) -> str:
    return json.dumps({"dataset": version})
