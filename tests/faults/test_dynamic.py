"""A whole trial says of each case what must be said: the right check fails, and no check cries wolf."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.conftest import VerdictOf
from tests.faults.corpus import Case, Catcher, apply, cases, copy_estate

from testenv.checks.protocol import Outcome

ACCEPTED = {Outcome.PASSED, Outcome.NOT_APPLICABLE}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The estate as it is."""
    return copy_estate(tmp_path_factory.mktemp("base") / "estate")


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_verdict_of_a_trial(case: Case, base: Path, tmp_path: Path, verdict_of: VerdictOf) -> None:
    head = copy_estate(tmp_path / "estate")
    apply(case, head)
    outcomes = verdict_of(base, head)
    assert outcomes.keys() == {*Catcher}, "all seven checks say something"
    refused = {check for check, outcome in outcomes.items() if outcome not in ACCEPTED}
    if case.caught_by is None:
        assert not refused, f"{case.name} is harmless: {case.what}"
    else:
        assert outcomes[case.caught_by] is Outcome.FAILED, f"{case.name}: {case.what}"
        assert refused <= {case.caught_by, *case.also}, f"{case.name}: {case.what}"
