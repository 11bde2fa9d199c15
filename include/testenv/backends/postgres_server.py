"""The environments' Postgres server: connections, statements, and handing a copied database over to its role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from testenv.backends.errors import postgres_errors
from testenv.backends.protocol import Credentials
from testenv.config import Config

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_SESSION = "-c statement_timeout=180s -c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"

HAND_OVER = """
DO $do$
DECLARE statement text;
BEGIN
  FOR statement IN
    SELECT format('ALTER SCHEMA %%I OWNER TO %%I', nspname, %(role)s)
    FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') AND nspowner <> %(role)s::regrole
    UNION ALL
    SELECT format('ALTER %%s %%s OWNER TO %%I', CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
                  WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
                  c.oid::regclass, %(role)s)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
      AND relowner <> %(role)s::regrole
      AND NOT EXISTS (  -- a column's own sequence follows its table
        SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
    UNION ALL
    SELECT format('ALTER %%s %%s OWNER TO %%I', CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
                  t.oid::regtype, %(role)s)
    FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND typowner <> %(role)s::regrole
      AND typtype IN ('d', 'e', 'r') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
    UNION ALL
    SELECT format('ALTER ROUTINE %%s OWNER TO %%I', p.oid::regprocedure, %(role)s)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND proowner <> %(role)s::regrole
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP
    EXECUTE statement;
  END LOOP;
END $do$
"""
"""Give all that a template's copy holds to the environment's role. REASSIGN OWNED would give it every database too."""


class Server:
    """The environments' Postgres server. Connections are autocommit, with timeouts on everything."""

    def __init__(self, config: Config) -> None:
        self._config = config.postgres
        # The control plane enters no environment but to make it: its sessions begin in its own database, the ledger's.
        self._home = urlsplit(config.ledger_url).path.lstrip("/")

    @contextmanager
    def control(self, database: str = "") -> Iterator[Connection]:
        """A connection as the control plane, to its own database unless told otherwise."""
        login = {"user": self._config.user, "password": self._config.password}
        with self.connect(database or self._home, login) as connection:
            yield connection

    @contextmanager
    def connect(self, database: str, login: Credentials) -> Iterator[Connection]:
        """A connection as `login`, closed at the end."""
        import psycopg2

        connection = psycopg2.connect(
            host=self._config.host,
            port=self._config.port,
            dbname=database,
            user=login["user"],
            password=login["password"],
            connect_timeout=10,
            application_name="testenv",
            options=_SESSION,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=4,
            tcp_user_timeout=30_000,
        )
        try:
            connection.autocommit = True
            yield connection
        finally:
            connection.close()


def query(connection: Connection, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of a statement with `%s` values."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def execute(connection: Connection, statement: str, *identifiers: str, **values: object) -> None:
    """Run a statement with identifiers in its `{}` and values in its `%(name)s`."""
    from psycopg2 import sql

    with connection.cursor() as cursor:
        composed = sql.SQL(statement).format(*map(sql.Identifier, identifiers)) if identifiers else sql.SQL(statement)
        cursor.execute(composed, values or None)


@dataclass(frozen=True)
class Changes:
    """When rows of a source's tables changed. Tables that have no such column, or are not there, never did."""

    connection: Connection
    column: str

    def minutes(self, table: str, start: datetime, end: datetime) -> list[datetime]:
        """Minutes from `start` to before `end` in which there are some, in order."""
        found = self._ask(
            "SELECT DISTINCT date_trunc('minute', {0}, 'UTC') FROM {1} WHERE {0} >= %s AND {0} < %s ORDER BY 1",
            table,
            (start, end),
        )
        return [time.astimezone(UTC) for (time,) in found]

    def last(self, table: str, before: datetime) -> datetime | None:
        """The last time before `before`; None if there is none."""
        found = self._ask("SELECT max({0}) FROM {1} WHERE {0} < %s", table, (before,))
        return next((time.astimezone(UTC) for (time,) in found if time), None)

    def _ask(self, statement: str, table: str, values: tuple[datetime, ...]) -> list[tuple[Any, ...]]:
        from psycopg2 import sql

        with postgres_errors(), self.connection, self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = %s",
                (table, self.column),
            )
            if cursor.fetchone() is None:
                return []
            cursor.execute(sql.SQL(statement).format(sql.Identifier(self.column), sql.Identifier(table)), values)
            return list(cursor.fetchall())


@contextmanager
def changes(login: Credentials, column: str = "updated_at") -> Iterator[Changes]:
    """Of an environment's source, logged in as the environment."""
    import psycopg2

    where = {"host": login["host"], "port": login["port"], "dbname": login["database"]}
    with postgres_errors():
        connection = psycopg2.connect(
            **where, user=login["user"], password=login["password"], connect_timeout=10, options=_SESSION
        )
    try:
        yield Changes(connection, column)
    finally:
        connection.close()
