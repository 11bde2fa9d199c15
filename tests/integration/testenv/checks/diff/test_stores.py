"""Postgres, Snowflake and S3 tell the same differences as the definition, and hash equal values alike."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.integration.testenv.conftest import World

from testenv.backends.aws import client
from testenv.backends.postgres_server import Server
from testenv.backends.protocol import Site
from testenv.backends.snowflake import Account, run
from testenv.checks.diff import PostgresTable, Rules, SnowflakeTable, diff, files, fingerprint, mismatches
from testenv.core.contract import Tolerance
from testenv.core.errors import NotFound
from testenv.core.resources import System


@pytest.fixture(scope="module")
def postgres(world: World) -> Iterator[Any]:
    """A session whose temporary tables are the test's own."""
    with Server(world.config).control() as connection:
        yield connection


@pytest.fixture
def snowflake(world: World, site: Site) -> Iterator[Any]:
    """A session as an environment's user, in its database."""
    world.ensure(site, System.SNOWFLAKE)
    login, names = world.vault.credentials(site.spec.env_id, System.SNOWFLAKE), site.names
    where = {"role": names.snowflake_role, "warehouse": site.spec.warehouse, "database": names.snowflake_database}
    with Account(world.config).connect(login, str(site.spec.env_id), **where, schema="RAW") as connection:
        yield connection


def execute(connection: Any, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def pair(connection: Any, kind: str, one: str, other: str) -> tuple[PostgresTable, PostgresTable]:
    """Two tables of one row, whose only value is given as SQL."""
    for name, value in (("one", one), ("other", other)):
        execute(
            connection,
            f"DROP TABLE IF EXISTS pg_temp.{name}",
            f"CREATE TEMP TABLE {name} (id bigint, value {kind})",
            f"INSERT INTO {name} VALUES (1, {value})",
        )
    return PostgresTable(connection, "one"), PostgresTable(connection, "other")


def two_tables(run_sql: Callable[[str], Any], kind: str, series: str) -> None:
    """3,000 payments; in the other table 3 changed, 20 gone, one twice and 2 new."""
    amount = "CAST(CASE WHEN {} THEN {} END AS NUMERIC(12, 2)) AS AMOUNT"
    some = amount.format("MOD(N, 3) > 0", "N * 1.5")
    other = amount.format("ID IN (7, 9, 1000) THEN 0.25 WHEN TRUE", "AMOUNT")
    run_sql(f"CREATE {kind} TABLE BASE_P AS SELECT N AS ID, {some}, 'note ' || N AS NOTE FROM {series}")
    run_sql(
        f"CREATE {kind} TABLE HEAD_P AS SELECT ID, {other}, CASE WHEN ID = 7 THEN NULL ELSE NOTE END AS NOTE "
        "FROM BASE_P WHERE NOT (ID > 2000 AND ID <= 2020)"
    )
    run_sql("INSERT INTO HEAD_P SELECT * FROM HEAD_P WHERE ID = 5")
    run_sql("INSERT INTO HEAD_P VALUES (4000, 1, 'new'), (NULL, 1, 'new')")


def check(found: Any) -> None:
    assert (found.base_rows, found.head_rows, found.alike) == (3000, 2983, 0)
    assert (found.changed, found.only_in_base, found.only_in_head) == (3, 20, 3)
    assert found.duplicates == (0, 1)
    assert {name.lower(): number for name, number in found.by_column.items()} == {"amount": 3, "note": 1}
    keys: dict[str, list[Any]] = {}
    for each in found.examples:
        keys.setdefault(each.kind, []).append(None if each.key[0] is None else int(each.key[0]))
    assert keys == {
        "changed": [7, 9],
        "only in base": [2001, 2002],
        "only in head": [None, 5],
        "duplicate in head": [5],
    }


def test_postgres_tells_what_differs(postgres: Any) -> None:
    two_tables(lambda statement: execute(postgres, statement), "TEMP", "generate_series(1::bigint, 3000) AS series (N)")
    base, head = PostgresTable(postgres, "base_p"), PostgresTable(postgres, "head_p")
    check(diff(base, head, Rules(("id",)), examples=2))
    without_key = diff(base, head)
    assert (without_key.only_in_base, without_key.only_in_head, without_key.changed) == (23, 6, 0)
    assert diff(base, base, Rules(("id",))).is_empty
    [told] = mismatches({"p": fingerprint(base)}, {"p": fingerprint(head)})
    assert (told.rows, told.columns) == ((3000, 2983), ("amount", "id", "note"))


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("double precision", "'-0'", "0"),
        ("double precision", "'NaN'", "'NaN'::float8 * -1"),
        ("numeric", "1.50", "1.5"),
        ("timestamptz", "'2026-01-02 12:00+00'", "'2026-01-02 13:00+01'"),
        ("char(5)", "'a'", "'a  '"),
        ("jsonb", """'{"a": 1, "b": [2]}'""", """'{"b": [2], "a": 1.0}'"""),
        ("date", "'infinity'", "'infinity'"),
    ],
)
def test_postgres_hashes_equal_values_alike(postgres: Any, kind: str, one: str, other: str) -> None:
    first, second = pair(postgres, kind, one, other)
    assert fingerprint(first) == fingerprint(second)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("bigint", "4294967297", "8589934594"),  # Postgres's own hash of bigint takes these for one
        ("timestamptz", "'2026-01-02 12:00:00.000001+00'", "'2026-01-02 12:00+00'"),
        ("boolean", "NULL", "false"),
        ("text", "''", "NULL"),
        ("bytea", "'\\x00'", "'\\x0000'"),
        ("integer[]", "'{1,NULL}'", "'{NULL,1}'"),
        ("uuid", "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"),
        ("interval", "'1 day'", "'24 hours'"),
        ("date", "'2026-01-02'", "'2026-01-03'"),
        ("timestamp", "'2026-01-02'", "'infinity'"),
    ],
)
def test_postgres_tells_values_apart(postgres: Any, kind: str, one: str, other: str) -> None:
    first, second = pair(postgres, kind, one, other)
    found = diff(first, second, Rules(("id",)))
    assert (found.changed, found.by_column) == (1, {"value": 1})


@pytest.mark.parametrize("kind", ["bigint", "timestamptz", "date"])
def test_older_servers_hash_whole_values_too(postgres: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"bigint": ("4294967297", "8589934594"), "date": ("'2026-01-02'", "'2026-01-03'")}
    one, other = values.get(kind, ("'2026-01-02 12:00+00'", "'2026-01-02 12:00:00.000001+00'"))
    tables = pair(postgres, kind, one, other)
    for each in tables:
        monkeypatch.setattr(each, "_release", 140000)
    assert diff(*tables, Rules(("id",))).changed == 1
    assert fingerprint(tables[0]).columns["value"] != fingerprint(tables[1]).columns["value"]


def test_postgres_within_a_tolerance(postgres: Any) -> None:
    tables = pair(postgres, "numeric(12, 2)", "100.00", "100.01")
    assert diff(*tables, Rules(("id",), tolerances={"value": Tolerance(absolute=0.015)})).alike == 1
    assert diff(*tables, Rules(("id",), tolerances={"value": Tolerance(absolute=0.005)})).changed == 1


def test_a_table_that_is_not_there(postgres: Any) -> None:
    with pytest.raises(NotFound, match="no table nowhere"):
        fingerprint(PostgresTable(postgres, "nowhere"))


def test_snowflake_tells_what_differs(snowflake: Any) -> None:
    numbers = "(SELECT ROW_NUMBER() OVER (ORDER BY 1) AS N FROM TABLE(GENERATOR(ROWCOUNT => 3000)))"
    two_tables(lambda statement: run(snowflake, statement), "", numbers)
    base, head = SnowflakeTable(snowflake, "RAW.BASE_P"), SnowflakeTable(snowflake, "RAW.HEAD_P")
    check(diff(base, head, Rules(("ID",)), examples=2))
    assert diff(base, base, Rules(("ID",))).is_empty
    assert diff(base, head).only_in_base == 23
    [told] = mismatches({"p": fingerprint(base)}, {"p": fingerprint(head)})
    assert (told.rows, told.columns) == ((3000, 2983), ("AMOUNT", "ID", "NOTE"))
    kinds = "ID INT, F FLOAT, D DATE, Z TIMESTAMP_TZ, T TIMESTAMP_NTZ, B BOOLEAN, X BINARY, V VARIANT"
    for name, zero, instant in (("ONE", "-0.0", "12:00:00 +00:00"), ("OTHER", "0.0", "13:00:00 +01:00")):
        run(snowflake, f"CREATE TABLE {name} ({kinds})")
        run(
            snowflake,
            f"INSERT INTO {name} SELECT 1, {zero}::FLOAT, '2026-01-02'::DATE, '2026-01-02 {instant}'::TIMESTAMP_TZ, "
            "'2026-01-02 12:00:00'::TIMESTAMP_NTZ, TRUE, TO_BINARY('AB', 'HEX'), PARSE_JSON('{\"a\": [1]}')",
        )
    one, other = (SnowflakeTable(snowflake, f"RAW.{name}") for name in ("ONE", "OTHER"))
    assert fingerprint(one) == fingerprint(other)
    run(snowflake, "UPDATE OTHER SET V = PARSE_JSON('{\"a\": [2]}'), T = NULL")
    assert diff(one, other, Rules(("ID",))).by_column == {"T": 1, "V": 1}


def test_files_below_a_prefix_of_s3(world: World) -> None:
    s3, prefix = client("s3", world.config), f"env/sbx-t{secrets.token_hex(4)}/lake"
    for side, amount in (("base", "1.5"), ("head", "1.6")):
        for part, rows in enumerate(("1,7\n", f"2,{amount}\n")):
            s3.put_object(
                Bucket=world.config.bucket, Key=f"{prefix}/{side}/{part}.csv", Body=f"id,amount\n{rows}".encode()
            )
    base, head = (files(f"s3://{world.config.bucket}/{prefix}/{side}/", "csv") for side in ("base", "head"))
    found = diff(base, head, Rules(("id",)))
    assert (found.base_rows, found.changed, found.examples[0].key) == (2, 1, ("2",))
