"""An environment's Postgres: a role of its own, and databases copied from templates, which nobody else may enter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from testenv.backends.errors import postgres_errors
from testenv.backends.guards import require_counts, require_derived
from testenv.backends.protocol import Credentials, Site, Vault
from testenv.backends.waiting import wait_until
from testenv.config import Config
from testenv.core.errors import Busy, Drifted, Failed
from testenv.core.naming import EnvId, Names, owner_of
from testenv.core.resources import Resource, System

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

TEMPLATE_SECONDS = 60
"""How long to wait for a template that someone is connected to."""

_SESSION = "-c statement_timeout=180s -c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"

_DERIVED = {
    "role": lambda names, name: name == names.postgres_role,
    "database": lambda names, name: name in (names.postgres_source, names.postgres_airflow),
}

_HAND_OVER = """
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


class PostgresBackend:
    """Kinds: `role`, and `database` (setting `template`).

    A database's comment, JSON of `env` and `template`, is written last: without it the copy is not whole and is made
    anew.
    """

    system = System.POSTGRES

    def __init__(self, config: Config, vault: Vault) -> None:
        self._server = Server(config)
        self._vault = vault

    @postgres_errors()
    def ensure(self, resource: Resource, site: Site) -> None:
        names = require_derived(resource, _DERIVED)
        with self._server.control() as connection, _one_at_a_time(connection, resource.name):
            if resource.kind == "role":
                _ensure_role(connection, names, self._vault.credentials(names.env_id, self.system))
            else:
                self._ensure_database(connection, names, resource)

    @postgres_errors()
    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        with self._server.control() as connection:
            roles = query(connection, r"SELECT rolname FROM pg_roles WHERE rolname LIKE 'te\_%%'")
            databases = query(
                connection,
                "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database "
                r"WHERE datname LIKE 'te\_%%'",
            )
        found = [Resource(self.system, "role", name) for (name,) in roles]
        found += [Resource(self.system, "database", name, _made_from(comment)) for name, comment in databases]
        return frozenset(part for part in found if (owner := owner_of(part.name)) and env_id in (None, owner))

    @postgres_errors()
    def destroy(self, resource: Resource) -> None:
        require_derived(resource, _DERIVED)
        with self._server.control() as connection, _one_at_a_time(connection, resource.name):
            if resource.kind == "role":
                execute(connection, "DROP ROLE IF EXISTS {}", resource.name)
            else:
                _drop_database(connection, resource.name)

    @postgres_errors()
    def probe(self, site: Site) -> Mapping[str, int]:
        """Count the rows of every source table as the environment's role."""
        login = self._vault.find(site.spec.env_id, self.system)
        if not login:
            raise Drifted(f"{site.spec.env_id} has no Postgres credentials. Heal it, or destroy and provision anew")
        with self._server.connect(site.names.postgres_source, login) as connection:
            return _count(connection, site)

    def _ensure_database(self, connection: Connection, names: Names, resource: Resource) -> None:
        template, name = resource.setting["template"], resource.name
        there = query(
            connection,
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            name,
        )
        mark = {"env": str(names.env_id), "template": template}
        if not there or dict(_made_from(there[0][0])).get("template") != template:
            _drop_database(connection, name)
            copy_template(connection, template, name, names.postgres_role)
            _close_to_others(connection, name, names.postgres_role)
            with self._server.control(name) as inside:
                execute(inside, _HAND_OVER, role=names.postgres_role)
            execute(connection, "COMMENT ON DATABASE {} IS %(mark)s", name, mark=json.dumps(mark, sort_keys=True))
        else:
            _close_to_others(connection, name, names.postgres_role)


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


def copy_template(connection: Connection, template: str, name: str, owner: str) -> None:
    """CREATE DATABASE from a template. Waits while someone is connected to it; raises `Busy` when that does not end."""
    from psycopg2 import errors

    refused: list[Exception] = []

    def created() -> bool:
        try:
            execute(connection, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY OWNER {}", name, template, owner)
        except errors.ObjectInUse as error:
            refused.append(error)
            return False
        except errors.InvalidCatalogName as error:
            raise Failed(
                f"Postgres has no template database {template}. Publish the dataset again "
                "(python -m testenv.datasets publish-seed), or start the stack anew if it is Airflow's"
            ) from error
        return True

    try:
        wait_until(created, f"nobody is connected to the template {template}", seconds=TEMPLATE_SECONDS)
    except Exception as error:
        if refused:
            raise Busy(f"{error}: {refused[-1]}. It will be tried again") from error
        raise


def _ensure_role(connection: Connection, names: Names, login: Credentials) -> None:
    """A role that may log in and nothing else. The password goes as a SCRAM verifier: no log can have it."""
    from psycopg2.extensions import encrypt_password

    name = names.postgres_role
    verifier = encrypt_password(login["password"], name, connection, "scram-sha-256")
    if not query(connection, "SELECT FROM pg_roles WHERE rolname = %s", name):
        execute(connection, "CREATE ROLE {}", name)
    execute(
        connection,
        "ALTER ROLE {} LOGIN NOCREATEDB NOCREATEROLE INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity' "
        "PASSWORD %(verifier)s",
        name,
        verifier=verifier,
    )
    for (other,) in query(
        connection,
        "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = %s::regrole",
        name,
    ):
        execute(connection, "REVOKE {} FROM {}", other, name)
    # From version 16 a role's maker may administer it, but neither act as it nor hand things to it, unless it says so.
    options = " WITH INHERIT TRUE, SET TRUE" if connection.server_version >= 160000 else ""
    execute(connection, "GRANT {} TO CURRENT_USER" + options, name)
    execute(connection, "COMMENT ON ROLE {} IS %(mark)s", name, mark=json.dumps({"env": str(names.env_id)}))


def _close_to_others(connection: Connection, name: str, owner: str) -> None:
    execute(connection, "ALTER DATABASE {} OWNER TO {}", name, owner)
    execute(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)


def _drop_database(connection: Connection, name: str) -> None:
    execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _count(connection: Connection, site: Site) -> dict[str, int]:
    from psycopg2 import sql

    tables, counts = sorted(site.dataset.postgres), {}
    for table in tables:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split("."))))
            counts[table] = cursor.fetchone()[0]
    require_counts(f"Postgres {site.names.postgres_source}", counts, site.dataset.postgres)
    return {f"postgres.{table}": number for table, number in counts.items()}


def _made_from(comment: str | None) -> tuple[tuple[str, str], ...]:
    """The `template` setting in a database's comment; nothing if it is not whole."""
    try:
        mark = json.loads(comment or "{}")
    except json.JSONDecodeError:
        return ()
    return (("template", str(mark["template"])),) if isinstance(mark, dict) and "template" in mark else ()


@contextmanager
def _one_at_a_time(connection: Connection, name: str) -> Iterator[None]:
    """Hold the name's advisory lock: two tasks that make the same thing take turns. It ends with the connection."""
    query(connection, "SELECT pg_advisory_lock(hashtextextended(%s, 7305002))", name)
    yield
