"""The management Airflow's database, and the migrated template from which each environment gets its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from local.errors import StackError
from local.home import INCLUDE, REPO, cache_folder, venv_bin
from local.parts import postgres
from local.parts.airflow_settings import airflow_environ
from local.parts.base import Job
from local.ports import LOOPBACK

ADMIN = "admin"

POOLS = INCLUDE / "catalog" / "pools.json"
"""Airflow's pools, in the form of `airflow pools import`."""


class AirflowDatabase(Job):
    """Made once for each home. Migrating takes ten seconds, so a dump of the outcome is kept in `.cache/`."""

    name = "airflow-database"
    after = ("postgres",)

    def run(self) -> None:
        names = self.site.settings.names
        template, database = names["airflow_template"], names["airflow_database"]
        connection = postgres.connect(self.site)
        try:
            if _comment(connection, template) != _version():
                self._make_template(connection, template)
            postgres.ensure_role(self.site, connection, database)
            if _comment(connection, database) is None:
                # A run that died before the comment was written left a database without its administrator.
                postgres.execute(connection, sql.SQL("DROP DATABASE IF EXISTS {}"), database)
                statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY OWNER {}")
                postgres.execute(connection, statement, database, template, database)
                self._add_administrator(database)
                self._sign(connection, database)
            elif _comment(connection, database) != _version():
                self._airflow(postgres.url(self.site, database, database), "db", "migrate")
                self._sign(connection, database)
            postgres.close_to_public(connection)
            self._fill_pools(database)
        finally:
            connection.close()

    def _fill_pools(self, database: str) -> None:
        """What `airflow pools import include/catalog/pools.json` does, three seconds faster."""
        connection = postgres.connect(self.site, postgres.SUPERUSER, database)
        try:
            for name, pool in json.loads(POOLS.read_text(encoding="utf-8")).items():
                postgres.query(
                    connection,
                    """
                    INSERT INTO slot_pool (pool, slots, description, include_deferred) VALUES (%s, %s, %s, %s)
                    ON CONFLICT (pool) DO UPDATE SET slots = excluded.slots, description = excluded.description,
                    include_deferred = excluded.include_deferred RETURNING id
                    """,
                    name,
                    pool["slots"],
                    pool["description"],
                    pool["include_deferred"],
                )
        finally:
            connection.close()

    def _make_template(self, connection: Connection, template: str) -> None:
        if _comment(connection, template) is not None:
            postgres.execute(connection, sql.SQL("ALTER DATABASE {} IS_TEMPLATE false"), template)
        postgres.execute(connection, sql.SQL("DROP DATABASE IF EXISTS {}"), template)
        postgres.ensure_database(connection, template, postgres.CONTROL)
        dump = cache_folder() / f"airflow-metadata-{_version()}-pg{connection.server_version // 10000}.sql"
        if dump.exists():
            self._client("psql", template, "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-f", str(dump))
        else:
            address = postgres.url(self.site, postgres.CONTROL, template)
            self._airflow(address, "db", "migrate")
            self._airflow(address, "sync-perm")
            draft = dump.with_name(f"{dump.name}.{os.getpid()}")
            self._client("pg_dump", template, "--no-owner", "--no-privileges", "-f", str(draft))
            draft.replace(dump)
        self._open_tables(template)
        statement = sql.SQL("ALTER DATABASE {} IS_TEMPLATE true ALLOW_CONNECTIONS false")
        postgres.execute(connection, statement, template)
        self._sign(connection, template)

    def _open_tables(self, template: str) -> None:
        """Let whoever may connect use the tables: a copy belongs to one role, and only that role may connect to it."""
        connection = postgres.connect(self.site, postgres.CONTROL, template)
        try:
            for kind in ("TABLES", "SEQUENCES"):
                postgres.execute(connection, sql.SQL(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO PUBLIC"))
        finally:
            connection.close()

    def _add_administrator(self, database: str) -> None:
        from werkzeug.security import generate_password_hash  # brings half of a web framework with it

        password = self.site.secrets.password("airflow_admin")
        # 128 random bits need no stretching, and basic authentication checks the hash at every request.
        hashed = generate_password_hash(password, method="pbkdf2:sha256:1000")
        connection = postgres.connect(self.site, postgres.SUPERUSER, database)
        try:
            postgres.query(
                connection,
                """
                WITH person AS (
                    INSERT INTO ab_user (id, first_name, last_name, username, password, active, email)
                    VALUES (nextval('ab_user_id_seq'), 'Stack', 'Admin', %s, %s, true, 'admin@localhost') RETURNING id
                )
                INSERT INTO ab_user_role (id, user_id, role_id)
                SELECT nextval('ab_user_role_id_seq'), person.id, ab_role.id FROM person, ab_role
                WHERE ab_role.name = 'Admin' RETURNING id
                """,
                ADMIN,
                hashed,
            )
        finally:
            connection.close()

    def _sign(self, connection: Connection, database: str) -> None:
        """Note in the database's comment that it is whole, and of what version."""
        statement = sql.SQL("COMMENT ON DATABASE {} IS %(version)s")
        postgres.execute(connection, statement, database, values={"version": _version()})

    def _airflow(self, address: str, *arguments: str) -> None:
        environ = {
            "PATH": os.environ.get("PATH", ""),
            **airflow_environ(self.site, address),
            # The template serves every environment: the permissions of this repository's own pages are not for it.
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.site.home.airflow / "no-plugins"),
        }
        _run([str(venv_bin("airflow")), "-m", "airflow", *arguments], environ)

    def _client(self, program: str, database: str, *arguments: str) -> None:
        password = self.site.secrets.password(f"postgres_{postgres.CONTROL}")
        port = str(self.site.ports["postgres"])
        command = [
            str(postgres.binaries() / program),
            "-h",
            LOOPBACK,
            "-p",
            port,
            "-U",
            postgres.CONTROL,
            "-d",
            database,
        ]
        _run([*command, *arguments], {"PGPASSWORD": password})


def _run(command: list[str], environ: dict[str, str]) -> None:
    answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StackError(f"`{' '.join(command)}` failed:\n{(answer.stdout + answer.stderr)[-2000:]}")


def _version() -> str:
    """Changes with any package of Airflow's environment, and so with whatever may change its tables."""
    return hashlib.sha256((Path(REPO) / "requirements.txt").read_bytes()).hexdigest()[:12]


def _comment(connection: Connection, database: str) -> str | None:
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    rows = postgres.query(connection, query, database)
    return rows[0][0] if rows else None
