"""Within thresholds or not, by what was counted alone."""

from __future__ import annotations

import pytest

from testenv.checks.diff import Difference, Thresholds, passes, violations

FOUND = Difference(base_rows=1000, head_rows=900, only_in_base=110, only_in_head=10, changed=5, duplicates=(3, 2))


def test_equal_tables_pass_and_others_do_not() -> None:
    assert passes(Difference(5, 5), Thresholds())
    assert violations(FOUND, Thresholds()) == (
        "only in base: 110 of 1000 rows, allowed are 0",
        "only in head: 10 of 1000 rows, allowed are 0",
        "changed: 5 of 1000 rows, allowed are 0",
        "duplicates: 2 of 1000 rows, allowed are 0",
    )


@pytest.mark.parametrize(
    ("changed", "passed"), [(5, True), (4, False), (0.005, True), (0.0049, False), (1, False), (1.0, False)]
)
def test_a_whole_number_is_of_rows_and_a_part_of_one_is_a_share(changed: float, passed: bool) -> None:
    allowed = Thresholds(only_in_base=0.11, only_in_head=10, changed=changed, duplicates=2)
    assert passes(FOUND, allowed) == passed


def test_columns_must_be_the_same_unless_others_are_allowed() -> None:
    found = Difference(1, 1, columns_only_in_head=("tax",), retyped={"fee": ("int64", "double")})
    assert violations(found, Thresholds()) == ("columns only in head: tax", "column fee: was int64, is double")
    assert passes(found, Thresholds(columns=True))
