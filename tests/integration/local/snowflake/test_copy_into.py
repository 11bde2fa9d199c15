"""Stages on S3 and COPY INTO. Each docstring says whether the real Snowflake does the same."""

import datetime
import decimal
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector.errors import ProgrammingError
from tests.integration.local.snowflake.support import BUCKET, Sql, User, refused

PARQUET = "FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
NOTHING = [("Copy executed with 0 files processed.",)]


@pytest.fixture
def put(bucket: Any, name: str) -> Any:
    """Writes an object under this test's own prefix."""

    def write(key: str, body: bytes | pa.Table) -> None:
        if isinstance(body, pa.Table):
            buffer = io.BytesIO()
            pq.write_table(body, buffer)
            body = buffer.getvalue()
        bucket.put_object(Key=f"{name}/{key}", Body=body)

    return write


@pytest.fixture
def stage(admin: Sql, db: str, name: str) -> str:
    """A stage at this test's prefix, in the current schema."""
    admin(f"CREATE STORAGE INTEGRATION IF NOT EXISTS LAKE TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
          "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/lake' "
          f"STORAGE_ALLOWED_LOCATIONS = ('s3://{BUCKET}/')")  # fmt: skip
    admin(f"CREATE STAGE LAKE URL = 's3://{BUCKET}/{name}/' STORAGE_INTEGRATION = LAKE")
    return f"{db}.PUBLIC.LAKE"


def test_parquet_by_column_name(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake: columns matched without regard to case or order; NULL where the file has none."""
    admin("CREATE TABLE t (id NUMBER(10,0), amount NUMBER(18,2), at TIMESTAMP_NTZ, missing VARCHAR, tags VARIANT)")
    put("t/a.parquet", pa.table({
        "AMOUNT": pa.array([decimal.Decimal("-1.50"), None], pa.decimal128(10, 2)), "extra": ["x", "y"],
        "Id": [1, 2], "at": [datetime.datetime(2024, 2, 29, 23, 59, 59), None], "tags": [["é"], None]}))  # fmt: skip
    assert admin(f"COPY INTO t FROM @LAKE/t/ {PARQUET}")[0][1:4] == ("LOADED", 2, 2)
    assert admin("SELECT id, amount, at, missing, tags[0]::VARCHAR FROM t ORDER BY id") == [
        (1, decimal.Decimal("-1.50"), datetime.datetime(2024, 2, 29, 23, 59, 59), None, "é"),
        (2, None, None, None, None),
    ]  # fmt: skip


def test_a_file_is_loaded_once(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake: COPY remembers files per table, by name and content; FORCE and TRUNCATE load again."""
    admin("CREATE TABLE t (a NUMBER)")
    put("a.parquet", pa.table({"a": [1]}))
    copy = f"COPY INTO t FROM @{stage} {PARQUET}"
    assert len(admin(copy)) == 1
    assert admin(copy) == NOTHING
    put("b.parquet", pa.table({"a": [2]}))
    assert [row[0] for row in admin(copy)] == [f"s3://{BUCKET}/{admin_prefix(admin, stage)}b.parquet"]
    assert admin("SELECT a FROM t ORDER BY a") == [(1,), (2,)]
    put("a.parquet", pa.table({"a": [3]}))
    admin(copy)
    assert admin("SELECT a FROM t ORDER BY a") == [(1,), (2,), (3,)]
    admin(f"{copy} FORCE = TRUE")
    assert admin("SELECT count(*) FROM t") == [(5,)]
    admin("TRUNCATE TABLE t")
    assert len(admin(copy)) == 2
    admin("CREATE OR REPLACE TABLE t (a NUMBER)")
    assert len(admin(copy)) == 2
    assert admin("SELECT count(*) FROM INFORMATION_SCHEMA.LOAD_HISTORY WHERE table_name = 'T'") == [(2,)]


def admin_prefix(admin: Sql, stage: str) -> str:
    """The part of a stage's URL after the bucket."""
    return str(admin.dicts(f"SHOW STAGES LIKE '{stage.split('.')[2]}'")[0]["url"]).removeprefix(f"s3://{BUCKET}/")


def test_clone_loads_the_files_again(admin: Sql, db: str, stage: str, put: Any) -> None:
    """As Snowflake: a clone has the data and the stage, and no load history."""
    admin("CREATE TABLE t (a NUMBER)")
    put("a.parquet", pa.table({"a": [1]}))
    admin(f"COPY INTO t FROM @LAKE {PARQUET}")
    admin(f"CREATE DATABASE {db}_C CLONE {db}")
    assert len(admin(f"COPY INTO t FROM @LAKE {PARQUET}")) == 1
    assert admin("SELECT count(*) FROM t") == [(2,)]
    admin(f"DROP DATABASE {db}_C")


def test_all_files_or_none(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake with ON_ERROR = ABORT_STATEMENT: a bad value in the last file undoes the first."""
    admin("CREATE TABLE t (a NUMBER)")
    put("1.csv", b"1\n2\n")
    put("2.csv", b"3\nthree\n")
    copy = "COPY INTO t FROM @LAKE FILE_FORMAT = (TYPE = CSV) ON_ERROR = ABORT_STATEMENT"
    with refused(100038, "2.csv"):
        admin(copy)
    assert admin("SELECT count(*) FROM t") == [(0,)]
    put("2.csv", b"3\n")
    assert len(admin(copy)) == 2


def test_copy_within_a_transaction(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake: ROLLBACK undoes the load and forgets that it was."""
    admin("CREATE TABLE t (a NUMBER)")
    put("1.csv", b"1\n")
    copy = "COPY INTO t FROM @LAKE FILE_FORMAT = (TYPE = CSV)"
    admin("BEGIN")
    admin(copy)
    admin("ROLLBACK")
    assert admin("SELECT count(*) FROM t") == [(0,)]
    assert len(admin(copy)) == 1


def test_csv(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake: delimiter, header, quotes, NULL_IF, empty fields, gzip; a column too few is an error."""
    admin("CREATE TABLE t (id NUMBER, name VARCHAR, at DATE, note VARCHAR)")
    body = 'id|name|at|note\n1|"Zoë | ""Z"""|2024-02-29|\n2|NULL|1900-01-01|""\n'
    put("ok.csv.gz", gzip.compress(body.encode()))
    put("short.csv", b"id|name\n3|x\n")
    options = ("FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = '|' SKIP_HEADER = 1 FIELD_OPTIONALLY_ENCLOSED_BY = '\"' "
               "NULL_IF = ('NULL'))")  # fmt: skip
    admin(f"COPY INTO t FROM @LAKE/ok.csv.gz {options}")
    assert admin("SELECT * FROM t ORDER BY id") == [
        (1, 'Zoë | "Z"', datetime.date(2024, 2, 29), None), (2, None, datetime.date(1900, 1, 1), ""),
    ]  # fmt: skip
    with refused(100038, "short.csv"):
        admin(f"COPY INTO t FROM @LAKE/short.csv {options}")


def test_csv_by_header(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake: PARSE_HEADER with MATCH_BY_COLUMN_NAME."""
    admin("CREATE TABLE t (a NUMBER, b VARCHAR)")
    put("h.csv", b"B,extra,A\nx,?,1\n")
    admin(
        "COPY INTO t FROM @LAKE FILE_FORMAT = (TYPE = CSV PARSE_HEADER = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    )
    assert admin("SELECT a, b FROM t") == [(1, "x")]


def test_json(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake: one VARIANT a row, by column name, an outer array stripped, and by query."""
    rows = [{"id": 1, "who": {"name": "Ann"}}, {"id": 2, "who": None}]
    put("lines/a.json", "\n".join(json.dumps(row) for row in rows).encode())
    put("array/a.json", json.dumps(rows).encode())
    admin("CREATE TABLE v (v VARIANT)")
    admin("COPY INTO v FROM @LAKE/lines/ FILE_FORMAT = (TYPE = JSON)")
    assert admin("SELECT v:id::NUMBER, v:who.name::VARCHAR FROM v ORDER BY 1") == [(1, "Ann"), (2, None)]
    admin("COPY INTO v FROM @LAKE/array/ FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE)")
    assert admin("SELECT count(*) FROM v") == [(4,)]
    admin("CREATE TABLE n (ID NUMBER, WHO VARIANT)")
    admin("COPY INTO n FROM @LAKE/lines/ FILE_FORMAT = (TYPE = JSON) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    assert admin("SELECT id, who:name::VARCHAR FROM n ORDER BY 1") == [(1, "Ann"), (2, None)]
    admin("CREATE TABLE q (n VARCHAR, f VARCHAR)")
    admin("COPY INTO q (n, f) FROM (SELECT $1:who.name::VARCHAR, METADATA$FILENAME FROM @LAKE/lines/) "
          "FILE_FORMAT = (TYPE = JSON)")  # fmt: skip
    assert {row[0] for row in admin("SELECT n FROM q")} == {"Ann", None}
    assert admin("SELECT count(DISTINCT f) FROM q") == [(1,)]


def test_pattern_files_and_prefix(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake: PATTERN matches the whole path, FILES are names, the path of the stage is a prefix."""
    admin("CREATE TABLE t (a NUMBER)")
    for i, key in enumerate(("in/part-1.csv", "in/part-2.csv", "in/_SUCCESS", "inner/part-3.csv")):
        put(key, f"{i}\n".encode() if key.endswith("csv") else b"")
    csv = "FILE_FORMAT = (TYPE = CSV)"
    admin(f"COPY INTO t FROM @LAKE/in/ {csv} PATTERN = '.*part-[12][.]csv'")
    assert admin("SELECT a FROM t ORDER BY a") == [(0,), (1,)]
    assert admin(f"COPY INTO t FROM @LAKE/in/ {csv} PATTERN = 'part-.*'") == NOTHING
    admin(f"COPY INTO t FROM @LAKE/inner {csv} FILES = ('part-3.csv')")
    assert admin.value("SELECT count(*) FROM t") == 3
    assert admin(f"COPY INTO t FROM @LAKE/inner {csv} FILES = ('part-3.csv')")[0][1] == "LOAD_SKIPPED"
    with refused(91016):
        admin(f"COPY INTO t FROM @LAKE/inner {csv} FILES = ('absent.csv')")


def test_list(admin: Sql, stage: str, put: Any, name: str) -> None:
    """As Snowflake: name, size, MD5 and time of each file under a path."""
    put("a/1.csv", b"1\n")
    put("b/2.csv", b"22\n")
    rows = admin(f"LIST @{stage}/a")
    assert [row[:2] for row in rows] == [(f"s3://{BUCKET}/{name}/a/1.csv", 2)]
    assert len(admin("LS @LAKE")) == 2
    assert len(admin("LIST @LAKE PATTERN = '.*2[.]csv'")) == 1
    admin("REMOVE @LAKE/a")
    assert len(admin("LIST @LAKE")) == 1


def test_stage_outside_the_integration_is_refused(admin: Sql, db: str, name: str) -> None:
    """As Snowflake: 3150 for a location that STORAGE_ALLOWED_LOCATIONS does not cover, or that is blocked. (The
    stand-in wants an integration always.)"""
    admin(f"CREATE STORAGE INTEGRATION I_{name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
          f"STORAGE_ALLOWED_LOCATIONS = ('s3://{BUCKET}/mine/') "
          f"STORAGE_BLOCKED_LOCATIONS = ('s3://{BUCKET}/mine/no/')")  # fmt: skip
    for url in ("s3://other/mine/", f"s3://{BUCKET}/", f"s3://{BUCKET}/mine2/", f"s3://{BUCKET}/mine/no/x/"):
        with refused(3150):
            admin(f"CREATE STAGE s URL = '{url}' STORAGE_INTEGRATION = I_{name}")
    with refused(3150):
        admin(f"CREATE STAGE s URL = 's3://{BUCKET}/mine/'")
    with refused(2003, "Integration"):
        admin(f"CREATE STAGE s URL = 's3://{BUCKET}/mine/' STORAGE_INTEGRATION = no_such")
    assert admin("SHOW STAGES") == []
    admin(f"CREATE STAGE s URL = 's3://{BUCKET}/mine/x' STORAGE_INTEGRATION = I_{name}")
    admin(f"ALTER STORAGE INTEGRATION I_{name} SET ENABLED = FALSE")
    with refused(3150):
        admin("LIST @s")
    admin(f"DROP INTEGRATION I_{name}")


def test_stage_and_table_need_privileges(admin: Sql, user: User, db: str, stage: str, put: Any) -> None:
    """As Snowflake: USAGE of an external stage, INSERT into the table."""
    admin("CREATE TABLE t (a NUMBER)")
    put("a.csv", b"1\n")
    for grant in (f"DATABASE {db}", f"SCHEMA {db}.PUBLIC"):
        admin(f"GRANT USAGE ON {grant} TO ROLE {user.role}")
    copy = f"COPY INTO {db}.PUBLIC.t FROM @{stage} FILE_FORMAT = (TYPE = CSV)"
    admin(f"GRANT INSERT ON TABLE t TO ROLE {user.role}")
    for statement in (copy, f"LIST @{stage}"):
        with refused(2003, "Stage"):
            user.sql(statement)
    admin(f"GRANT USAGE ON STAGE {stage} TO ROLE {user.role}")
    assert len(user.sql(copy)) == 1
    admin(f"REVOKE INSERT ON TABLE t FROM ROLE {user.role}")
    with refused(2003):
        user.sql(f"{copy} FORCE = TRUE")
    with refused(3001):
        user.sql(f"DROP STAGE {stage}")
    with refused(3001):
        user.sql(f"CREATE STAGE {db}.PUBLIC.mine URL = 's3://{BUCKET}/' STORAGE_INTEGRATION = LAKE")


@pytest.mark.parametrize(
    "copy",
    [
        "COPY INTO t FROM @LAKE FILE_FORMAT = (TYPE = CSV) ON_ERROR = CONTINUE",
        "COPY INTO t FROM @LAKE FILE_FORMAT = (TYPE = CSV) VALIDATION_MODE = RETURN_ERRORS",
        "COPY INTO t FROM @LAKE FILE_FORMAT = (TYPE = AVRO)",
        "COPY INTO t FROM @LAKE FILE_FORMAT = (TYPE = CSV DATE_FORMAT = 'DD.MM.YYYY')",
        "COPY INTO t FROM 's3://bucket/x' FILE_FORMAT = (TYPE = CSV)",
        "COPY INTO @LAKE/out FROM t FILE_FORMAT = (TYPE = CSV)",
        "COPY INTO t FROM @%t FILE_FORMAT = (TYPE = CSV)",
    ],
)
def test_what_copy_cannot_do_is_refused(admin: Sql, stage: str, put: Any, copy: str) -> None:
    """Snowflake does these; here they are refused, never ignored."""
    admin("CREATE TABLE t (a NUMBER)")
    put("a.csv", b"1\n")
    with pytest.raises(ProgrammingError) as caught:
        admin(copy)
    assert caught.value.errno in (2, 1003), caught.value
    assert admin("SELECT count(*) FROM t") == [(0,)]


def test_parquet_needs_matching_or_one_variant(admin: Sql, stage: str, put: Any) -> None:
    """As Snowflake: 2019 without MATCH_BY_COLUMN_NAME, unless the table is one VARIANT."""
    put("a.parquet", pa.table({"a": [1], "b": ["x"]}))
    admin("CREATE TABLE t (a NUMBER, b VARCHAR)")
    with refused(2019):
        admin("COPY INTO t FROM @LAKE FILE_FORMAT = (TYPE = PARQUET)")
    admin("CREATE TABLE v (v VARIANT)")
    admin("COPY INTO v FROM @LAKE FILE_FORMAT = (TYPE = PARQUET)")
    assert admin("SELECT v:a::NUMBER, v:b::VARCHAR FROM v") == [(1, "x")]


def test_internal_stage(admin: Sql, db: str, tmp_path: Any) -> None:
    """As Snowflake: PUT to a named internal stage, COPY with PURGE from it."""
    admin("CREATE TABLE t (a NUMBER, b VARCHAR)")
    admin("CREATE STAGE s")
    (tmp_path / "x.csv").write_text("1,é\n")
    admin(f"PUT 'file://{tmp_path}/x.csv' @s")
    assert admin("LIST @s")[0][0] == "s/x.csv.gz"
    admin("COPY INTO t FROM @s FILE_FORMAT = (TYPE = CSV) PURGE = TRUE")
    assert admin("SELECT a, b FROM t") == [(1, "é")]
    assert admin("LIST @s") == []


def test_load_by_temporary_table_and_merge(admin: Sql, user: User, db: str, stage: str, put: Any) -> None:
    """As Snowflake: the way a pipeline loads, as a role that owns the table and may use the stage; twice is as once."""
    admin("CREATE TABLE t (id NUMBER(10,0) NOT NULL, amount NUMBER(18,2), updated_at TIMESTAMP_NTZ)")
    for grant in (f"USAGE ON DATABASE {db}", f"USAGE ON SCHEMA {db}.PUBLIC", f"USAGE ON STAGE {stage}"):
        admin(f"GRANT {grant} TO ROLE {user.role}")
    admin(f"GRANT OWNERSHIP ON ALL TABLES IN DATABASE {db} TO ROLE {user.role} COPY CURRENT GRANTS")
    times = [datetime.datetime(2024, 2, 29, hour) for hour in (1, 2)]
    put("raw/1.parquet", pa.table({"id": [1, 2], "amount": ["1.50", "-2"], "updated_at": times}))
    sql = user.sql
    sql(f"USE SCHEMA {db}.PUBLIC")
    for _ in range(2):
        sql("CREATE OR REPLACE TEMPORARY TABLE PUBLIC.t_delta LIKE PUBLIC.t")
        sql(f"COPY INTO PUBLIC.t_delta FROM @PUBLIC.LAKE/raw/ {PARQUET} FORCE = TRUE")
        sql("MERGE INTO PUBLIC.t AS target USING PUBLIC.t_delta AS delta ON target.id = delta.id "
            "WHEN MATCHED AND delta.updated_at >= target.updated_at THEN UPDATE SET amount = delta.amount "
            "WHEN NOT MATCHED THEN INSERT (id, amount, updated_at) "
            "VALUES (delta.id, delta.amount, delta.updated_at)")  # fmt: skip
        sql("DROP TABLE PUBLIC.t_delta")
    sql("BEGIN")
    sql("DELETE FROM PUBLIC.t WHERE updated_at::DATE = '2024-02-29'::DATE AND id = 2")
    sql(f"COPY INTO PUBLIC.t FROM @PUBLIC.LAKE/raw/ {PARQUET} FORCE = TRUE")
    sql("COMMIT")
    assert sql("SELECT id, amount::VARCHAR FROM PUBLIC.t ORDER BY id, updated_at") == [
        (1, "1.50"), (1, "1.50"), (2, "-2.00"),
    ]  # fmt: skip
