"""Types by what they hold, rules by what passes them, names by their likeness, rows and queries by what is run."""

from __future__ import annotations

from typing import Any

import pytest

from testenv.checks.schema.names import renames
from testenv.checks.schema.rows import Shape, prove_query, prove_row, prove_rows
from testenv.checks.schema.rules import rule_changes
from testenv.checks.schema.sqltypes import holds, parse_type
from testenv.checks.schema.tables import columns_of
from testenv.core.contract import Rule


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("INTEGER", "NUMBER(38,0)"),
        ("number", "decimal(38, 0)"),
        ("STRING", "VARCHAR(16777216)"),
        ("DATETIME", "TIMESTAMP_NTZ(9)"),
        ("double precision", "FLOAT"),
        ("timestamp(3) without time zone", "timestamp_ntz(3)"),
        ("char", "VARCHAR(1)"),
    ],
)
def test_synonyms_are_one_type(one: str, other: str) -> None:
    assert parse_type(one, snowflake=True) == parse_type(other, snowflake=True)


@pytest.mark.parametrize(
    ("old", "new", "held"),
    [
        ("integer", "bigint", True),
        ("bigint", "integer", False),
        ("bigint", "numeric(18,0)", False),
        ("bigint", "numeric(19,0)", True),
        ("numeric(10,2)", "numeric", True),
        ("numeric", "numeric(38,10)", False),
        ("varchar(10)", "text", True),
        ("text", "varchar(10)", False),
        ("real", "double precision", True),
        ("double precision", "real", False),
        ("date", "timestamp", True),
        ("timestamp", "date", False),
        ("timestamp", "timestamptz", False),
        ("integer", "double precision", True),
        ("bigint", "double precision", False),
        ("boolean", "integer", False),
        ("boolean", "jsonb", True),
        ("geography", "geometry", False),
    ],
)
def test_what_a_type_holds(old: str, new: str, held: bool) -> None:
    assert holds(parse_type(new), parse_type(old)) is held


@pytest.mark.parametrize(
    ("was", "now", "witness"),
    [
        ({"mustBe": 0}, {"mustBeLessThan": 5}, 1),
        ({"mustBeGreaterThan": 10}, {"mustBeGreaterThan": 0}, 1),
        ({"mustBeGreaterThan": 0}, {"mustBeGreaterOrEqualTo": 0}, 0),
        ({"mustBeBetween": [1, 5]}, {"mustBeBetween": [1, 6]}, 6),
        ({"mustNotBe": 3}, {"mustNotBe": 4}, 3),
        ({"mustBeLessThan": 5}, {}, 5),
        ({"mustBeLessThan": 5}, {"mustBeLessThan": 4}, None),
        ({"mustBeLessThan": 5}, {"mustBeLessOrEqualTo": 4}, None),
        ({"mustNotBeBetween": [1, 2]}, {"mustNotBeBetween": [0, 3]}, None),
    ],
)
def test_a_rule_is_looser_if_some_result_passes_it_alone(was: Any, now: Any, witness: int | None) -> None:
    found = list(rule_changes([Rule(name="r", metric="m", must=was)], [Rule(name="r", metric="m", must=now)]))
    assert [each.witness and each.witness.content for each in found] == ([] if witness is None else [witness])


def test_a_rule_that_asks_otherwise_is_unsure() -> None:
    (found,) = rule_changes([Rule(name="r", query="SELECT 1")], [Rule(name="r", query="SELECT 2")])
    assert (found.rule, found.unsure) == ("rule-changed", True)


@pytest.mark.parametrize(
    ("gone", "new", "pairs"),
    [
        (["merchant"], ["merchant_name"], {"merchant": "merchant_name"}),
        (["EMAIL"], ["EMAIL_ADDRESS"], {"EMAIL": "EMAIL_ADDRESS"}),
        (["customerId"], ["customer_id"], {"customerId": "customer_id"}),
        (["email"], ["birth_year"], {}),
        (["status", "state"], ["status_code"], {"status": "status_code"}),
    ],
)
def test_renames_are_told_by_likeness(gone: list[str], new: list[str], pairs: dict[str, str]) -> None:
    assert renames(dict.fromkeys(gone, "text"), dict.fromkeys(new, "text")) == pairs
    assert renames(dict.fromkeys(gone, "text"), dict.fromkeys(new, "number")) == {}


def test_a_witness_that_shows_nothing_is_not_proved() -> None:
    text = Shape("A", parse_type("varchar(3)"), "varchar(3)")
    assert not prove_row({"A": "abc"}, [text], [text]).proved
    assert not prove_row({"A": "abcd"}, [text], [text]).proved
    assert not prove_query("A", "T", ["A"], ["A"]).proved
    assert not prove_rows([{"A": 1}, {"A": 2}], ["A"], ["A"], "base").proved


def test_columns_as_snowflake_tells_of_them() -> None:
    rows = [
        {"COLUMN_NAME": "B", "ORDINAL_POSITION": 2, "DATA_TYPE": "TEXT", "CHARACTER_MAXIMUM_LENGTH": 20},
        {"COLUMN_NAME": "A", "ORDINAL_POSITION": 1, "DATA_TYPE": "NUMBER", "NUMERIC_PRECISION": 18, "NUMERIC_SCALE": 2},
        {"COLUMN_NAME": "C", "ORDINAL_POSITION": 3, "DATA_TYPE": "TIMESTAMP_NTZ", "DATETIME_PRECISION": 3},
    ]
    rows[1]["IS_NULLABLE"] = "NO"
    found = [(each.name, each.type, each.nullable) for each in columns_of(rows)]
    assert found == [("A", "NUMBER(18,2)", False), ("B", "VARCHAR(20)", True), ("C", "TIMESTAMP_NTZ(3)", True)]
