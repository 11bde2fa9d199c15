"""What the engine may ask of a contract."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from testenv.core.contract import Classification, Contract, Field, Store

CONTRACT = Contract(
    id="kafka.orders",
    version="1.0.0",
    store=Store.KAFKA,
    name="orders",
    owner="sales",
    fields=(Field(path="key", type="string", primary_key=True), Field(path="value.lines[].iban", type="string")),
)


@pytest.mark.parametrize("classification", list(Classification))
def test_all_but_public_and_internal_must_be_masked(classification: Classification) -> None:
    harmless = {Classification.PUBLIC, Classification.INTERNAL}
    assert classification.is_sensitive == (classification not in harmless)


@pytest.mark.parametrize(
    ("path", "column"), [("iban", "iban"), ("value.lines[].iban", "value"), ("tags[]", "tags"), ("a[][].b", "a")]
)
def test_a_path_begins_with_its_column(path: str, column: str) -> None:
    assert Field(path=path, type="string").column == column


def test_a_field_is_found_by_its_path() -> None:
    assert CONTRACT.field("value.lines[].iban") is CONTRACT.fields[1]
    assert CONTRACT.key == ("key",)
    with pytest.raises(KeyError):
        CONTRACT.field("value")


def test_a_contract_does_not_change_and_knows_its_words() -> None:
    with pytest.raises(ValidationError):
        CONTRACT.version = "2"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Field(path="a", type="string", colour="red")  # type: ignore[call-arg]
