"""The page opens with the verdict and three things, stands alone, and shows no value as markup."""

from __future__ import annotations

import re

from tests.unit.testenv.datasets.evidence.conftest import Bank

from testenv.datasets.evidence.report import render, things


def test_it_opens_with_the_verdict(bank: Bank) -> None:
    page = render(bank.judged())
    assert page.index("This version may be published") < page.index('class="three"') < page.index("<table")


def test_a_refusal_names_its_reasons_first(bank: Bank) -> None:
    evidence = bank.judged(lambda masked: masked["postgres.payments"][7].update(notes="write to someone@gmail.com"))
    page = render(evidence)
    assert "This version must not be published" in page
    assert things(evidence)[0].title == "Detector"
    assert "misclassified" in page


def test_there_are_always_three_things(bank: Bank) -> None:
    def spoil_everything(masked):  # type: ignore[no-untyped-def]
        for row in masked["postgres.payments"]:
            row.update(amount=1.0, notes="write to someone@gmail.com", customer_id=3)

    assert len(things(bank.judged())) == len(things(bank.judged(spoil_everything))) == 3


def test_it_asks_for_nothing_from_elsewhere(bank: Bank) -> None:
    page = render(bank.judged())
    assert not re.search(r"<(script|link|img|iframe)|@import|url\((?!#)", page)
    assert set(re.findall(r"(?:href|src)=\"(?!#)([^\"]*)", page)) == set()
    assert "prefers-color-scheme: dark" in page


def test_names_are_escaped(bank: Bank) -> None:
    evidence = bank.judged().model_copy(update={"version": "<b>v1</b>"})
    assert "<b>v1</b>" not in render(evidence)


def test_the_same_evidence_gives_the_same_page(bank: Bank) -> None:
    evidence = bank.judged()
    assert render(evidence) == render(evidence)
