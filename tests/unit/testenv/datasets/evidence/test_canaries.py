"""Canaries fit the columns that they are planted in."""

from __future__ import annotations

import ipaddress
from datetime import date
from typing import Any

import pytest

from testenv.core.contract import Classification, Contract, Field, Store
from testenv.datasets.evidence.canaries import FIRST_KEY, Canaries
from testenv.datasets.evidence.detectors import passes_luhn


def sensitive(type_: str, semantic_type: str = "", **more: Any) -> Field:
    return Field(path="f", type=type_, classification=Classification.IDENTIFIER, semantic_type=semantic_type, **more)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (sensitive("integer"), FIRST_KEY + 1),
        (sensitive("integer", physical_type="string"), str(FIRST_KEY + 1)),
        (sensitive("string", "customer_id"), str(FIRST_KEY + 1)),
        (Field(path="f", type="number", physical_type="string"), "1.0"),
        (sensitive("date"), date(1903, 3, 14)),
        (sensitive("date", physical_type="string"), "1903-03-14"),
        (sensitive("timestamp", physical_type="string"), "1903-03-14T00:00:00"),
    ],
)
def test_what_a_store_keeps_as_text_is_text_and_keys_are_the_same_in_both(field: Field, value: object) -> None:
    assert Canaries("seed").value(1, field) == value


@pytest.mark.parametrize("seed", map(str, range(20)))
def test_cards_are_an_issuer_s_and_addresses_are_some(seed: str) -> None:
    canaries = Canaries(seed, bin_="555555")
    for person in canaries.persons:
        card = canaries.text(person, "pan")
        assert card.startswith("555555") and len(card) == 16 and passes_luhn(card)
        assert ipaddress.ip_address(canaries.text(person, "ip_address"))


def test_rows_are_nested_as_the_contract_says() -> None:
    fields = (sensitive("integer").model_copy(update={"path": "lines[].id"}), Field(path="v.n", type="integer"))
    contract = Contract(id="s3.f", version="1.0.0", owner="risk", name="f", store=Store.S3, entity="", fields=fields)
    assert Canaries("seed", 1).rows(contract) == [{"lines": [{"id": FIRST_KEY}], "v": {"n": 0}}]
