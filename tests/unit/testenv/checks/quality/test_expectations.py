"""Every rule of a contract becomes an expectation, or is said not to be understood."""

from __future__ import annotations

from typing import Any

import pytest

from testenv.checks.protocol import Severity
from testenv.checks.quality import sql
from testenv.checks.quality.expectations import expectation, expectations, rules
from testenv.core.contract import Contract, Field, Rule, Store
from testenv.core.errors import InvalidCatalog
from testenv.datasets.contracts import load_contracts


def contract(*given: Rule, fields: tuple[Field, ...] = (Field(path="A", type="string"),)) -> Contract:
    return Contract(
        id="snowflake.RAW.T", version="1", store=Store.SNOWFLAKE, name="RAW.T", owner="o", fields=fields, rules=given
    )


def rule(metric: str = "nullValues", path: str = "A", must: dict[str, Any] | None = None, **more: Any) -> Rule:
    return Rule(name=metric, metric=metric, path=path, must={"mustBe": 0} if must is None else must, **more)


def test_every_rule_of_the_estate_is_understood() -> None:
    for each in load_contracts().values():
        found, missed = expectations(each)
        assert not missed
        assert len(found) == len({one.id for one in found}) == len(rules(each))
        asked = {(one.rule.metric, one.rule.query, one.rule.path) for one in found}
        assert {(one.metric, one.query, one.path) for one in each.rules} <= asked


def test_what_fields_say_are_rules_too_once_each() -> None:
    fields = (
        Field(path="K", type="integer", primary_key=True, required=True),
        Field(path="L", type="integer", primary_key=True, required=True),
        Field(path="S", type="string", allowed=("a", "b"), unique=True),
    )
    written = rule("invalidValues", "S", arguments={"validValues": ["b", "a"]})
    found, _ = expectations(contract(written, fields=fields))
    assert [(each.rule.metric, each.rule.path) for each in found] == [
        ("invalidValues", "S"),
        ("nullValues", "K"),
        ("nullValues", "L"),
        ("duplicateValues", "S"),
        ("duplicateValues", ""),
    ]
    assert found[-1].columns == ("K", "L")


@pytest.mark.parametrize(
    ("given", "type_", "arguments"),
    [
        (rule(), "ExpectColumnValuesToNotBeNull", {"column": "A"}),
        (rule("duplicateValues"), "ExpectColumnValuesToBeUnique", {"column": "A"}),
        (
            rule("invalidValues", arguments={"validValues": [1, 2]}),
            "ExpectColumnValuesToBeInSet",
            {"column": "A", "value_set": [1, 2]},
        ),
        (
            rule("rowCount", "", {"mustBeGreaterThan": 0}),
            "ExpectTableRowCountToBeBetween",
            {"min_value": 0, "strict_min": True},
        ),
        (
            rule("rowCount", "", {"mustBeBetween": [1, 9]}),
            "ExpectTableRowCountToBeBetween",
            {"min_value": 1, "max_value": 9},
        ),
    ],
)
def test_great_expectations_own_expectations_are_used(given: Rule, type_: str, arguments: dict[str, Any]) -> None:
    found = expectation(contract(given), given)
    assert (found.type, found.arguments) == (type_, arguments)


@pytest.mark.parametrize(
    ("given", "query"),
    [
        (
            rule(must={"mustBeLessThan": 100}),
            "SELECT VALUE FROM (SELECT COUNT(*) AS VALUE FROM (SELECT T.* FROM (SELECT * FROM {batch}) AS T WHERE "
            'T."A" IS NULL)) '
            "AS JUDGED WHERE NOT COALESCE(VALUE < 100, FALSE)",
        ),
        (
            rule("invalidValues", arguments={"pattern": "^[a-z]{2}$"}),
            'SELECT T.* FROM (SELECT * FROM {batch}) AS T WHERE T."A" IS NOT NULL AND '
            "(NOT REGEXP_LIKE(T.\"A\", '^[a-z]{{2}}$'))",
        ),
        (
            Rule(name="q", query="SELECT COUNT(*) FROM RAW.T WHERE A < 'RAW.T'", must={"mustBe": 0}),
            "SELECT * FROM (SELECT * FROM {batch}) WHERE A < 'RAW.T'",
        ),
        (
            Rule(name="q", query="SELECT MAX(A) FROM ${object};", must={"mustBeBetween": [1, 2]}),
            "SELECT VALUE FROM (SELECT VALUE FROM (SELECT MAX(A) FROM (SELECT * FROM {batch})) AS MEASURED (VALUE)) "
            "AS JUDGED "
            "WHERE NOT COALESCE(VALUE BETWEEN 1 AND 2, FALSE)",
        ),
    ],
)
def test_other_rules_are_queries_that_find_nothing(given: Rule, query: str) -> None:
    found = expectation(contract(given), given)
    assert found.type == "UnexpectedRowsExpectation"
    assert found.arguments["unexpected_rows_query"] == query
    assert found.arguments["unexpected_rows_query"].format(batch="X")


def test_a_share_is_of_all_rows() -> None:
    given = rule(must={"mustBeLessThan": 5}, unit="percent")
    assert "100.0 * COUNT(*) / NULLIF((SELECT COUNT(*) FROM {batch}), 0)" in expectation(contract(given), given).measure


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (rule("freshness"), "the metric 'freshness' is not understood"),
        (rule(must={}), "says nothing that must hold"),
        (rule(must={"mustBe": "0"}), "mustBe must be a number"),
        (rule(must={"mustBeBetween": [1]}), "mustBeBetween must be a number, or two"),
        (rule("invalidValues", arguments={"max": 3}), r"got \['max'\]"),
        (rule("missingValues"), "missingValues needs arguments"),
        (rule("nullValues", ""), "is about a field"),
        (rule("duplicateValues", ""), "duplicateValues is about a field"),
    ],
)
def test_what_is_not_understood_is_said(given: Rule, why: str) -> None:
    with pytest.raises(InvalidCatalog, match=why):
        expectation(contract(given), given)
    found, missed = expectations(contract(given))
    assert not found
    assert [each.rule for each in missed] == [given]


def test_an_id_is_of_what_is_asked_and_not_of_its_name() -> None:
    one, other = rule(), rule().model_copy(update={"name": "another", "severity": "warning"})
    assert expectation(contract(), one).id == expectation(contract(), other).id
    assert expectation(contract(), one).id != expectation(contract(), rule(must={"mustBe": 1})).id
    assert expectation(contract(), other).severity is Severity.WARNING


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        (
            "V.merchant.id",
            "SELECT T.* FROM (SELECT * FROM {batch}) AS T WHERE "
            "TRY_PARSE_JSON(T.\"V\"::VARCHAR)['merchant']::VARCHAR IS NOT NULL AND X",
        ),
        (
            "V.lines[].sum",
            "SELECT T.* FROM (SELECT * FROM {batch}) AS T, LATERAL FLATTEN(INPUT => "
            "TRY_PARSE_JSON(T.\"V\"::VARCHAR)['lines']) AS E0 WHERE E0.VALUE::VARCHAR IS NOT NULL AND X",
        ),
    ],
)
def test_a_leaf_of_a_document_is_looked_for_where_its_parent_is(path: str, rows: str) -> None:
    assert sql.place(path).rows("X") == rows


@pytest.mark.parametrize(
    ("query", "replaced"),
    [
        ("SELECT 1 FROM RAW.T", "SELECT 1 FROM Y"),
        ('SELECT 1 FROM "RAW" . "T" AS x', "SELECT 1 FROM Y AS x"),
        ("SELECT 1 FROM raw.t -- RAW.T", "SELECT 1 FROM Y -- RAW.T"),
        ("SELECT 'RAW.T' FROM RAW.TX", "SELECT 'RAW.T' FROM RAW.TX"),
        ("SELECT 1 FROM DB.RAW.T", "SELECT 1 FROM DB.RAW.T"),
    ],
)
def test_tables_names_are_replaced_as_whole_words(query: str, replaced: str) -> None:
    assert sql.replaced(query, {"RAW.T": "Y"}) == replaced


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) FROM T",
        "SELECT COUNT(DISTINCT A) FROM T WHERE A > 1",
        "SELECT COUNT(*) FROM T WHERE A GROUP BY B",
    ],
)
def test_only_a_plain_count_has_rows(query: str) -> None:
    assert sql.counted_rows(query) == ""
