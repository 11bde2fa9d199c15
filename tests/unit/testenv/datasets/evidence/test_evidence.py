"""The verdict: an honest masking passes, and every way to fail is named."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.testenv.datasets.evidence.conftest import ABOUT, CUSTOMERS, PAYMENTS, Bank, Rows

from testenv.core.errors import Invalid
from testenv.datasets.evidence.canaries import Canaries
from testenv.datasets.evidence.evidence import Pair, judge

PAN = "4539 1488 0343 6467"
"""Passes Luhn's check, and is in no reserved range."""


def put(row: int, column: str, value: Any) -> Callable[[dict[str, Rows]], object]:
    return lambda masked: masked["postgres.payments"][row].update({column: value})


def test_an_honest_masking_passes(bank: Bank) -> None:
    evidence = bank.judged()
    assert evidence.reasons == ()
    assert evidence.verdict
    assert evidence.coverage == {
        "public": 1, "internal": 3, "pseudonym": 2, "identifier": 3, "quasi-identifier": 0, "free-text": 0,
        "unclassified": 0, "undeclared": 0,
    }  # fmt: skip
    assert evidence.canaries.share == 1
    assert evidence.canaries.in_output == 0


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("kim1500.lee@real-mail.net", "whole value"),
        ("  KIM1500.LEE@REAL-MAIL.NET ", "inside longer text"),
        ("sent to kim1500.lee@real-mail.net, twice", "inside longer text"),
        (base64.b64encode(b"kim1500.lee@real-mail.net").decode(), "base64"),
        ("Lee1500, Kimso", "whole value"),
    ],
)
def test_a_value_of_production_is_found_in_every_form(bank: Bank, text: str, form: str) -> None:
    evidence = bank.judged(put(1_234, "notes", text))
    (hit,) = (hit for hit in evidence.hits if hit.form == form)
    assert (hit.contract, hit.path, hit.count, hit.rows) == ("postgres.payments", "notes", 1, (1_234,))
    assert hit.origins[0].startswith("postgres.customers: ")
    assert not evidence.verdict
    assert "kim1500" not in evidence.model_dump_json().lower()


def test_a_card_number_is_found_without_its_blanks(bank: Bank) -> None:
    pan = bank.source["postgres.payments"][17]["pan"]
    evidence = bank.judged(put(5, "notes", " ".join(pan[at : at + 4] for at in range(0, 16, 4))))
    assert [hit.form for hit in evidence.hits] == ["digits only"]


@pytest.mark.parametrize(
    ("column", "value", "is_private"), [("customer_id", 1, True), ("notes", "kim1500.lee@real-mail.net", False)]
)
def test_what_differs_may_be_looked_at_and_what_leaks_may_not(
    bank: Bank, column: str, value: Any, is_private: bool
) -> None:
    evidence = bank.judged(put(5, column, value))
    assert (evidence.verdict, evidence.is_private) == (False, is_private)


def test_an_unmasked_column_is_refused(bank: Bank) -> None:
    def forget(masked: dict[str, Rows]) -> None:
        for row, source in zip(masked["postgres.customers"], bank.source["postgres.customers"], strict=True):
            row["email"] = source["email"]

    evidence = bank.judged(forget)
    assert evidence.hits[0].count == len(bank.source["postgres.customers"])
    assert evidence.canaries.in_output > 0


@pytest.mark.parametrize(
    ("column", "value", "kind", "path"),
    [
        ("notes", f"paid by {PAN}", "pan", "notes"),
        ("meta", {"contacts": ["front desk", "someone@gmail.com"]}, "email", "meta.contacts[]"),
        ("notes", "DE89 3704 0044 0532 0130 00", "iban", "notes"),
        ("notes", "ssn 219-09-9999", "ssn", "notes"),
        ("notes", "call +49 30 901820 now", "phone", "notes"),
    ],
)
def test_what_is_misclassified_is_named_with_its_remedy(
    bank: Bank, column: str, value: Any, kind: str, path: str
) -> None:
    evidence = bank.judged(put(7, column, value))
    (finding,) = evidence.findings
    assert (finding.kind, finding.path, finding.count, finding.rows) == (kind, path, 1, (7,))
    (reason,) = evidence.reasons
    assert "misclassified" in reason
    assert "include/catalog/contracts/postgres.payments.yaml" in reason


@pytest.mark.parametrize("value", ["4111 1111 1111 1111", "a@example.com", "(212) 555-0123", "order 4539148803436468"])
def test_reserved_values_and_wrong_check_digits_are_nobodys(bank: Bank, value: str) -> None:
    assert bank.judged(put(7, "notes", value)).findings == ()


def test_orphans_and_a_changed_distribution_are_refused(bank: Bank) -> None:
    def spoil(masked: dict[str, Rows]) -> None:
        masked["postgres.payments"][3]["customer_id"] = 5
        for row in masked["postgres.payments"]:
            row["amount"] *= 2

    reasons = " ".join(bank.judged(spoil).reasons)
    assert "1 rows refer to no row of postgres.customers.customer_id" in reasons
    assert "postgres.payments: amount: numbers: agreement is" in reasons


def test_a_fan_out_that_is_lost_is_refused(bank: Bank) -> None:
    def crowd(masked: dict[str, Rows]) -> None:
        owner = masked["postgres.customers"][0]["customer_id"]
        for row in masked["postgres.payments"][::2]:
            row["customer_id"] = owner

    assert any("fan-out" in reason for reason in bank.judged(crowd).reasons)


def test_more_nulls_are_refused(bank: Bank) -> None:
    def lose(masked: dict[str, Rows]) -> None:
        for row in masked["postgres.customers"][::50]:
            row["country"] = None

    assert any("shares of null differ by 0.02" in reason for reason in bank.judged(lose).reasons)


def test_what_stands_in_no_contract_is_refused(bank: Bank) -> None:
    reasons = bank.judged(put(0, "notes", '{"surprise": 1}')).reasons
    assert reasons == ()  # a text that is declared may hold JSON
    evidence = bank.judged(lambda masked: [row.update(extra=1) for row in masked["postgres.payments"]])
    assert evidence.coverage["undeclared"] == 1
    assert any("postgres.payments: extra stands in no contract" in reason for reason in evidence.reasons)


def test_an_unclassified_field_is_refused(bank: Bank) -> None:
    evidence = bank.with_contract(CUSTOMERS.replace(", classification: public", "")).judged()
    assert evidence.reasons == ("coverage: 1 fields have no classification",)


def test_canaries_that_were_never_planted_prove_nothing(bank: Bank) -> None:
    without = replace(bank, canaries=Canaries("others"))
    assert without.judged().reasons == tuple(
        f"canaries: none stands in the source of {field}. Plant them"
        for field in ("postgres.customers: email", "postgres.customers: name", "postgres.payments: pan")
    )


def test_every_contract_is_judged(bank: Bank) -> None:
    with pytest.raises(
        Invalid, match=r"Without a contract: nosuch.*Without data: postgres.customers, postgres.payments"
    ):
        judge("v1", {"nosuch": Pair([], [])}, bank.contracts, ABOUT, bank.canaries)


@pytest.mark.parametrize(("classification", "leaks"), [("quasi-identifier", False), ("identifier", True)])
def test_a_place_that_reference_data_tells_publicly_is_no_leak_and_a_name_is_one(
    bank: Bank, classification: str, leaks: bool
) -> None:
    place = "Obernau am See"
    notes = f"{{name: notes, logicalType: string, classification: {classification}, semanticType: city}}"
    text = PAYMENTS.replace("{name: notes, logicalType: string, classification: internal}", notes)
    village = replace(bank.with_contract(text), source={name: [*rows] for name, rows in bank.source.items()})
    village.source["postgres.payments"][5] = {**bank.source["postgres.payments"][5], "notes": place}
    village.source["postgres.customers"][7] = {**bank.source["postgres.customers"][7], "country": place}
    evidence = village.judged(lambda masked: masked["postgres.customers"][7].update(country=place))
    assert bool([hit for hit in evidence.hits if hit.path == "country"]) is leaks
