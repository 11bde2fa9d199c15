"""A whole trial says of each case what must be said: the right check fails, and no check cries wolf."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from tests.faults.conftest import Outcomes
from tests.faults.corpus import Case, Catcher, cases, named

from testenv.checks.protocol import Outcome

ACCEPTED = {Outcome.PASSED, Outcome.NOT_APPLICABLE}

SAMPLE = ("append-instead-of-merge",)
"""Cases for every run of the tests; `make faults` judges them all, which takes hours."""

CHOSEN = cases() if os.environ.get("TESTENV_FAULTS") == "all" else tuple(map(named, SAMPLE))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_the_verdict_of_a_trial(case: Case, verdict_of: Callable[[Case], Outcomes]) -> None:
    outcomes = verdict_of(case)
    assert {*Catcher} <= outcomes.keys(), "all seven checks say something"
    refused = {check for check, outcome in outcomes.items() if outcome not in ACCEPTED}
    if case.caught_by is None:
        assert not refused, f"{case.name} is harmless: {case.what}"
    else:
        assert outcomes[case.caught_by] is Outcome.FAILED, f"{case.name}: {case.what}"
        assert refused <= {case.caught_by, *case.also}, f"{case.name}: {case.what}"
