"""Databases, schemas, clones. Each docstring says whether the real Snowflake does the same."""

import time

import pytest
from tests.integration.local.snowflake.support import Server, Sql, refused


def test_create_and_drop(admin: Sql, name: str) -> None:
    """As Snowflake: a new database is current, with its schema PUBLIC; dropped, nothing is."""
    assert admin(f"CREATE DATABASE {name}") == [(f"Database {name} successfully created.",)]
    assert admin("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == [(name, "PUBLIC")]
    with refused(2002, "already exists"):
        admin(f"CREATE DATABASE {name}")
    assert "already exists, statement succeeded" in admin.value(f"CREATE DATABASE IF NOT EXISTS {name}")
    assert admin(f"DROP DATABASE {name}") == [(f"{name} successfully dropped.",)]
    assert admin("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == [(None, None)]
    with refused(2003):
        admin(f"DROP DATABASE {name}")
    assert "already dropped" in admin.value(f"DROP DATABASE IF EXISTS {name}")


def test_dropped_database_leaves_no_file(server: Server, admin: Sql, name: str) -> None:
    """Snowflake keeps it for Time Travel; here it is gone at once, disk included."""
    before = set((server.folder / "data").glob("*.duckdb*"))
    admin(f"CREATE DATABASE {name}")
    admin("CREATE TABLE t AS SELECT 1 AS a")
    assert set((server.folder / "data").glob("*.duckdb*")) > before
    admin(f"DROP DATABASE {name}")
    assert set((server.folder / "data").glob("*.duckdb*")) == before


def test_transient_and_comment_are_shown(admin: Sql, name: str) -> None:
    """As Snowflake: SHOW DATABASES tells both; LIKE is a pattern without regard to case."""
    admin(f"CREATE TRANSIENT DATABASE {name} DATA_RETENTION_TIME_IN_DAYS = 0 COMMENT = 'it''s mine'")
    (shown,) = admin.dicts(f"SHOW DATABASES LIKE '{name.lower()[:-2]}%'")
    assert (shown["options"], shown["comment"], shown["retention_time"]) == ("TRANSIENT", "it's mine", "0")
    assert shown["owner"] == "ACCOUNTADMIN"
    admin(f"DROP DATABASE {name}")


def test_unknown_property_is_refused(admin: Sql, name: str) -> None:
    """As Snowflake: a property that a database does not have is an error, and nothing is created."""
    with refused(1420, "COLOUR"):
        admin(f"CREATE DATABASE {name} COLOUR = 'red'")
    assert admin(f"SHOW DATABASES LIKE '{name}'") == []


def test_clone_is_whole_and_apart(admin: Sql, db: str) -> None:
    """As Snowflake: tables, views, sequences, comments and text lengths are there; writes to either stay there.
    (Here it is a physical copy.)"""
    admin("CREATE SCHEMA raw")
    admin("CREATE TABLE raw.t (id NUMBER(10,0) NOT NULL, s VARCHAR(7), d NUMBER(18,2)) COMMENT = 'about t'")
    admin("INSERT INTO raw.t VALUES (1, 'x', 1.50)")
    admin("CREATE VIEW raw.v AS SELECT id FROM t")
    admin("CREATE SEQUENCE raw.seq")
    admin(f"CREATE TRANSIENT DATABASE {db}_C CLONE {db}")
    assert admin("DESCRIBE TABLE raw.t") == admin(f"DESCRIBE TABLE {db}.raw.t")
    assert [row[1] for row in admin("DESCRIBE TABLE raw.t")] == ["NUMBER(10,0)", "VARCHAR(7)", "NUMBER(18,2)"]
    admin("INSERT INTO raw.t VALUES (2, 'y', 2)")
    assert admin("SELECT id FROM raw.v ORDER BY id") == [(1,), (2,)]
    assert admin(f"SELECT count(*) FROM {db}.raw.t") == [(1,)]
    assert admin.dicts("SHOW TABLES IN SCHEMA raw")[0]["comment"] == "about t"
    with refused(100072):
        admin("INSERT INTO raw.t VALUES (NULL, 'z', 0)")
    admin(f"DROP DATABASE {db}")
    assert admin(f"SELECT sum(d) FROM {db}_C.raw.t")[0][0] == 3.5
    admin(f"DROP DATABASE {db}_C")


def test_view_that_names_its_database_keeps_reading_the_source(admin: Sql, db: str) -> None:
    """As Snowflake: in a clone, a view that says ``db.schema.t`` still means the source; ``schema.t`` and ``t`` mean
    the clone's own."""
    admin("CREATE TABLE t AS SELECT 'source' AS a")
    admin(f"CREATE VIEW full_name AS SELECT a FROM {db}.PUBLIC.t")
    admin("CREATE VIEW schema_name AS SELECT a FROM PUBLIC.t")
    admin("CREATE VIEW bare_name AS SELECT a FROM t")
    admin(f"CREATE DATABASE {db}_C CLONE {db}")
    admin("UPDATE t SET a = 'clone'")
    assert [admin.value(f"SELECT a FROM {view}") for view in ("full_name", "schema_name", "bare_name")] == [
        "source", "clone", "clone",
    ]  # fmt: skip
    admin(f"DROP DATABASE {db}_C")


def test_clone_of_what_is_not_there_changes_nothing(admin: Sql, db: str) -> None:
    """As Snowflake: 2003, and neither a new nor a replaced database."""
    admin("CREATE TABLE t AS SELECT 1 AS a")
    with refused(2003, "NO_SUCH"):
        admin(f"CREATE OR REPLACE DATABASE {db} CLONE no_such")
    assert admin(f"SELECT a FROM {db}.PUBLIC.t") == [(1,)]


def test_replace_by_clone(admin: Sql, db: str) -> None:
    """As Snowflake: CREATE OR REPLACE DATABASE … CLONE puts the clone in the old one's place."""
    admin("CREATE TABLE t AS SELECT 'new' AS a")
    admin(f"CREATE DATABASE {db}_C")
    admin("CREATE TABLE old_table AS SELECT 1 AS a")
    admin(f"CREATE OR REPLACE DATABASE {db}_C CLONE {db}")
    assert admin("SELECT a FROM t") == [("new",)]
    with refused(2003):
        admin("SELECT * FROM old_table")
    admin(f"DROP DATABASE {db}_C")


def test_other_sessions_survive_a_drop(server: Server, admin: Sql, name: str) -> None:
    """As Snowflake: a session whose database was dropped has none, and goes on."""
    with server.connect() as connection:
        other = Sql(connection)
        other(f"CREATE DATABASE {name}")
        admin(f"DROP DATABASE {name}")
        assert other("SELECT CURRENT_DATABASE(), 1") == [(None, 1)]
        with refused(90105):
            other("SELECT * FROM t")
        admin(f"CREATE DATABASE {name}")
        other(f"USE DATABASE {name}")
        other("CREATE TABLE t AS SELECT 1 AS a")
        admin(f"DROP DATABASE {name}")


def test_schema_clone(admin: Sql, db: str) -> None:
    """As Snowflake: a schema's tables and views, with the grants inside."""
    admin("CREATE SCHEMA a")
    admin("CREATE TABLE t (id NUMBER NOT NULL, s VARCHAR(5)) CLUSTER BY (id)")
    admin("INSERT INTO t VALUES (1, 'x')")
    admin("CREATE VIEW v AS SELECT id + 1 AS n FROM t")
    admin("CREATE SCHEMA b CLONE a")
    admin("UPDATE t SET id = 10")
    assert (admin("SELECT n FROM b.v"), admin("SELECT n FROM a.v")) == ([(11,)], [(2,)])
    assert admin.dicts("SHOW TABLES IN SCHEMA b")[0]["cluster_by"] == "LINEAR(ID)"
    with refused(2002):
        admin("CREATE SCHEMA b CLONE a")
    admin("CREATE OR REPLACE SCHEMA b CLONE a")
    assert admin("SELECT n FROM b.v") == [(2,)]


def test_schemas(admin: Sql, db: str) -> None:
    """As Snowflake: created current, shown, dropped with all that is in it."""
    admin("CREATE SCHEMA IF NOT EXISTS s1 COMMENT = 'x'")
    assert admin.value("SELECT CURRENT_SCHEMA()") == "S1"
    admin("CREATE TABLE t AS SELECT 1 AS a")
    names = {row["name"] for row in admin.dicts(f"SHOW TERSE SCHEMAS IN DATABASE {db} LIMIT 100")}
    assert names == {"PUBLIC", "S1", "INFORMATION_SCHEMA"}
    admin(f"DROP SCHEMA {db}.s1 CASCADE")
    assert admin.value("SELECT CURRENT_SCHEMA()") is None
    with refused(2003):
        admin(f"SELECT * FROM {db}.s1.t")
    assert admin.value(f"SELECT count(*) FROM {db}.INFORMATION_SCHEMA.TABLES") == 0


def test_table_clone_and_swap(admin: Sql, db: str) -> None:
    """As Snowflake: CLONE copies, OR REPLACE replaces, SWAP exchanges content and grants. (Snowflake also swaps across
    schemas; here that is refused.)"""
    admin("CREATE TABLE a AS SELECT 1 AS n")
    admin("CREATE TABLE b (n NUMBER)")
    admin("CREATE OR REPLACE TABLE b CLONE a")
    admin("UPDATE b SET n = 2")
    admin(f"GRANT SELECT ON TABLE {db}.PUBLIC.a TO ROLE SYSADMIN")
    admin(f"ALTER TABLE a SWAP WITH {db}.PUBLIC.b")
    assert (admin.value("SELECT n FROM a"), admin.value("SELECT n FROM b")) == (2, 1)
    granted = [len(admin(f"SHOW GRANTS ON TABLE {table}")) for table in ("a", "b")]
    assert granted == [1, 2]
    admin("CREATE SCHEMA other")
    admin("CREATE TABLE c AS SELECT 3 AS n")
    with refused(2, "SWAP"):
        admin(f"ALTER TABLE {db}.PUBLIC.a SWAP WITH c")


def test_information_schema_tells_of_tables(admin: Sql, db: str) -> None:
    """As Snowflake: owner, type, transience, times, comment, column types. (It would leave out what the role may not
    see.)"""
    admin("CREATE TRANSIENT TABLE t (a NUMBER(5,2) NOT NULL, b VARCHAR(9) COMMENT 'b!', c TIMESTAMP_NTZ, d VARIANT)")
    admin("CREATE VIEW v AS SELECT a FROM t")
    columns = "table_name, table_type, is_transient, table_owner, row_count"
    assert admin(f"SELECT {columns} FROM INFORMATION_SCHEMA.TABLES ORDER BY 1") == [
        ("T", "BASE TABLE", "YES", "ACCOUNTADMIN", 0), ("V", "VIEW", "NO", "ACCOUNTADMIN", None),
    ]  # fmt: skip
    assert admin("SELECT last_altered > dateadd('minute', -5, current_timestamp()) FROM INFORMATION_SCHEMA.TABLES") == [
        (True,), (True,),
    ]  # fmt: skip
    assert admin(
        "SELECT column_name, data_type, is_nullable, character_maximum_length FROM INFORMATION_SCHEMA.COLUMNS "
        "WHERE table_name = 'T' ORDER BY ordinal_position"
    ) == [("A", "NUMBER", "NO", None), ("B", "TEXT", "YES", 9), ("C", "TIMESTAMP_NTZ", "YES", None),
          ("D", "VARIANT", "YES", None)]  # fmt: skip


def test_show_pages(admin: Sql, db: str) -> None:
    """As Snowflake: SHOW … LIKE, STARTS WITH, LIMIT … FROM, in order of names."""
    for table in ("a1", "a2", "a3", "b1"):
        admin(f"CREATE TABLE {table} (x NUMBER)")

    def names(rest: str) -> list[str]:
        return [row["name"] for row in admin.dicts(f"SHOW TABLES {rest}")]

    assert names("") == ["A1", "A2", "A3", "B1"]
    assert names("LIKE 'a%'") == ["A1", "A2", "A3"]
    assert names(f"IN SCHEMA {db}.PUBLIC STARTS WITH 'A' LIMIT 2 FROM 'A1'") == ["A2", "A3"]


@pytest.mark.parametrize("rows", [200_000])
def test_clone_of_many_rows_is_quick(admin: Sql, db: str, rows: int) -> None:
    """Snowflake copies no data and takes about a second whatever the size; here time grows with the rows."""
    admin(f"CREATE TABLE t AS SELECT seq4() AS n, 'row' AS s FROM TABLE(GENERATOR(ROWCOUNT => {rows}))")
    started = time.monotonic()
    admin(f"CREATE DATABASE {db}_C CLONE {db}")
    assert time.monotonic() - started < 5
    assert admin.value("SELECT count(*) FROM t") == rows
    admin(f"DROP DATABASE {db}_C")
