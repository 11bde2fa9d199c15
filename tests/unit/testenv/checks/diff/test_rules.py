"""A contract says what is compared, and how strictly."""

from __future__ import annotations

import pytest

from testenv.checks.diff import Rules, Thresholds, rules_of, thresholds_of
from testenv.core.contract import Tolerance
from testenv.core.errors import InvalidCatalog
from testenv.datasets.contracts import parse_contract

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: snowflake.MARTS.REVENUE
version: 1.0.0
status: active
domain: finance
customProperties:
  - {{property: differences, value: {differences}}}
schema:
  - name: REVENUE
    properties:
      - {{name: DAY, logicalType: date, primaryKey: true}}
      - name: AMOUNT
        logicalType: number
        customProperties: [{{property: tolerance, value: {tolerance}}}]
      - name: LOADED_AT
        logicalType: timestamp
        customProperties: [{{property: ignoreInComparison, value: true}}]
"""


def contract(differences: str = "{}", tolerance: str = "{absolute: 0.01, relative: 1.0e-6}") -> object:
    return parse_contract(CONTRACT.format(differences=differences, tolerance=tolerance))


def test_key_tolerances_and_columns_that_do_not_count() -> None:
    assert rules_of(contract()) == Rules(  # type: ignore[arg-type]
        ("DAY",), frozenset({"LOADED_AT"}), {"AMOUNT": Tolerance(absolute=0.01, relative=1e-6)}
    )


def test_thresholds() -> None:
    said = contract("{changed: 0.001, onlyInHead: 5, columns: true}")
    assert thresholds_of(said) == Thresholds(changed=0.001, only_in_head=5, columns=True)  # type: ignore[arg-type]
    assert thresholds_of(contract()) == Thresholds()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "said", ["{altered: 1}", "5", "{changed: few}", "{changed: -1}", "{changed: true}", "{columns: 1}"]
)
def test_thresholds_that_say_something_else_are_refused(said: str) -> None:
    with pytest.raises(InvalidCatalog, match="differences"):
        thresholds_of(contract(said))  # type: ignore[arg-type]


@pytest.mark.parametrize("said", ["{absolut: 1}", "{absolute: -1}", "much"])
def test_a_tolerance_that_says_something_else_is_refused(said: str) -> None:
    with pytest.raises(InvalidCatalog, match="AMOUNT: tolerance"):
        contract(tolerance=said)
