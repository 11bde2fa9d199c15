"""Attempts on Postgres: those that an environment may make on itself, and those that no environment may make at all."""

from __future__ import annotations

from psycopg2 import sql
from tests.isolation.attempts import Attempts
from tests.isolation.parties import Login, Target

ATTEMPTS = Attempts("postgres")
NO_CONNECT = "no CONNECT"
INSUFFICIENT = "42501"


@ATTEMPTS(NO_CONNECT)
def read(as_: Login, on: Target) -> None:
    with as_.postgres(on.postgres_database) as cursor:
        cursor.execute("SELECT * FROM isolation_canary")


@ATTEMPTS(NO_CONNECT)
def write(as_: Login, on: Target) -> None:
    with as_.postgres(on.postgres_database) as cursor:
        cursor.execute("INSERT INTO isolation_canary VALUES (2)")


@ATTEMPTS(NO_CONNECT)
def create_a_table(as_: Login, on: Target) -> None:
    with as_.postgres(on.postgres_database) as cursor:
        cursor.execute("CREATE TABLE isolation_made (a int); DROP TABLE isolation_made")


@ATTEMPTS(NO_CONNECT)
def enter_the_airflows_database(as_: Login, on: Target) -> None:
    with as_.postgres(on.postgres_airflow) as cursor:
        cursor.execute("SELECT count(*) FROM connection")


@ATTEMPTS(INSUFFICIENT)
def act_as_its_role(as_: Login, on: Target) -> None:
    with as_.postgres() as cursor:
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(on.postgres_role)))


@ATTEMPTS(INSUFFICIENT)
def take_its_objects(as_: Login, on: Target) -> None:
    with as_.postgres() as cursor:
        cursor.execute(sql.SQL("REASSIGN OWNED BY {0} TO {0}").format(sql.Identifier(on.postgres_role)))


@ATTEMPTS(INSUFFICIENT)
def change_its_database(as_: Login, on: Target) -> None:
    with as_.postgres() as cursor:
        database = sql.Identifier(on.postgres_database)
        cursor.execute(sql.SQL("ALTER DATABASE {} SET work_mem = '5MB'").format(database))
        cursor.execute(sql.SQL("ALTER DATABASE {} RESET work_mem").format(database))


@ATTEMPTS(INSUFFICIENT)
def end_its_session(as_: Login, on: Target) -> None:
    """Of whoever is logged in as the target's role: the fixtures keep one session of each open."""
    with as_.postgres() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
            "WHERE usename = %s AND pid <> pg_backend_pid() LIMIT 1) session",
            [on.postgres_role],
        )
        assert cursor.rowcount == 1, "there is a session to end"


NEVER = [
    "CREATE DATABASE isolation_made",
    "CREATE ROLE isolation_made",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/hostname')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY isolation_canary FROM '/etc/hostname'",
    "CREATE EXTENSION {extension}",
    "ALTER SYSTEM SET work_mem = '5MB'",
    "CREATE TABLESPACE isolation_made LOCATION '/tmp'",
    "LOAD 'auto_explain'",
    "GRANT pg_read_server_files TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CREATEDB",
    "SET SESSION AUTHORIZATION {other}",
    "GRANT {other} TO CURRENT_USER",
    "ALTER ROLE {other} PASSWORD 'mine'",
    "DROP OWNED BY {other}",
    "DROP ROLE {other}",
    "DROP DATABASE {database}",
    "ALTER DATABASE {database} OWNER TO CURRENT_USER",
    "GRANT CONNECT ON DATABASE {database} TO CURRENT_USER",
    "CREATE DATABASE isolation_made TEMPLATE {database}",
    "SELECT pg_create_restore_point('x')",
    "CREATE SUBSCRIPTION isolation_made CONNECTION 'dbname={database}' PUBLICATION p WITH (connect = false)",
    "SELECT pg_database_size('{database}')",
]
"""Statements that no environment may run, whomever they concern."""
