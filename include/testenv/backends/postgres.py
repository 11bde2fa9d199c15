"""An environment's Postgres: a role of its own, and databases copied from templates, which nobody else may enter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from testenv.backends.errors import postgres_errors
from testenv.backends.guards import require_counts, require_derived
from testenv.backends.postgres_kept import carry, has_table, running
from testenv.backends.postgres_server import HAND_OVER, Server, execute, query
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

_DERIVED = {
    "role": lambda names, name: name == names.postgres_role,
    "database": lambda names, name: name in (names.postgres_source, names.postgres_beside, names.postgres_airflow),
}


class PostgresBackend:
    """Kinds: `role`, and `database` (setting `template`).

    A database's comment, JSON of `env` and `template`, is written last: without it the copy is not whole and is made
    anew. A database beside is the template's copy with what is kept of the environment's own, whose name it takes.
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
            elif resource.name == names.postgres_beside:
                self._ensure_beside(connection, names, resource, site)
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
        made_from = _templates(connection, name, names.postgres_beside)
        if made_from.get(name) != template:
            if name == names.postgres_source and made_from.get(names.postgres_beside) == template:
                _take_place(connection, names)
            else:
                self._make(connection, names, name, template)
        _close_to_others(connection, name, names.postgres_role)

    def _ensure_beside(self, connection: Connection, names: Names, resource: Resource, site: Site) -> None:
        """A copy of the template with what is kept, for nobody to enter yet; nothing where that is done already."""
        template, source, beside = resource.setting["template"], names.postgres_source, names.postgres_beside
        made_from = _templates(connection, source, beside)
        if template in (made_from.get(source), made_from.get(beside)):
            return
        if source not in made_from and made_from.get(beside):  # an earlier move ended before it had its name
            _take_place(connection, names)
        self._make(connection, names, beside, template, site.keeping.of(self.system))

    def _make(self, connection: Connection, names: Names, name: str, template: str, kept: Sequence[str] = ()) -> None:
        _drop_database(connection, name)
        copy_template(connection, template, name, names.postgres_role)
        _close_to_others(connection, name, names.postgres_role)
        with self._server.control(name) as inside:
            if kept and _templates(connection, names.postgres_source):
                with self._server.control(names.postgres_source) as old:
                    carry(old, inside, kept)
            execute(inside, HAND_OVER, role=names.postgres_role)
        mark = json.dumps({"env": str(names.env_id), "template": template}, sort_keys=True)
        execute(connection, "COMMENT ON DATABASE {} IS %(mark)s", name, mark=mark)

    # ---------------------------------------------------------------- what is in it

    @postgres_errors()
    def holds(self, env_id: EnvId, name: str) -> bool:
        """Whether the source database has the table."""
        with self._server.control(Names(env_id).postgres_source) as inside:
            return has_table(inside, name)

    @postgres_errors()
    def dag_runs(self, env_id: EnvId) -> list[str]:
        """DAG runs that the environment's own Airflow has at work."""
        with self._server.control(Names(env_id).postgres_airflow) as inside:
            return [f"{dag_id} ({run_id})" for dag_id, run_id in running(inside)]


def copy_template(connection: Connection, template: str, name: str, owner: str) -> None:
    """CREATE DATABASE from a template, for nobody to enter yet: a new one lets everybody in until it is closed.

    Waits while someone is connected to the template; raises `Busy` when that does not end.
    """
    from psycopg2 import errors

    refused: list[Exception] = []

    def created() -> bool:
        try:
            statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY OWNER {} ALLOW_CONNECTIONS false"
            execute(connection, statement, name, template, owner)
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


def _templates(connection: Connection, *names: str) -> dict[str, str]:
    """What each database that is there was copied from; empty where it is not whole."""
    statement = "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = ANY(%s)"
    rows = query(connection, statement, list(names))
    return {name: dict(_made_from(comment)).get("template", "") for name, comment in rows}


def _take_place(connection: Connection, names: Names) -> None:
    """Let the database beside, which is whole, be the environment's own. Killed in the middle, it is done again.

    The renaming is the last thing that is done: with its name it has its mark, and counts as whole.
    """
    terminate = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
    query(connection, terminate, names.postgres_beside)  # a renaming waits for nobody
    _drop_database(connection, names.postgres_source)
    execute(connection, "ALTER DATABASE {} RENAME TO {}", names.postgres_beside, names.postgres_source)


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
    execute(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", name)


def _drop_database(connection: Connection, name: str) -> None:
    execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _count(connection: Connection, site: Site) -> dict[str, int]:
    from psycopg2 import sql

    tables, counts = sorted(site.keeping.others(System.POSTGRES, site.dataset.postgres)), {}
    for table in tables:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split("."))))
            counts[table] = cursor.fetchone()[0]
    expected = site.keeping.others(System.POSTGRES, site.dataset.postgres)
    require_counts(f"Postgres {site.names.postgres_source}", counts, expected)
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
