"""What a table holds of its columns' declarations. Each docstring says whether the real Snowflake does the same."""

import pytest
from tests.integration.local.snowflake.support import Server, Sql, refused

TOO_LONG = "String 'abcd' is too long and would be truncated"
COLUMNS = "k NUMBER NOT NULL DEFAULT 7, v VARCHAR(3) DEFAULT 'x', w VARCHAR, c CHAR"


def described(sql: Sql, table: str) -> list[tuple[object, ...]]:
    """Name, type, nullability, default and comment of a table's columns."""
    return [
        (row["name"], row["type"], row["null?"], row["default"], row["comment"])
        for row in sql.dicts(f"DESCRIBE TABLE {table}")
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t (v) VALUES ('abcd')",
        "INSERT INTO t (k, v) SELECT 1, 'ab' || 'cd'",
        "UPDATE t SET v = 'abcd'",
        "MERGE INTO t USING (SELECT 7 AS k) s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = 'abcd'",
        "CREATE TABLE u (v VARCHAR(3)) AS SELECT 'abcd'",
        "CREATE TEMPORARY TABLE u (v STRING(3)) AS SELECT 'abcd'",
        "SELECT 'abcd'::VARCHAR(3)",
        "SELECT CAST(a || 'd' AS CHAR(3)) AS x FROM (SELECT 'abc' AS a)",
    ],
)
def test_a_text_that_is_too_long_is_refused(admin: Sql, db: str, statement: str) -> None:
    """As Snowflake: 100078, and nothing is written. What just fits does; TRY_CAST gives NULL."""
    admin(f"CREATE TABLE t ({COLUMNS})")
    admin("INSERT INTO t (v) VALUES ('äbc')")
    with refused(100078, TOO_LONG):
        admin(statement)
    assert admin("SELECT v, TRY_CAST('abcd' AS VARCHAR(3)), 'äbc'::VARCHAR(3) FROM t") == [("äbc", None, "äbc")]
    with refused(2003):
        admin("SELECT * FROM u")


def test_lengths_outlive_changes_of_the_table(server: Server, admin: Sql, db: str) -> None:
    """As Snowflake: a rename keeps them, and ALTER makes a column longer, or adds one, and not shorter."""
    admin(f"CREATE TABLE t ({COLUMNS})")
    admin("COMMENT ON COLUMN t.v IS 'short'")
    admin("INSERT INTO t (w) VALUES ('row')")
    admin("ALTER TABLE t RENAME TO s")
    admin("ALTER TABLE s RENAME COLUMN v TO r")
    admin("ALTER TABLE s ADD COLUMN n VARCHAR(3)")
    admin("ALTER TABLE s DROP COLUMN c")
    for column in ("r", "n"):
        with refused(100078):
            admin(f"INSERT INTO s ({column}) VALUES ('abcd')")
    admin("ALTER TABLE s ALTER COLUMN r SET DATA TYPE VARCHAR(4)")
    admin("INSERT INTO s (r) VALUES ('abcd')")
    with refused(100078):
        admin("INSERT INTO s (r) VALUES ('abcde')")
    with refused(2):
        admin("ALTER TABLE s ALTER COLUMN r SET DATA TYPE VARCHAR(2)")
    assert described(admin, "s") == [
        ("K", "NUMBER(38,0)", "N", "7", None),
        ("R", "VARCHAR(4)", "Y", "'x'", "short"),
        ("W", "VARCHAR(16777216)", "Y", None, None),
        ("N", "VARCHAR(3)", "Y", None, None),
    ]
    assert admin("SELECT * FROM s ORDER BY r DESC") == [(7, "x", "row", None), (7, "abcd", None, None)]
    admin("ALTER TABLE s ALTER COLUMN r SET DATA TYPE VARCHAR")
    admin("INSERT INTO s (r) VALUES ('a long one')")


@pytest.mark.parametrize(("how", "rows"), [("LIKE", 0), ("CLONE", 1)])
@pytest.mark.parametrize("kind", ["TABLE", "TEMPORARY TABLE", "OR REPLACE TABLE"])
def test_like_and_clone_keep_the_columns(admin: Sql, db: str, how: str, rows: int, kind: str) -> None:
    """As Snowflake: NOT NULL, defaults, lengths and comments; the rows with CLONE only."""
    admin(f"CREATE TABLE t ({COLUMNS})")
    admin("COMMENT ON TABLE t IS 'table'")
    admin("COMMENT ON COLUMN t.v IS 'short'")
    admin("INSERT INTO t (v) VALUES ('abc')")
    admin("CREATE SCHEMA other")
    if "REPLACE" in kind:
        admin("CREATE TABLE u (v VARCHAR(1), old NUMBER)")
    admin(f"CREATE {kind} u {how} {db}.public.t")
    assert admin.value("SELECT count(*) FROM u") == rows
    if "TEMPORARY" not in kind:
        assert described(admin, "u") == described(admin, f"{db}.public.t")
        assert described(admin, "u")[1] == ("V", "VARCHAR(3)", "Y", "'x'", "short")
        assert admin.dicts("SHOW TABLES LIKE 'U'")[0]["comment"] == "table"
    with refused(100078):
        admin("INSERT INTO u (v) VALUES ('abcd')")
    with refused(100072):
        admin("INSERT INTO u (k) VALUES (NULL)")
    admin("INSERT INTO u (w) VALUES ('new')")
    assert admin("SELECT k, v FROM u WHERE w = 'new'") == [(7, "x")]
    assert admin.value(f"SELECT count(*) FROM {db}.public.t") == 1


def test_like_and_clone_of_what_is_there_already(admin: Sql, db: str) -> None:
    """As Snowflake: IF NOT EXISTS leaves it, a clone of oneself is the same, and nothing else replaces it."""
    admin("CREATE TABLE t AS SELECT 1 AS a")
    admin("CREATE TABLE u AS SELECT 2 AS b")
    for how in ("LIKE", "CLONE"):
        admin(f"CREATE TABLE IF NOT EXISTS u {how} t")
        with refused(2002):
            admin(f"CREATE TABLE u {how} t")
        with refused(2003):
            admin(f"CREATE OR REPLACE TABLE u {how} no_such")
    admin("CREATE OR REPLACE TABLE u CLONE u")
    assert admin("SELECT b FROM u") == [(2,)]


def test_clones_of_schemas_and_databases_keep_lengths_and_comments(admin: Sql, db: str) -> None:
    """As Snowflake."""
    admin(f"CREATE TABLE t ({COLUMNS})")
    admin("COMMENT ON COLUMN t.v IS 'short'")
    admin("CREATE VIEW v (a COMMENT 'of the view') AS SELECT v FROM t")
    admin(f"CREATE VIEW w (a COMMENT 'of the view') AS SELECT v FROM {db}.public.t")
    admin(f"CREATE SCHEMA copied CLONE {db}.public")
    admin(f"CREATE DATABASE {db}_2 CLONE {db}")
    try:
        for copy in (f"{db}.copied.t", f"{db}_2.public.t"):
            assert described(admin, copy) == described(admin, f"{db}.public.t")
            assert described(admin, copy)[1] == ("V", "VARCHAR(3)", "Y", "'x'", "short")
            with refused(100078):
                admin(f"INSERT INTO {copy} (v) VALUES ('abcd')")
        for place in (f"{db}.copied", f"{db}_2.public"):
            assert column_comments(admin, f"{place}.v") == column_comments(admin, f"{place}.w") == ["of the view"]
    finally:
        admin(f"DROP DATABASE {db}_2")


def test_comments_in_create(admin: Sql, db: str) -> None:
    """As Snowflake: kept with their apostrophes, and none where there is none."""
    admin("CREATE TRANSIENT TABLE t (a NUMBER) COMMENT = 'it''s'")
    admin("CREATE TRANSIENT TABLE u (a NUMBER)")
    assert [row["comment"] for row in admin.dicts("SHOW TABLES")] == ["it's", ""]


def column_comments(admin: Sql, relation: str) -> list[str | None]:
    return [row["comment"] for row in admin.dicts(f"DESCRIBE TABLE {relation}")]


@pytest.mark.parametrize(
    ("kind", "columns", "again"),
    [
        ("TABLE", "id NUMBER COMMENT {}, name TEXT", "(id NUMBER, name TEXT)"),
        ("TRANSIENT TABLE", "id NUMBER COMMENT {}, name TEXT) AS (SELECT 1, 'a'", "AS SELECT 1 AS id, 2 AS name"),
        ("VIEW", '"ID" COMMENT {}, NAME) AS (SELECT 1 AS id, 2 AS name', "AS SELECT 1 AS id, 2 AS name"),
    ],
)
def test_comments_of_columns_in_create(admin: Sql, db: str, kind: str, columns: str, again: str) -> None:
    """As Snowflake: in a table's and in a view's list of columns, and gone with what is replaced."""
    comment = 'it\'s "x"\n-- '
    admin(f"CREATE {kind} o ({columns})".format(f"$${comment}$$"))
    assert column_comments(admin, "o") == [comment, None]
    admin(f"CREATE {kind} IF NOT EXISTS o ({columns})".format("'another'"))
    assert column_comments(admin, "o") == [comment, None]
    admin(f"CREATE OR REPLACE {kind} o {again}")
    assert column_comments(admin, "o") == [None, None]


def test_a_column_is_added_with_its_comment(admin: Sql, db: str) -> None:
    """As Snowflake."""
    admin("CREATE TABLE t (a NUMBER)")
    admin("ALTER TABLE t ADD COLUMN b VARCHAR(3) COMMENT 'it''s new'")
    assert column_comments(admin, "t") == [None, "it's new"]


@pytest.mark.parametrize(
    "create", ["CREATE TABLE {}", "CREATE TABLE IDENTIFIER({})", "CREATE TABLE IDENTIFIER($n)", "CREATE VIEW {}"]
)
def test_no_name_smuggles_a_statement(admin: Sql, db: str, create: str) -> None:
    """Snowflake allows an apostrophe in a name; here it would end a text of fakesnow's, and is refused."""
    admin("CREATE TABLE victim (a NUMBER)")
    hostile = f"\"t' AS s; INSERT INTO {db}.PUBLIC.victim VALUES (1); SELECT '\""
    name = hostile if "IDENTIFIER" not in create else "'" + hostile.replace("'", "''") + "'"
    admin("SET n = '" + hostile.replace("'", "''") + "'")
    with refused(2, "apostrophe"):
        admin(create.format(name) + (" AS SELECT 1 AS a" if "VIEW" in create else " (a NUMBER)"))
    assert admin("SELECT * FROM victim") == []
    assert list(admin.dicts("""SELECT 1 AS "it's" """)[0]) == ["it's"]
