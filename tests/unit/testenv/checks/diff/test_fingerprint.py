"""Fingerprints of a whole set of outputs, before and after: what changed, and in which columns."""

from __future__ import annotations

import pytest

from testenv.checks.diff import Fingerprint, Mismatch, mismatches
from testenv.core.errors import Invalid

PAYMENTS = Fingerprint("a hash", 3, 7, {"id": 1, "amount": 2})


def changed(**values: object) -> tuple[Mismatch, ...]:
    return mismatches({"payments": PAYMENTS}, {"payments": Fingerprint(**{**vars(PAYMENTS), **values})})  # type: ignore[arg-type]


def test_outputs_that_are_as_they_were() -> None:
    assert mismatches({"payments": PAYMENTS}, {"payments": PAYMENTS}) == ()


def test_the_columns_that_differ_are_named() -> None:
    [found] = changed(hash=8, columns={"id": 1, "amount": 3})
    assert found == Mismatch("payments", (3, 3), columns=("amount",))
    assert str(found) == "payments: other values in amount"


def test_a_column_with_a_tolerance_is_left_to_the_diff() -> None:
    [found] = changed(columns={"id": 1, "amount": 3}, tolerant=frozenset({"amount"}))
    assert (found.columns, found.undecided) == ((), ("amount",))


def test_the_same_values_in_other_rows() -> None:
    [found] = changed(hash=8)
    assert found.moved


def test_more_rows_and_other_columns() -> None:
    [found] = changed(rows=4, hash=8, columns={"id": 2, "fee": 2})
    assert str(found) == "payments: 3 rows became 4; other values in id; columns gone: amount; columns new: fee"


def test_an_output_that_is_gone_or_new() -> None:
    assert [*map(str, mismatches({"payments": PAYMENTS}, {"refunds": PAYMENTS}))] == [
        "payments: is not there after",
        "refunds: is not there before",
    ]


def test_two_methods_cannot_be_compared() -> None:
    with pytest.raises(Invalid, match="Take both anew"):
        changed(method="another hash")
