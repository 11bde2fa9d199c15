"""Queries and DML that fakesnow alone gets wrong. Each docstring says whether the real Snowflake does the same."""

import datetime
import decimal

import pytest
from snowflake.connector.errors import ProgrammingError
from tests.integration.local.snowflake.support import Server, Sql, refused


def test_sum_keeps_the_type(admin: Sql, db: str) -> None:
    """As Snowflake: SUM of a NUMBER is a NUMBER, not a FLOAT."""
    admin("CREATE TABLE t AS SELECT 0.10::NUMBER(18,2) AS d FROM TABLE(GENERATOR(ROWCOUNT => 3))")
    assert admin("SELECT SUM(d) FROM t") == [(decimal.Decimal("0.30"),)]
    assert admin.types("SELECT SUM(d) FROM t") == ["FIXED"]


def test_null_timestamps_stay_null(admin: Sql) -> None:
    """As Snowflake."""
    rows = admin(
        "SELECT a FROM (SELECT NULL::TIMESTAMP_NTZ AS a UNION ALL SELECT '2024-02-29 12:00:00'::TIMESTAMP_NTZ)"
    )
    assert set(rows) == {(None,), (datetime.datetime(2024, 2, 29, 12),)}


@pytest.mark.parametrize("expression", ["1 / 0", "a / b", "a / (b * 2)", "sum(a) / sum(b)", "1.5 / (b - b)"])
def test_division_by_zero_is_an_error(admin: Sql, expression: str) -> None:
    """As Snowflake: 100051, where DuckDB gives infinity."""
    with refused(100051, "Division by zero"):
        admin(f"SELECT {expression} AS x FROM (SELECT 1 AS a, 0 AS b)")
    assert admin("SELECT a / NULLIF(b, 0) AS x, 3 / 2 AS y FROM (SELECT 1 AS a, 0 AS b)") == [(None, 1.5)]


@pytest.mark.parametrize(
    ("expression", "scale", "value"),
    [
        ("1 / 3", 6, "0.333333"),
        ("i / 2", 6, "1.500000"),
        ("-2 / i", 6, "-0.666667"),
        ("1 / 2000000", 6, "0.000001"),
        ("n / i", 8, "3.41666667"),
        ("n / 0.01", 8, "1025.00000000"),
        ("e / i", 12, "0.333333333333"),
        ("w / i", 14, "0.33333333333333"),
        ("n / i / i", 12, "1.138888890000"),
        ("sum(n) / count(*)", 8, "10.25000000"),
        ("avg(i)", 6, "3.000000"),
        ("avg(DISTINCT n)", 8, "10.25000000"),
        ("avg(i / 7)", 12, "0.428571000000"),
        ("avg(i) / 7", 12, "0.428571428571"),
        ("DIV0(i, 0)", 6, "0.000000"),
    ],
)
def test_quotients_and_averages_of_numbers(admin: Sql, db: str, expression: str, scale: int, value: str) -> None:
    """As Snowflake: a NUMBER of scale max(s, min(s + 6, 12)), halves rounded away from zero."""
    admin("CREATE TABLE t (i NUMBER, n NUMBER(10,2), e NUMBER(10,8), w NUMBER(20,14))")
    admin("INSERT INTO t VALUES (3, 10.25, 1, 1)")
    admin(f"CREATE TABLE q AS SELECT {expression} AS x FROM t{'' if '(' in expression else ' WHERE i > 0'}")
    assert admin("DESCRIBE TABLE q")[0][1] == f"NUMBER(38,{scale})"
    assert admin("SELECT x FROM q") == [(decimal.Decimal(value),)]


def test_quotients_and_averages_of_floats(admin: Sql, db: str) -> None:
    """As Snowflake: one FLOAT makes it a FLOAT; NULL stays NULL; names are the text of the expression."""
    admin("CREATE TABLE t AS SELECT 1 AS i, 4::FLOAT AS f UNION ALL SELECT NULL, NULL")
    query = "SELECT i / f, f / i, AVG(f), AVG(i) OVER (PARTITION BY f) FROM t GROUP BY i, f ORDER BY i / f NULLS LAST"
    assert admin.types(query) == ["REAL", "REAL", "REAL", "FIXED"]
    assert admin(query) == [(0.25, 4.0, 4.0, decimal.Decimal(1)), (None, None, None, None)]
    assert list(admin.dicts("SELECT i / f, AVG(f) FROM t GROUP BY ALL")[0]) == ["I / F", "AVG(F)"]
    with admin.connection.cursor() as cursor:
        assert cursor.execute("SELECT 1 / ? AS x", (4,), _force_qmark_paramstyle=True).fetchall() == [(0.25,)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [("d", "DATE"), ("CURRENT_DATE", "DATE"), ("t", "TIMESTAMP_NTZ"), ("DATE_TRUNC('week', d)", "DATE"),
     ("z", "TIMESTAMP_TZ"), ("'2024-02-29'", "TIMESTAMP_NTZ")],
)  # fmt: skip
def test_date_trunc_keeps_the_type(admin: Sql, db: str, value: str, kind: str) -> None:
    """As Snowflake, in a query, a view and a grouping."""
    admin("CREATE TABLE s AS SELECT '2024-02-29'::DATE AS d, '2024-02-29 12:00:00'::TIMESTAMP_NTZ AS t, "
          "'2024-02-29 12:00:00 +0000'::TIMESTAMP_TZ AS z")  # fmt: skip
    admin(f"CREATE VIEW v AS SELECT DATE_TRUNC('month', {value}) AS m FROM s")
    grouped = f"SELECT DATE_TRUNC(month, {value}), count(*) FROM s GROUP BY DATE_TRUNC(month, {value})"
    assert [admin.types("SELECT m FROM v")[0], admin.types(grouped)[0]] == [kind, kind]
    if "CURRENT" not in value:
        assert str(admin.value("SELECT m FROM v")).startswith("2024-02-01")


def test_hash_agg_ignores_order_and_counts_duplicates(admin: Sql, db: str) -> None:
    """As Snowflake, but for the value itself, which differs."""
    admin("CREATE TABLE a AS SELECT 1 AS x, 'é' AS y UNION ALL SELECT 2, NULL UNION ALL SELECT 2, NULL")
    admin("CREATE TABLE b AS SELECT * FROM a ORDER BY x DESC")
    admin("CREATE TABLE c AS SELECT DISTINCT * FROM a")
    hashes = [admin.value(f"SELECT HASH_AGG(*) FROM {table}") for table in ("a", "b", "c")]
    assert hashes[0] == hashes[1] != hashes[2]
    assert admin("SELECT HASH_AGG(x, y) AS h, HASH_AGG(*) FROM a WHERE x > 5") == [(0, 0)]


def test_merge_counts_and_does_all_or_nothing(admin: Sql, db: str) -> None:
    """As Snowflake: rows inserted, updated, deleted; within a transaction, undone by ROLLBACK."""
    admin("CREATE TABLE t AS SELECT 1 AS id, 'old' AS v UNION ALL SELECT 2, 'gone'")
    admin("CREATE TABLE s AS SELECT 1 AS id, 'new' AS v, FALSE AS del UNION ALL SELECT 2, NULL, TRUE "
          "UNION ALL SELECT 3, 'added', FALSE")  # fmt: skip
    merge = ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.del THEN DELETE "
             "WHEN MATCHED THEN UPDATE SET t.v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (id, v)")  # fmt: skip
    admin("BEGIN")
    assert admin.dicts(merge) == [
        {"number of rows inserted": 1, "number of rows updated": 1, "number of rows deleted": 1}
    ]
    admin("ROLLBACK")
    assert admin("SELECT v FROM t ORDER BY id") == [("old",), ("gone",)]
    admin(merge)
    assert admin("SELECT id, v FROM t ORDER BY id") == [(1, "new"), (3, "added")]


def test_merge_with_two_rows_for_one_is_refused(admin: Sql, db: str) -> None:
    """As Snowflake (ERROR_ON_NONDETERMINISTIC_MERGE): 100090, and nothing changes."""
    admin("CREATE TABLE t AS SELECT 1 AS id, 'old' AS v")
    with refused(100090, "Duplicate row"):
        admin("MERGE INTO t USING (SELECT 1 AS id, 'a' AS v UNION ALL SELECT 1, 'b') s ON t.id = s.id "
              "WHEN MATCHED THEN UPDATE SET v = s.v")  # fmt: skip
    assert admin("SELECT v FROM t") == [("old",)]


def test_rowcount_of_dml(admin: Sql, db: str) -> None:
    """As Snowflake: cursor.rowcount is the number of rows affected."""
    admin("CREATE TABLE t (a NUMBER)")
    with admin.connection.cursor() as cursor:
        counts = [
            cursor.execute(sql).rowcount
            for sql in ("INSERT INTO t VALUES (1), (2), (3)", "UPDATE t SET a = 0 WHERE a > 1",
                        "DELETE FROM t WHERE a = 0",
                        "MERGE INTO t USING (SELECT 1 AS a) s ON t.a = s.a WHEN MATCHED THEN DELETE")
        ]  # fmt: skip
        cursor.executemany("INSERT INTO t VALUES (%s)", [(1,), (2,)])
        assert [*counts, cursor.rowcount] == [3, 2, 2, 1, 2]


def test_typed_ctas_holds_its_types(admin: Sql, db: str) -> None:
    """As Snowflake: a dbt contract's CREATE TABLE (columns) AS SELECT casts, and refuses NULL in NOT NULL."""
    admin("CREATE TABLE t (a NUMBER(10,2) NOT NULL, b VARCHAR(4)) AS (SELECT 1.239 AS a, 'x' AS b)")
    assert admin("SELECT a, b FROM t") == [(decimal.Decimal("1.24"), "x")]
    assert [row[1] for row in admin("DESCRIBE TABLE t")] == ["NUMBER(10,2)", "VARCHAR(4)"]
    with refused(100072):
        admin("CREATE OR REPLACE TABLE t (a NUMBER(10,2) NOT NULL) AS (SELECT NULL)")
    assert admin("SELECT count(*) FROM t") == [(1,)]


def test_keys_are_declared_not_enforced(admin: Sql, db: str) -> None:
    """As Snowflake: PRIMARY KEY, UNIQUE and REFERENCES let duplicates in."""
    admin("CREATE TABLE p (id NUMBER PRIMARY KEY, u VARCHAR UNIQUE, CONSTRAINT k UNIQUE (id, u))")
    admin("CREATE TABLE c (id NUMBER REFERENCES p (id))")
    admin("INSERT INTO p VALUES (1, 'a'), (1, 'a')")
    admin("INSERT INTO c VALUES (99)")
    assert admin("SELECT count(*) FROM p") == [(2,)]


def test_temporary_tables_are_the_sessions_own(server: Server, admin: Sql, db: str) -> None:
    """As Snowflake: seen by one session, hiding a permanent table of the name, gone with the session."""
    admin("CREATE TABLE t AS SELECT 'permanent' AS a")
    with server.connect(database=db, schema="PUBLIC") as connection:
        other = Sql(connection)
        other(f"CREATE OR REPLACE TEMPORARY TABLE {db}.PUBLIC.t (a VARCHAR, n NUMBER(4,0))")
        other("INSERT INTO t (a) VALUES ('temporary')")
        other(f"UPDATE {db}.public.t SET n = 5 WHERE t.a = 'temporary'")
        assert other(f"SELECT x.a, t.n FROM {db}.PUBLIC.t x JOIN t ON x.a = t.a") == [("temporary", 5)]
        assert [row[0] for row in other("DESCRIBE TABLE t")] == ["A", "N"]
        other("CREATE TEMPORARY VIEW w AS SELECT a FROM t")
        assert other("SELECT a FROM w") == [("temporary",)]
        assert admin("SELECT a FROM t") == [("permanent",)]
        with refused(2003):
            admin("SELECT a FROM w")
        other("DROP TABLE t")
        assert other("SELECT a FROM t") == [("permanent",)]
        other("CREATE TEMPORARY TABLE u AS SELECT 1 AS a")
    with server.connect(database=db, schema="PUBLIC") as connection, refused(2003):
        Sql(connection)("SELECT * FROM u")


def test_failed_temporary_table_hides_nothing(admin: Sql, db: str) -> None:
    """As Snowflake."""
    admin("CREATE TABLE t AS SELECT 'permanent' AS a")
    with pytest.raises(ProgrammingError):
        admin("CREATE TEMPORARY TABLE t AS SELECT no_such_column FROM t")
    assert admin("SELECT a FROM t") == [("permanent",)]


def test_query_tag_and_history(admin: Sql, db: str, name: str) -> None:
    """As Snowflake, without its delay: QUERY_HISTORY tells text, tag, user, role and outcome."""
    tag = f'{{"env": "{name}"}}'
    admin(f"ALTER SESSION SET QUERY_TAG = '{tag}'")
    admin("SELECT 41 + 1")
    with refused(2003):
        admin("SELECT * FROM no_such_table")
    assert admin.dicts("SHOW PARAMETERS LIKE 'QUERY_TAG'")[0]["value"] == tag
    admin("ALTER SESSION UNSET QUERY_TAG")
    for source in ("TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())", "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"):
        rows = admin(
            f"SELECT query_text, user_name, role_name, execution_status, error_code FROM {source} "
            f"WHERE query_tag = '{tag}' AND query_text LIKE 'SELECT %' ORDER BY start_time"
        )
        assert rows == [
            ("SELECT 41 + 1", "ADMIN", "ACCOUNTADMIN", "SUCCESS", None),
            ("SELECT * FROM no_such_table", "ADMIN", "ACCOUNTADMIN", "FAILED_WITH_ERROR", 2003),
        ]


def test_transactions(admin: Sql, db: str) -> None:
    """As Snowflake: ROLLBACK undoes DML, whatever is asked or set meanwhile; DDL commits what is open."""
    admin("CREATE TABLE t (a NUMBER)")
    admin("BEGIN")
    admin("INSERT INTO t VALUES (1)")
    for harmless in ("SHOW TABLES", "ALTER SESSION SET QUERY_TAG = 'x'", "USE SCHEMA PUBLIC", "DESCRIBE TABLE t"):
        admin(harmless)
    admin("ROLLBACK")
    assert admin("SELECT count(*) FROM t") == [(0,)]
    admin("BEGIN")
    admin("INSERT INTO t VALUES (1)")
    admin("CREATE TABLE u (a NUMBER)")
    admin("ROLLBACK")
    assert admin("SELECT count(*) FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("CREATE STREAM s ON TABLE t", 2),
        ("CREATE TASK k WAREHOUSE = w AS SELECT 1", 2),
        ("CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS 'BEGIN RETURN 1; END'", 2),
        ("CREATE FUNCTION f(a NUMBER) RETURNS NUMBER AS 'a + 1'", 2),
        ("CREATE MASKING POLICY m AS (v VARCHAR) RETURNS VARCHAR -> '*'", 2),
        ("CREATE PIPE p AS COPY INTO t FROM @s", 2),
        ("CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a", 2),
        ("CREATE EXTERNAL TABLE e (a NUMBER)", 2),
        ("UNDROP TABLE t", 2),
        ("SELECT * FROM t AT(OFFSET => -60)", 2),
        ("SELECT * FROM t BEFORE(STATEMENT => 'x')", 2),
        ("CALL p()", 2),
        ("SELEC 1", None),
        ("SELECT 1; SELECT 2", 8),
        ("SELECT no_such_function(1)", 2140),
        ("SELECT * FROM no_such_schema.t", 2003),
        ("DROP WAREHOUSE no_such", 2003),
        ("ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'", 2),
        ("ALTER SESSION SET NO_SUCH_PARAMETER = 1", 1420),
        ("USE SECONDARY ROLES ALL", 2),
        ("", None),
    ],
)
def test_what_is_not_supported_is_refused_at_once(admin: Sql, db: str, statement: str, errno: int | None) -> None:
    """Snowflake supports most of these. Here each is an error in Snowflake's shape, never a wrong answer, a silent
    success or an HTTP error that clients retry for minutes."""
    admin("CREATE TABLE t (a NUMBER)")
    if not statement:
        assert admin.connection.cursor().execute("") is None
        return
    started = datetime.datetime.now()
    with pytest.raises(ProgrammingError) as caught:
        admin(statement)
    assert errno in (None, caught.value.errno), caught.value
    assert caught.value.sqlstate
    assert datetime.datetime.now() - started < datetime.timedelta(seconds=3)
    assert admin.value("SELECT 1") == 1


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("select 1 limit 1\n\n  limit 2", "syntax error line 3 at position 2 unexpected 'limit'."),
        ("CREATE TABLE t (a|b TEXT)", "syntax error line 1 at position 17 unexpected '|'."),
        ("SELECT * FROM t)", "syntax error line 1 at position 15 unexpected ')'."),
        ("SELECT (1 +\n 2", "syntax error line 2 at position 2 unexpected '<EOF>'."),
        ("SELECT 'abc", "parse error line 1 at position 11 near '<EOF>'."),
    ],
)
def test_what_cannot_be_parsed(admin: Sql, db: str, statement: str, words: str) -> None:
    """As Snowflake: the line, the position in it, counted from 0, and what stands there."""
    with refused(1003, f"SQL compilation error:\n{words}"):
        admin(statement)


def test_describe_table_of_another_database(admin: Sql, db: str) -> None:
    """As Snowflake: works without a current database."""
    admin("CREATE TABLE t (a NUMBER(3,1) NOT NULL, b ARRAY)")
    admin(f"CREATE DATABASE {db}_2")
    assert [row[:2] for row in admin(f"DESCRIBE TABLE {db}.PUBLIC.t")] == [("A", "NUMBER(3,1)"), ("B", "VARIANT")]
    admin(f"DROP DATABASE {db}_2")


def test_comments(admin: Sql, db: str) -> None:
    """As Snowflake: on a table, view and column, in the forms that dbt uses too."""
    admin("CREATE TABLE t (a NUMBER, b NUMBER)")
    admin("CREATE VIEW v AS SELECT a FROM t")
    admin("COMMENT ON TABLE t IS $$the 'table'$$")
    admin("COMMENT ON VIEW v IS 'the view'")
    admin("ALTER TABLE t ALTER a COMMENT $$first$$, b COMMENT 'second'")
    admin("COMMENT ON COLUMN t.b IS 'third'")
    assert admin("SELECT comment FROM INFORMATION_SCHEMA.TABLES ORDER BY table_name") == [
        ("the 'table'",),
        ("the view",),
    ]
    assert admin("SELECT comment FROM INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'T' ORDER BY column_name") == [
        ("first",), ("third",),
    ]  # fmt: skip


def test_dynamic_tables(admin: Sql, db: str) -> None:
    """Snowflake refreshes by TARGET_LAG; here only ALTER … REFRESH does."""
    admin("CREATE TABLE t AS SELECT 1 AS a")
    admin("CREATE WAREHOUSE IF NOT EXISTS dyn_wh")
    admin("CREATE DYNAMIC TABLE d TARGET_LAG = '1 minute' WAREHOUSE = dyn_wh AS SELECT a * 2 AS b FROM t")
    admin("UPDATE t SET a = 4")
    assert admin("SELECT b FROM d") == [(2,)]
    admin("ALTER DYNAMIC TABLE d REFRESH")
    assert admin("SELECT b FROM d") == [(8,)]
    shown = admin.dicts(f"SHOW DYNAMIC TABLES LIKE 'd' IN SCHEMA {db}.PUBLIC")[0]
    assert (shown["target_lag"], shown["warehouse"], shown["owner"]) == ("1 minute", "DYN_WH", "ACCOUNTADMIN")
    admin("DROP DYNAMIC TABLE d")
    with refused(2003):
        admin("SELECT * FROM d")


def test_warehouses_and_monitors(admin: Sql, name: str) -> None:
    """As Snowflake, but nothing runs or costs by them."""
    admin(f"CREATE RESOURCE MONITOR M_{name} WITH CREDIT_QUOTA = 10 FREQUENCY = MONTHLY "
          "TRIGGERS ON 80 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND")  # fmt: skip
    admin(f"CREATE WAREHOUSE W_{name} WITH WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 RESOURCE_MONITOR = M_{name} "
          "INITIALLY_SUSPENDED = TRUE COMMENT = 'for tests'")  # fmt: skip
    (shown,) = admin.dicts(f"SHOW WAREHOUSES LIKE 'W_{name}'")
    assert (shown["size"], shown["state"], shown["auto_suspend"], shown["resource_monitor"]) == (
        "X-Small", "SUSPENDED", 60, f"M_{name}",
    )  # fmt: skip
    admin(f"ALTER WAREHOUSE W_{name} RESUME")
    admin(f"ALTER WAREHOUSE W_{name} SET WAREHOUSE_SIZE = MEDIUM")
    (shown,) = admin.dicts(f"SHOW WAREHOUSES LIKE 'W_{name}'")
    assert (shown["size"], shown["state"]) == ("Medium", "STARTED")
    assert admin.dicts(f"SHOW RESOURCE MONITORS LIKE 'M_{name}'")[0]["credit_quota"] == "10"
    with refused(2003, "Resource monitor"):
        admin(f"ALTER WAREHOUSE W_{name} SET RESOURCE_MONITOR = NO_SUCH")
    admin(f"DROP WAREHOUSE W_{name}")
    admin(f"DROP RESOURCE MONITOR M_{name}")
    with refused(2043):
        admin(f"USE WAREHOUSE W_{name}")


def test_convert_timezone_to_utc_keeps_the_instant(admin: Sql, db: str) -> None:
    """As Snowflake: a TIMESTAMP_TZ of the same instant. Another zone, which needs its offset kept, is refused here."""
    moment = "'2020-01-01 00:00:00 +0100'::TIMESTAMP_TZ"
    assert admin.types(f"SELECT CONVERT_TIMEZONE('UTC', {moment}) AS a") == ["TIMESTAMP_TZ"]
    assert admin.value(f"SELECT CONVERT_TIMEZONE('UTC', {moment})::TIMESTAMP_NTZ::VARCHAR AS a").startswith(
        "2019-12-31 23:00"
    )
    with refused(2, "CONVERT_TIMEZONE"):
        admin(f"SELECT CONVERT_TIMEZONE('America/New_York', {moment}) AS a")


def test_a_column_is_dropped(admin: Sql, db: str) -> None:
    """As Snowflake."""
    admin("CREATE TABLE t (a NUMBER, b NUMBER)")
    admin("ALTER TABLE t DROP COLUMN b")
    assert [row[0] for row in admin("DESCRIBE TABLE t")] == ["A"]


def test_a_dynamic_table_is_renamed(admin: Sql, db: str) -> None:
    """As Snowflake: it keeps its kind, its query and its grants."""
    admin("CREATE WAREHOUSE IF NOT EXISTS w_renames")
    admin("CREATE TABLE t AS SELECT 1 AS a")
    admin("CREATE DYNAMIC TABLE d TARGET_LAG = '1 minute' WAREHOUSE = w_renames AS SELECT a FROM t")
    admin("ALTER DYNAMIC TABLE d RENAME TO e")
    assert [row["name"] for row in admin.dicts("SHOW DYNAMIC TABLES IN DATABASE " + db)] == ["E"]
    admin("INSERT INTO t VALUES (2)")
    admin("ALTER DYNAMIC TABLE e REFRESH")
    assert admin.value("SELECT count(*) FROM e") == 2
    with refused(2003):
        admin("SELECT * FROM d")


def test_merge_with_bind_variables_refuses_duplicates(admin: Sql, db: str) -> None:
    """As Snowflake: two source rows for one target row, whether or not the statement has bind variables."""
    admin("CREATE TABLE t AS SELECT 1 AS a, 0 AS b")
    admin("CREATE TABLE s AS SELECT 1 AS a, 5 AS n UNION ALL SELECT 1, 7")
    merge = (
        "MERGE INTO t USING (SELECT * FROM s WHERE n > ?) s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = s.n + ? "
        "WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, ?)"
    )
    with admin.connection.cursor() as cursor:
        with refused(100090):
            cursor.execute(merge, (0, 1, 2), _force_qmark_paramstyle=True)
        cursor.execute(merge, (6, 1, 2), _force_qmark_paramstyle=True)
    assert admin("SELECT a, b FROM t") == [(1, 8)]


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO t VALUES ('2020-01-04 00:00:00-0', '2020-01-04 00:00:00-0'), ('2020-01-05 03:00:00.5+3', '')",
        "INSERT INTO t (said, at) SELECT '2020-01-04 00:00:00-0', '2020-01-04 00:00:00-0' AS a "
        "UNION ALL SELECT '', '2020-01-05 03:00:00.5+3'",
    ],
)
@pytest.mark.parametrize("kind", ["TABLE", "TEMPORARY TABLE"])
def test_offsets_of_one_digit_are_read(admin: Sql, db: str, kind: str, insert: str) -> None:
    """As Snowflake: where a timestamp is wanted; a text stays as it was written."""
    admin(f"CREATE {kind} t (at TIMESTAMP_TZ, said TEXT)")
    admin(insert)
    assert admin("SELECT at = '2020-01-04 00:00:00+00:00'::TIMESTAMP_TZ, said FROM t ORDER BY at") == [
        (True, "2020-01-04 00:00:00-0"), (False, ""),
    ]  # fmt: skip
    assert admin.value("SELECT MAX(at) = '2020-01-05 00:00:00.5-0'::TIMESTAMP_TZ FROM t")


def test_a_null_of_type_array(admin: Sql, db: str) -> None:
    """As Snowflake: an ARRAY, as dbt's contracts ask, which goes with arrays of any elements."""
    assert admin.types("SELECT CAST(NULL AS ARRAY) AS a, NULL::ARRAY AS b, ARRAY_CONSTRUCT(1) AS c") == ["ARRAY"] * 3
    admin("CREATE TABLE t AS SELECT NULL::ARRAY AS a")
    admin("INSERT INTO t SELECT NULL::ARRAY UNION ALL SELECT ARRAY_CONSTRUCT('x')")
    query = "SELECT NULL::ARRAY AS a UNION ALL SELECT COALESCE(NULL::ARRAY, a) FROM t ORDER BY a NULLS LAST"
    assert admin(query) == [('["x"]',), (None,), (None,), (None,)]


def test_a_window_is_ordered_by_chance(admin: Sql, db: str) -> None:
    """As Snowflake: another row each time, and the same one for a seed. DuckDB takes nothing volatile there."""
    admin("CREATE TABLE t AS SELECT SEQ4() AS id FROM TABLE(GENERATOR(ROWCOUNT => 1000))")
    chosen = "SELECT id FROM t AS mine JOIN t USING (id) QUALIFY ROW_NUMBER() OVER (ORDER BY RANDOM({})) = 1"
    assert len({admin(chosen.format(""))[0] for _ in range(8)}) > 1
    assert len({admin(chosen.format(5))[0] for _ in range(8)}) == 1
    assert admin("SELECT COUNT(*) FROM (SELECT ROW_NUMBER() OVER (ORDER BY RANDOM()) AS n FROM t) WHERE n > 990") == [
        (10,)
    ]
