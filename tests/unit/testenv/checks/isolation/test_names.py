"""Names that stand in code, by the kind of file; and none where a name comes from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from testenv.checks.impact.layout import read_layout
from testenv.checks.impact.trees import tree_at
from testenv.checks.isolation.check import _all_places, hard_coded
from testenv.checks.isolation.code import Place, places
from testenv.checks.isolation.names import REMEDIES, Known
from testenv.checks.protocol import Severity

REPO = Path(__file__).parents[5]
KNOWN = Known(
    frozenset({"RAW", "MARTS"}),
    frozenset({"card_events"}),
    frozenset({"FINSIGHT", "FINSIGHT_WH", "finsight-production"}),
)


def rules(path: str, text: str) -> set[tuple[str, str]]:
    return {(each.rule.removeprefix("hard-coded-"), each.name) for each in places(path, text, KNOWN)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("INSERT INTO FINSIGHT_PROD.RAW.X SELECT 1", {("database", "FINSIGHT_PROD.RAW")}),
        ("MERGE INTO FINSIGHT.RAW.CARD_EVENTS AS target USING d", {("database", "FINSIGHT.RAW")}),
        ('select * from "ANY_DB"."S".t', {("database", "ANY_DB.S")}),
        ("SELECT * FROM OTHER..T", {("database", "OTHER.PUBLIC")}),
        ("COPY INTO RAW.T FROM @FINSIGHT.RAW.LAKE/raw/", {("database", "FINSIGHT.RAW")}),
        ("SELECT FINSIGHT.RAW.T.A FROM T", {("database", "FINSIGHT.RAW")}),
        ("USE DATABASE ELSEWHERE;", {("database", "ELSEWHERE")}),
        ("USE WAREHOUSE FINSIGHT_WH;", {("warehouse", "FINSIGHT_WH"), ("production-name", "FINSIGHT_WH")}),
        ("USE ROLE SYSADMIN", {("account", "SYSADMIN")}),
        ("COPY INTO 's3://some-bucket/x/' FROM RAW.T", {("bucket", "s3://some-bucket")}),
        ("{{ config(database='FINSIGHT') }} select 1", {("database", "FINSIGHT")}),
    ],
)
def test_sql_that_names_what_is_elsewhere(text: str, found: set[tuple[str, str]]) -> None:
    assert rules("m.sql", text) == found


@pytest.mark.parametrize(
    "text",
    [
        "MERGE INTO RAW.CARD_EVENTS AS target USING {{ delta }} AS d ON target.k = d.k",
        "-- FINSIGHT.RAW.X\nSELECT 1 /* FROM A.RAW.C */ {# s3://bucket #}",
        "SELECT 'FROM A.RAW.B' AS words FROM RAW.T",
        "SELECT * FROM {{ var.value.database }}.RAW.T",
        "select * from {{ ref('a') }} join {{ source('raw', 'b') }} using (id)",
        "SELECT T.V:a.b.c, T.A FROM RAW.T",
        "SELECT * FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY",
        "COPY INTO RAW.T FROM @RAW.LAKE/raw/{{ params.table }}/ FILE_FORMAT = (TYPE = PARQUET)",
        "{{ config(schema='MARTS', materialized='table') }} select 1",
    ],
)
def test_sql_that_names_nothing(text: str) -> None:
    assert rules("m.sql", text) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('spark.read.parquet("s3a://finsight-production/x")',
         {("bucket", "s3a://finsight-production"), ("production-name", "finsight-production")}),
        ('hook.load_file(p, "k", bucket_name="a-bucket")', {("bucket", "a-bucket")}),
        ('options = {"subscribe": "card_events"}', {("topic", "card_events")}),
        ('reader.option("subscribe", "te.ci-other.card_events")',
         {("topic", "te.ci-other.card_events"), ("environment", "te.ci-other.card_events")}),
        ('o["kafka.bootstrap.servers"] = "b-1.f.kafka.eu-central-1.amazonaws.com:9096"',
         {("host", "b-1.f.kafka.eu-central-1.amazonaws.com:9096")}),
        ('connect(host="10.0.0.1")', {("host", "10.0.0.1")}),
        ('connect("postgresql://finsight:correct-horse@db.finsight.example:5432/finsight")',
         {("credentials", "postgresql://finsight:…@db.finsight.example:5432/finsight"),
          ("host", "postgresql://finsight:…@db.finsight.example:5432/finsight")}),
        ('connect(user=u, password="hunter2")', {("credentials", "…")}),
        ('KEY = "AKIAABCDEFGHIJKLMNOP"', {("credentials", "AKIA…")}),
        ('run(f"INSERT INTO FINSIGHT_PROD.RAW.X VALUES ({n})")', {("database", "FINSIGHT_PROD.RAW")}),
        ('table = "FINSIGHT.RAW.PAYMENTS"', {("database", "FINSIGHT.RAW")}),
        ('session.sql("USE WAREHOUSE BIG")', {("warehouse", "BIG")}),
        ('role = "arn:aws:iam::123456789012:role/x"', {("account", "123456789012")}),
        ('connect(database="FINSIGHT", warehouse="WH")', {("database", "FINSIGHT"), ("warehouse", "WH")}),
        ('PREFIX = "te-sbx-a"', {("environment", "te-sbx-a")}),
    ],
)  # fmt: skip
def test_python_that_names_what_is_elsewhere(text: str, found: set[tuple[str, str]]) -> None:
    assert rules("dags/a.py", text) == found


@pytest.mark.parametrize(
    "text",
    [
        '"""Reads s3://finsight-production/x and FINSIGHT.RAW.X."""',
        'LAKE = "{{ var.value.lake_url }}"\nLANDING = LAKE + "raw/"',
        'path = f"s3://{bucket}/raw/"',
        'run(f"SELECT * FROM {database}.RAW.T")',
        'hook.load_file(p, "{{ var.value.lake_url }}x", bucket_name=bucket)',
        'PostgresHook("finsight_postgres").get_conn()',
        'tags=["finsight", "kafka"]',
        'options = {"subscribe": args.topic, "kafka.bootstrap.servers": login["bootstrap.servers"]}',
        'drain_topic(topic="payment_events")',
        'names = {"bootstrap.servers": "kafka.bootstrap.servers"}',
        'password = Variable.get("x")',
        'url = "https://docs.python.org/3/"',
        "def broken(:",
    ],
)
def test_python_that_names_nothing(text: str) -> None:
    assert rules("dags/a.py", text) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("models:\n  m:\n    +database: FINSIGHT\n", {("database", "FINSIGHT")}),
        ("sources:\n  - name: raw\n    database: FINSIGHT\n", {("database", "FINSIGHT")}),
        ("o: {account: ab12345, password: hunter2}", {("account", "ab12345"), ("credentials", "…")}),
        ("database: \"{{ env_var('DB') }}\"\nwarehouse: \"{{ var('w') }}\"", set()),
        ("description: reads s3://finsight-production/", set()),
    ],
)
def test_yaml(text: str, found: set[tuple[str, str]]) -> None:
    assert rules("dbt/p.yml", text) == found


def test_the_line_is_told() -> None:
    [found] = places("m.sql", "SELECT 1;\n\nSELECT * FROM A.RAW.T\n", KNOWN)
    assert (found.line, found.name) == (3, "A.RAW")


def test_the_estate_names_nothing() -> None:
    files = tree_at(REPO)
    assert _all_places(files, read_layout(files), KNOWN) == []


def test_what_base_had_is_a_warning_where_it_stood_or_moved_from() -> None:
    old = Place("a.sql", "hard-coded-database", "A.RAW", 1)
    moved = Place("b.sql", "hard-coded-database", "A.RAW", 9)
    copied = [old, moved]
    assert [each.severity for each in hard_coded([old], [Place("a.sql", old.rule, old.name, 7)])] == [Severity.WARNING]
    assert [each.severity for each in hard_coded([old], [moved])] == [Severity.WARNING]
    assert [each.severity for each in hard_coded([old], copied)] == [Severity.WARNING, Severity.BREAKING]
    assert [each.severity for each in hard_coded([], [old])] == [Severity.BREAKING]


def test_every_rule_has_a_remedy() -> None:
    named = {f"hard-coded-{each}" for each in ("database", "bucket", "topic", "host", "account", "credentials")}
    assert named | {"hard-coded-environment", "hard-coded-warehouse", "production-name"} == set(REMEDIES)
