"""A whole trial says of each case what must be said: the right check fails, and no check cries wolf."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from tests.faults.conftest import Outcomes
from tests.faults.corpus import Case, Catcher, cases, named

from testenv.checks.protocol import Outcome

ACCEPTED = {Outcome.PASSED, Outcome.NOT_APPLICABLE}

SAMPLE = ("owner-and-sla", "values-that-the-contract-does-not-list", "snapshot-by-a-key-that-is-none")
"""Cases for `make test-long`: two of one pipeline and at the same time, so neither may see what the other does, and one
that shows only where base begins with models that head has not touched. `make faults` judges all, which takes hours, or
those that CASES names."""


def chosen() -> list[Case]:
    """What is judged by reading alone stands in tests/unit/faults."""
    match os.environ.get("TESTENV_FAULTS", "").split():
        case []:
            return [named(name) for name in SAMPLE]
        case ["all"]:
            return [each for each in cases() if not each.static]
        case names:
            return [named(name) for name in names]


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.name)
def test_the_verdict_of_a_trial(case: Case, verdict_of: Callable[[Case], Outcomes]) -> None:
    outcomes = verdict_of(case)
    assert {*Catcher} <= outcomes.keys(), "all seven checks say something"
    refused = {check for check, outcome in outcomes.items() if outcome not in ACCEPTED}
    if case.caught_by is None:
        assert not refused, f"{case.name} is harmless: {case.what}"
    else:
        assert outcomes[case.caught_by] is Outcome.FAILED, f"{case.name}: {case.what}"
        failing = {"trial"}  # says of every fault that makes a run fail that it did
        assert refused <= {case.caught_by, *case.also} | failing, f"{case.name}: {case.what}"
