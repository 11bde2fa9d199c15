"""Attempts on Snowflake.

Where a role may know nothing of an object, Snowflake says 2003, *does not exist or not authorized*, on purpose. That
the object is there, and that the statement is right, is what success on one's own, and success with a grant, prove.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.isolation.attempts import Attempts
from tests.isolation.parties import Login, Target

ATTEMPTS = Attempts("snowflake")
HIDDEN, INSUFFICIENT = "2003", "3001"


def statement(name: str, *texts: str, refusals: tuple[str, ...] = (HIDDEN,)) -> None:
    """An attempt that runs statements about `{on.…}` in a session of `{as_.…}`, whose own database is `{own}`."""

    def do(as_: Login, on: Target) -> None:
        own = as_.snowflake_role.removesuffix("_RW")
        with as_.snowflake(database=own, schema="RAW") as cursor:
            for text in texts:
                cursor.execute(text.format(as_=as_, on=on, own=own, me=re.sub(r"\W", "_", as_.snowflake_user)))

    do.__name__ = name
    ATTEMPTS(*refusals)(do)


statement("select", "SELECT * FROM {on.table}")
statement("insert", "INSERT INTO {on.table} VALUES (2)")
statement("update", "UPDATE {on.table} SET A = 3 WHERE A = 2")
statement("delete", "DELETE FROM {on.table} WHERE A = 3")
statement(
    "merge",
    "MERGE INTO {on.table} t USING (SELECT 9 AS A) s ON t.A = s.A WHEN NOT MATCHED THEN INSERT (A) VALUES (s.A)",
)
statement("truncate", "TRUNCATE TABLE {on.database}.RAW.TRUNCATED")
statement("alter_a_table", "ALTER TABLE {on.database}.RAW.TRUNCATED ADD COLUMN {me} NUMBER")
statement("drop_a_table", "DROP TABLE {on.database}.RAW.VICTIM_{me}")
statement("describe_a_table", "DESCRIBE TABLE {on.table}")
# What is made goes at once: it belongs to its maker wherever it stands, and the other could not read its own database.
statement(
    "create_a_table",
    "CREATE TABLE {on.database}.RAW.MADE_{me} (A NUMBER)",
    "DROP TABLE {on.database}.RAW.MADE_{me}",
)
statement("create_a_view", "CREATE OR REPLACE VIEW SEEN AS SELECT * FROM {on.table}")
statement("copy_by_select", "CREATE OR REPLACE TABLE COPIED AS SELECT * FROM {on.table}")
statement("clone_a_table", "CREATE OR REPLACE TABLE CLONED CLONE {on.table}")
# Tables in a cloned schema belong to whom the source's belong.
statement("clone_a_schema", "CREATE SCHEMA {own}.CLONED CLONE {on.database}.RAW", "DROP SCHEMA {own}.CLONED")
statement("create_a_schema", "CREATE SCHEMA {on.database}.MADE_{me}")
statement("use_the_database", "USE DATABASE {on.database}")
statement("use_the_schema", "USE SCHEMA {on.database}.RAW")
statement(
    "grant_to_oneself",
    "GRANT SELECT ON TABLE {on.table} TO ROLE {as_.snowflake_role}",
    "REVOKE SELECT ON TABLE {on.table} FROM ROLE {as_.snowflake_role}",
)
statement("list_the_stage", "LIST @{on.database}.RAW.{on.stage}")
statement("load_from_the_stage", "COPY INTO LOADED FROM @{on.database}.RAW.{on.stage} FILE_FORMAT = (TYPE = CSV)")
statement("read_the_information_schema", "SELECT TABLE_NAME FROM {on.database}.INFORMATION_SCHEMA.TABLES")
statement("use_the_role", "USE ROLE {on.snowflake_role}", refusals=("3013",))
statement("use_the_warehouse", "USE WAREHOUSE {on.warehouse}", refusals=("2043", HIDDEN))


@ATTEMPTS("390144")
def log_in_as_its_user(as_: Login, on: Target) -> None:
    """With one's own key."""
    with as_.snowflake(user=on.snowflake_user, role=on.snowflake_role) as cursor:
        cursor.execute("SELECT CURRENT_USER()")


@ATTEMPTS("390189")
def log_in_with_its_role(as_: Login, on: Target) -> None:
    with as_.snowflake(role=on.snowflake_role) as cursor:
        cursor.execute("SELECT CURRENT_ROLE()")


NEVER: list[tuple[str, Callable[[Target], str]]] = [
    ("create a database", lambda on: "CREATE DATABASE TE_ISOLATION_MADE"),
    ("clone the database", lambda on: f"CREATE DATABASE TE_ISOLATION_MADE CLONE {on.database}"),
    ("replace the database", lambda on: f"CREATE OR REPLACE DATABASE {on.database}"),
    ("drop the database", lambda on: f"DROP DATABASE {on.database}"),
    ("comment on the database", lambda on: f"COMMENT ON DATABASE {on.database} IS 'mine'"),
    ("own the database", lambda on: f"GRANT OWNERSHIP ON DATABASE {on.database} TO ROLE PUBLIC"),
    ("open the database", lambda on: f"GRANT USAGE ON DATABASE {on.database} TO ROLE PUBLIC"),
    ("open its future tables", lambda on: f"GRANT SELECT ON FUTURE TABLES IN DATABASE {on.database} TO ROLE PUBLIC"),
    ("create a role", lambda on: "CREATE ROLE TE_ISOLATION_MADE"),
    ("grant its role", lambda on: f"GRANT ROLE {on.snowflake_role} TO ROLE PUBLIC"),
    ("drop its role", lambda on: f"DROP ROLE {on.snowflake_role}"),
    ("create a user", lambda on: "CREATE USER TE_ISOLATION_MADE PASSWORD = 'Mine1234'"),
    ("change its user", lambda on: f"ALTER USER {on.snowflake_user} SET COMMENT = 'mine'"),
    ("drop its user", lambda on: f"DROP USER {on.snowflake_user}"),
    ("create a warehouse", lambda on: "CREATE WAREHOUSE TE_ISOLATION_MADE"),
    ("suspend its warehouse", lambda on: f"ALTER WAREHOUSE {on.warehouse} SUSPEND"),
    ("become the administrator", lambda on: "USE ROLE ACCOUNTADMIN"),
    ("become the control plane", lambda on: "USE ROLE TESTENV_CONTROL"),
    (
        "a stage on its files",
        lambda on: f"CREATE STAGE ISOLATION_MADE URL = 's3://{on.bucket}/{on.prefix}' STORAGE_INTEGRATION = TESTENV_S3",
    ),
    ("move the own stage to its files", lambda on: f"ALTER STAGE LAKE SET URL = 's3://{on.bucket}/{on.prefix}'"),
]
"""Statements that no environment may run, in a session of its own database."""
