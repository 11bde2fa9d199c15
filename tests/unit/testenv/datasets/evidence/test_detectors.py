"""What is met by chance is told from what is a person's."""

from __future__ import annotations

import pytest

from testenv.datasets.evidence.detectors import Finding, _is_chance, is_iban, passes_luhn


@pytest.mark.parametrize(
    ("count", "candidates", "by_chance"),
    [
        (1, 1, False),
        (5, 19, False),
        (5, 30, True),
        (15, 30, False),
        (19, 100, True),
        (150, 1000, False),
        (110, 1000, True),
    ],
)
def test_as_many_as_strangers_would_give_are_chance(count: int, candidates: int, by_chance: bool) -> None:
    assert _is_chance(count, candidates) is by_chance


def test_check_digits() -> None:
    assert passes_luhn("4111111111111111") and not passes_luhn("4111111111111112")
    assert is_iban("DE89 3704 0044 0532 0130 00") and not is_iban("DE88 3704 0044 0532 0130 00")


def test_a_finding_says_what_to_do() -> None:
    finding = Finding(
        contract="s3.f",
        path="note",
        kind="pan",
        classification="internal",
        count=2,
        candidates=2,
        rows=(),
        is_chance=False,
    )
    assert "misclassified" in finding.remedy and "contracts/s3.f.yaml" in finding.remedy
    assert "masking.yaml" in finding.model_copy(update={"classification": "identifier"}).remedy
