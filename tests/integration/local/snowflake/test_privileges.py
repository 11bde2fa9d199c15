"""Grants, and what they keep from whom. Every refusal is tried on the system; each docstring says whether the real
Snowflake does the same."""

import pytest
from snowflake.connector.errors import ProgrammingError
from tests.integration.local.snowflake.support import Sql, User, refused


@pytest.fixture
def table(admin: Sql, db: str) -> str:
    """A table with one row that ACCOUNTADMIN owns, in a database of its own."""
    admin("CREATE TABLE t (a NUMBER)")
    admin("INSERT INTO t VALUES (1)")
    return f"{db}.PUBLIC.T"


def enter(admin: Sql, user: User, db: str, schema: str = "PUBLIC") -> None:
    """Let a user's role use a database and a schema in it, and nothing else."""
    admin(f"GRANT USAGE ON DATABASE {db} TO ROLE {user.role}")
    admin(f"GRANT USAGE ON SCHEMA {db}.{schema} TO ROLE {user.role}")


def test_database_without_usage_seems_not_to_exist(user: User, table: str, db: str) -> None:
    """As Snowflake: 2003, the same as for a database that is not there."""
    for name in (table, "NO_SUCH.PUBLIC.T"):
        with refused(2003, "does not exist or not authorized"):
            user.sql(f"SELECT * FROM {name}")
    with refused(2003):
        user.sql(f"USE DATABASE {db}")
    assert user.sql(f"SHOW DATABASES LIKE '{db}'") == []


def test_schema_without_usage_seems_not_to_exist(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: USAGE of the database does not open its schemas."""
    admin(f"GRANT USAGE ON DATABASE {db} TO ROLE {user.role}")
    with refused(2003, f"Schema '{db}.PUBLIC' does not exist or not authorized"):
        user.sql(f"SELECT * FROM {table}")


def test_table_without_privilege_seems_not_to_exist(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: USAGE of schema and database does not open the tables; they are not listed either."""
    enter(admin, user, db)
    with refused(2003, "Object"):
        user.sql(f"SELECT * FROM {table}")
    assert user.sql(f"SHOW TABLES IN DATABASE {db}") == []


@pytest.mark.parametrize(
    ("privilege", "allowed"),
    [
        ("SELECT", "SELECT a FROM {t}"),
        ("INSERT", "INSERT INTO {t} VALUES (2)"),
        ("UPDATE", "UPDATE {t} SET a = 3"),
        ("DELETE", "DELETE FROM {t}"),
        ("TRUNCATE", "TRUNCATE TABLE {t}"),
    ],
)
def test_each_privilege_allows_its_statement_only(
    admin: Sql, user: User, table: str, db: str, privilege: str, allowed: str
) -> None:
    """As Snowflake: a role that may do one thing to a table is refused the others with 3001."""
    enter(admin, user, db)
    admin(f"GRANT {privilege} ON TABLE {table} TO ROLE {user.role}")
    statements = ("SELECT a FROM {t}", "INSERT INTO {t} VALUES (9)", "UPDATE {t} SET a = 9", "DELETE FROM {t}",
                  "TRUNCATE TABLE {t}", "DROP TABLE {t}", "ALTER TABLE {t} ADD COLUMN b NUMBER")  # fmt: skip
    for statement in statements:
        if statement.split()[0] != allowed.split()[0]:
            with refused(3001, "Insufficient privileges"):
                user.sql(statement.format(t=table))
    assert admin(f"SELECT * FROM {table}") == [(1,)]
    user.sql(allowed.format(t=table))


def test_merge_needs_what_its_clauses_do(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: a MERGE that inserts needs INSERT, and SELECT of its source."""
    enter(admin, user, db)
    admin(f"GRANT SELECT, UPDATE ON TABLE {table} TO ROLE {user.role}")
    merge = (f"MERGE INTO {table} t USING (SELECT 1 AS a UNION SELECT 5) s ON t.a = s.a "
             "WHEN MATCHED THEN UPDATE SET t.a = s.a WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a)")  # fmt: skip
    with refused(3001):
        user.sql(merge)
    admin(f"GRANT INSERT ON TABLE {table} TO ROLE {user.role}")
    assert user.sql(merge) == [(1, 1)]


def test_creating_needs_the_privilege_and_gives_ownership(admin: Sql, user: User, db: str) -> None:
    """As Snowflake: CREATE TABLE on the schema to create; the creating role owns what it creates, its creator's
    other roles and ACCOUNTADMIN do not."""
    enter(admin, user, db)
    for statement in ("CREATE TABLE {s}.n (a NUMBER)", "CREATE VIEW {s}.n AS SELECT 1 AS a", "CREATE STAGE {s}.n"):
        with refused(3001, "schema"):
            user.sql(statement.format(s=f"{db}.PUBLIC"))
    admin(f"GRANT CREATE TABLE ON SCHEMA {db}.PUBLIC TO ROLE {user.role}")
    user.sql(f"CREATE TABLE {db}.PUBLIC.n (a NUMBER)")
    assert [(g["privilege"], g["grantee_name"]) for g in user.sql.dicts(f"SHOW GRANTS ON TABLE {db}.PUBLIC.n")] == [
        ("OWNERSHIP", user.role)
    ]
    with refused(2003):
        admin(f"SELECT * FROM {db}.PUBLIC.n")
    user.sql(f"DROP TABLE {db}.PUBLIC.n")


def test_database_and_role_and_user_creation_need_account_privileges(user: User, name: str) -> None:
    """As Snowflake: they are privileges of the account."""
    for statement in ("DATABASE", "ROLE", "WAREHOUSE", "USER", "RESOURCE MONITOR"):
        with refused(3001):
            user.sql(f"CREATE {statement} X_{name}")
    with refused(2003):
        user.sql("DROP USER ADMIN")


def test_database_is_dropped_by_its_owner_only(admin: Sql, user: User, db: str) -> None:
    """As Snowflake: USAGE is not enough to drop, or to clone into, or to replace."""
    admin(f"GRANT USAGE ON DATABASE {db} TO ROLE {user.role}")
    with refused(3001):
        user.sql(f"DROP DATABASE {db}")
    admin(f"GRANT CREATE DATABASE ON ACCOUNT TO ROLE {user.role}")
    with refused(3001):
        user.sql(f"CREATE OR REPLACE DATABASE {db}")
    assert len(admin(f"SHOW DATABASES LIKE '{db}'")) == 1


def test_view_lends_its_owners_right(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: SELECT on a view is enough, its tables stay hidden."""
    enter(admin, user, db)
    admin("CREATE VIEW v AS SELECT a + 1 AS b FROM t")
    admin(f"GRANT SELECT ON VIEW v TO ROLE {user.role}")
    assert user.sql(f"SELECT b FROM {db}.PUBLIC.v") == [(2,)]
    with refused(2003):
        user.sql(f"SELECT * FROM {table}")
    admin(f"GRANT CREATE VIEW ON SCHEMA {db}.PUBLIC TO ROLE {user.role}")
    with refused(2003):
        user.sql(f"CREATE VIEW {db}.PUBLIC.w AS SELECT * FROM {table}")


def test_privileges_hold_however_a_table_is_named(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: IDENTIFIER(), subqueries, joins, CTEs and binds open nothing."""
    enter(admin, user, db)
    user.sql(f"USE SCHEMA {db}.PUBLIC")
    for statement in (
        "SELECT * FROM IDENTIFIER('t')", f"SELECT * FROM IDENTIFIER('{table}')", "SELECT (SELECT max(a) FROM t)",
        "WITH c AS (SELECT * FROM t) SELECT * FROM c", "SELECT 1 WHERE EXISTS (SELECT 1 FROM T)",
        "SELECT * FROM (SELECT 1 AS x) JOIN t ON TRUE", "SELECT 1 UNION ALL SELECT a FROM t", "DESCRIBE TABLE t",
        "CREATE TEMPORARY TABLE stolen AS SELECT * FROM t", "CREATE TEMPORARY TABLE stolen CLONE t",
        "EXPLAIN SELECT * FROM t",
    ):  # fmt: skip
        with refused(2003):
            user.sql(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM _fs_global._account.objects",
        "SELECT * FROM _fs_global._account.grants",
        "SELECT * FROM system.information_schema.tables",
        "SELECT * FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS",
        "SELECT * FROM duckdb_tables()",
        "SELECT * FROM duckdb_databases()",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT getenv('PATH')",
        "SELECT * FROM query('SELECT 1')",
        "ATTACH 'x.duckdb' AS x",
        "PRAGMA database_list",
        "COPY INTO '/tmp/x.csv' FROM (SELECT 1)",
        "INSTALL httpfs",
        "CREATE SECRET s (TYPE S3)",
        "CREATE MACRO m() AS 1",
    ],
)
def test_engine_underneath_is_out_of_reach(admin: Sql, user: User, db: str, statement: str) -> None:
    """As Snowflake: what is DuckDB's is unknown here; hashes of passwords and files of the machine above all."""
    enter(admin, user, db)
    user.sql(f"USE SCHEMA {db}.PUBLIC")
    with pytest.raises(ProgrammingError) as caught:
        user.sql(statement)
    assert caught.value.errno in (2, 1003, 2003, 2140)


@pytest.mark.parametrize(
    "statement",
    [
        "WITH c AS (DELETE FROM t) SELECT 1",
        "WITH c AS (INSERT INTO t VALUES (2) RETURNING a) SELECT * FROM c",
        "DROP TABLE mine, t",
        "TRUNCATE TABLE mine, t",
        "INSERT ALL INTO t VALUES (5) SELECT 1",
        "INSERT ALL WHEN TRUE THEN INTO t VALUES (5) SELECT 1 AS x",
    ],
)
def test_reading_gives_no_way_to_write(admin: Sql, user: User, table: str, db: str, statement: str) -> None:
    """As Snowflake, which knows none of these but INSERT ALL: it is refused here, whatever the privileges."""
    enter(admin, user, db)
    admin(f"GRANT SELECT ON TABLE {table} TO ROLE {user.role}")
    admin(f"GRANT CREATE TABLE ON SCHEMA {db}.PUBLIC TO ROLE {user.role}")
    user.sql(f"USE SCHEMA {db}.PUBLIC")
    user.sql("CREATE TABLE mine AS SELECT 1 AS a")
    with pytest.raises(ProgrammingError):
        user.sql(statement)
    assert admin(f"SELECT a FROM {table}") == [(1,)]
    assert user.sql("SELECT a FROM mine") == [(1,)]


def test_future_grants_reach_what_is_created_later(admin: Sql, user: User, db: str) -> None:
    """As Snowflake: FUTURE grants apply at creation; those of the schema hide those of the database."""
    enter(admin, user, db)
    admin("CREATE TABLE before (a NUMBER)")
    admin(f"GRANT SELECT ON FUTURE TABLES IN DATABASE {db} TO ROLE {user.role}")
    admin("CREATE TABLE after_database AS SELECT 1 AS a")
    assert user.sql(f"SELECT * FROM {db}.PUBLIC.after_database") == [(1,)]
    with refused(2003):
        user.sql(f"SELECT * FROM {db}.PUBLIC.before")
    admin(f"GRANT INSERT ON FUTURE TABLES IN SCHEMA {db}.PUBLIC TO ROLE {user.role}")
    admin("CREATE TABLE after_schema (a NUMBER)")
    user.sql(f"INSERT INTO {db}.PUBLIC.after_schema VALUES (1)")
    with refused(3001):
        user.sql(f"SELECT * FROM {db}.PUBLIC.after_schema")
    assert len(admin(f"SHOW FUTURE GRANTS IN DATABASE {db}")) == 1


def test_grants_on_all_reach_what_is_there(admin: Sql, user: User, db: str) -> None:
    """As Snowflake: ALL means those of now."""
    enter(admin, user, db)
    admin("CREATE TABLE one AS SELECT 1 AS a")
    admin("CREATE VIEW v AS SELECT 2 AS a")
    admin(f"GRANT SELECT ON ALL TABLES IN SCHEMA {db}.PUBLIC TO ROLE {user.role}")
    assert user.sql(f"SELECT a FROM {db}.PUBLIC.one") == [(1,)]
    with refused(2003):
        user.sql(f"SELECT a FROM {db}.PUBLIC.v")
    admin(f"GRANT ALL PRIVILEGES ON ALL VIEWS IN DATABASE {db} TO ROLE {user.role}")
    assert user.sql(f"SELECT a FROM {db}.PUBLIC.v") == [(2,)]


def test_revoke_takes_back(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: a running session feels it at its next statement."""
    enter(admin, user, db)
    admin(f"GRANT SELECT ON {table} TO {user.role}")
    assert user.sql(f"SELECT a FROM {table}") == [(1,)]
    admin(f"REVOKE SELECT ON TABLE {table} FROM ROLE {user.role}")
    with refused(2003):
        user.sql(f"SELECT a FROM {table}")


def test_roles_inherit(admin: Sql, user: User, table: str, db: str, name: str) -> None:
    """As Snowflake: a role has what the roles granted to it have, until revoked; a cycle is refused."""
    admin(f"CREATE ROLE READ_{name}")
    admin(f"GRANT USAGE ON DATABASE {db} TO ROLE READ_{name}")
    admin(f"GRANT USAGE ON SCHEMA {db}.PUBLIC TO ROLE READ_{name}")
    admin(f"GRANT SELECT ON TABLE {table} TO ROLE READ_{name}")
    admin(f"GRANT ROLE READ_{name} TO ROLE {user.role}")
    assert user.sql(f"SELECT a FROM {table}") == [(1,)]
    with refused(1008, "cycle"):
        admin(f"GRANT ROLE {user.role} TO ROLE READ_{name}")
    admin(f"REVOKE ROLE READ_{name} FROM ROLE {user.role}")
    with refused(2003):
        user.sql(f"SELECT a FROM {table}")


def test_ownership_passes_on(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: GRANT OWNERSHIP asks what to do with other grants; the old owner has nothing left."""
    enter(admin, user, db)
    admin(f"GRANT SELECT ON TABLE {table} TO ROLE SYSADMIN")
    with refused(3036, "Dependent grant"):
        admin(f"GRANT OWNERSHIP ON TABLE {table} TO ROLE {user.role}")
    admin(f"GRANT OWNERSHIP ON ALL TABLES IN SCHEMA {db}.PUBLIC TO ROLE {user.role} REVOKE CURRENT GRANTS")
    user.sql(f"ALTER TABLE {table} ADD COLUMN b NUMBER")
    with refused(2003):
        admin(f"SELECT * FROM {table}")


def test_only_owner_or_manager_grants(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: who may use a table may not share it; future grants ask for MANAGE GRANTS."""
    enter(admin, user, db)
    admin(f"GRANT SELECT ON TABLE {table} TO ROLE {user.role}")
    with refused(3003, "Insufficient privileges"):
        user.sql(f"GRANT SELECT ON TABLE {table} TO ROLE PUBLIC")
    with refused(3001):
        user.sql(f"GRANT SELECT ON FUTURE TABLES IN SCHEMA {db}.PUBLIC TO ROLE PUBLIC")
    with refused(2003):
        user.sql(f"GRANT ROLE ACCOUNTADMIN TO USER {user.name}")
    assert user.sql.value("SELECT CURRENT_ROLE()") == user.role


def test_replacing_a_table_drops_its_grants(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: CREATE OR REPLACE starts afresh, COPY GRANTS keeps."""
    enter(admin, user, db)
    admin(f"GRANT SELECT ON TABLE {table} TO ROLE {user.role}")
    admin(f"CREATE OR REPLACE TABLE {table} COPY GRANTS AS SELECT 2 AS a")
    assert user.sql(f"SELECT a FROM {table}") == [(2,)]
    admin(f"CREATE OR REPLACE TABLE {table} AS SELECT 3 AS a")
    with refused(2003):
        user.sql(f"SELECT a FROM {table}")


def test_renaming_keeps_grants(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: grants go with the table, not with the name."""
    enter(admin, user, db)
    admin(f"GRANT SELECT ON TABLE {table} TO ROLE {user.role}")
    admin("ALTER TABLE t RENAME TO u")
    assert user.sql(f"SELECT a FROM {db}.PUBLIC.u") == [(1,)]
    admin("CREATE TABLE t AS SELECT 4 AS a")
    with refused(2003):
        user.sql(f"SELECT a FROM {table}")


def test_clone_has_the_grants_inside_but_not_its_own(admin: Sql, user: User, table: str, db: str) -> None:
    """As Snowflake: children keep their grants, the container gets none."""
    enter(admin, user, db)
    admin(f"GRANT SELECT ON TABLE {table} TO ROLE {user.role}")
    admin(f"CREATE DATABASE {db}_C CLONE {db}")
    with refused(2003, f"Database '{db}_C'"):
        user.sql(f"SELECT a FROM {db}_C.PUBLIC.T")
    admin(f"GRANT USAGE ON DATABASE {db}_C TO ROLE {user.role}")
    assert user.sql(f"SELECT a FROM {db}_C.PUBLIC.T") == [(1,)]
    admin(f"DROP DATABASE {db}_C")


def test_dropped_names_leave_no_grants(admin: Sql, user: User, db: str) -> None:
    """As Snowflake: a new database of the same name is closed to who was let into the old one."""
    enter(admin, user, db)
    admin("CREATE TABLE t AS SELECT 1 AS a")
    admin(f"GRANT SELECT ON TABLE t TO ROLE {user.role}")
    admin(f"DROP DATABASE {db}")
    admin(f"CREATE DATABASE {db}")
    admin("CREATE TABLE t AS SELECT 1 AS a")
    with refused(2003):
        user.sql(f"SELECT * FROM {db}.PUBLIC.t")
    assert admin.dicts(f"SHOW GRANTS TO ROLE {user.role}") == []
