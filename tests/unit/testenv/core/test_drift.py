"""What a store has is compared with its contract, and every difference is told with its remedy."""

from __future__ import annotations

import pytest

from testenv.core.contract import Classification, Contract, Field, Store
from testenv.core.drift import Observed, canonical_type, differences

ORDERS = Contract(
    id="postgres.orders",
    version="1.0.0",
    store=Store.POSTGRES,
    name="orders",
    owner="sales",
    fields=(
        Field(path="order_id", type="integer", physical_type="bigint", classification=Classification.INTERNAL),
        Field(path="note", type="string", physical_type="text", classification=Classification.FREE_TEXT),
    ),
)
AS_IT_SAYS = {"order_id": "bigint", "note": "text"}

LINES = Contract(
    id="s3.lines",
    version="1.0.0",
    store=Store.S3,
    name="lines",
    owner="sales",
    fields=(
        Field(path="id", type="integer", required=True),
        Field(path="lines[].amount", type="number"),
        Field(path="settled_at", type="timestamp"),
    ),
)


LINES_COLUMNS = frozenset({"id", "lines", "settled_at"})
"""All of it is JSON."""


def told(contract: Contract, observed: Observed) -> list[str]:
    return [str(each) for each in differences({contract.id: contract}, {contract.id: observed})]


def test_a_store_that_is_as_its_contract_says_differs_in_nothing() -> None:
    assert told(ORDERS, Observed(AS_IT_SAYS)) == []


def test_a_new_column_is_named_with_contract_and_remedy() -> None:
    (message,) = told(ORDERS, Observed(AS_IT_SAYS | {"iban": "text"}))
    assert message == (
        "postgres.orders: iban: is new (text). "
        "Add it to contracts/postgres.orders.yaml with its classification and semantic type, then refresh again"
    )


def test_a_column_that_is_gone_is_named() -> None:
    (message,) = told(ORDERS, Observed({"order_id": "bigint"}))
    assert message.startswith("postgres.orders: note: is missing. Mend production, or contracts/postgres.orders.yaml")


def test_another_type_is_named_with_both() -> None:
    (message,) = told(ORDERS, Observed(AS_IT_SAYS | {"order_id": "text"}))
    assert message.startswith("postgres.orders: order_id: is text, the contract says bigint.")


def test_a_renamed_column_is_told_as_such() -> None:
    new, gone = told(ORDERS, Observed({"order_id": "bigint", "remark": "text"}))
    assert "remark: is new (text), and 'note' is gone: is it renamed?" in new
    assert "note: is missing" in gone


def test_a_new_path_of_json_is_a_difference_and_one_that_no_document_has_is_none() -> None:
    seen = {"id": "integer", "lines[].amount": "integer", "lines[].email": "string"}
    (message,) = told(LINES, Observed(seen, LINES_COLUMNS))
    assert "lines[].email: is new (string)" in message


def test_an_object_or_a_list_that_is_null_is_no_path() -> None:
    assert told(LINES, Observed({"id": "integer", "lines": "null"}, LINES_COLUMNS)) == []


def test_a_required_path_that_no_document_has_is_missing() -> None:
    (message,) = told(LINES, Observed({"settled_at": "string"}, LINES_COLUMNS))
    assert "s3.lines: id: is missing" in message


@pytest.mark.parametrize("got", ["integer", "number", "null"])
def test_json_that_the_type_allows_is_no_difference(got: str) -> None:
    assert told(LINES, Observed({"id": "integer", "lines[].amount": got}, LINES_COLUMNS)) == []


def test_a_dataset_without_a_contract_and_a_contract_without_a_dataset_are_differences() -> None:
    found = differences({"postgres.orders": ORDERS}, {"postgres.people": Observed({"name": "text"})})
    assert [(each.contract, each.what) for each in found] == [
        ("postgres.orders", "is not in production"),
        ("postgres.people", "is in production and has no contract"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("NUMBER(18, 2)", "numeric(18,2)"),
        ("character varying(3)", "VARCHAR(3)"),
        ("timestamp with time zone", "TIMESTAMPTZ"),
        ("character(2)", "char(2)"),
        ("int8", "bigint"),
        ("TEXT", "VARCHAR"),
    ],
)
def test_one_type_may_be_spelt_in_several_ways(one: str, other: str) -> None:
    assert canonical_type(one) == canonical_type(other)


def test_sizes_tell_types_apart() -> None:
    assert canonical_type("numeric(18,2)") != canonical_type("numeric(18,4)")


def test_what_is_required_is_missing_only_where_there_was_something_to_look_at() -> None:
    assert "s3.lines: id: is missing" in told(LINES, Observed({}, LINES_COLUMNS))[0]
    assert told(LINES, Observed({}, LINES_COLUMNS, has_examples=False)) == []
