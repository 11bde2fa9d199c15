"""The isolation check says of each case by reading what must be said of it: names that stand in the code."""

from __future__ import annotations

from typing import Any

import pytest
from tests.faults.corpus import Case, Catcher, cases, read_repository
from tests.unit.faults.estate import made
from tests.unit.faults.test_static import base_contracts

from testenv.checks.impact.trees import tree_of
from testenv.checks.protocol import Outcome, Severity
from testenv.checks.release import Release, Tree

isolation = pytest.importorskip("testenv.checks.isolation", reason="there is no isolation check yet")

PRODUCTION = frozenset({"FINSIGHT", "FINSIGHT_WH", "finsight-production"})


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_names_in_the_code(case: Case) -> None:
    base, head = tree(case, "base"), tree(case, "head")
    arguments: dict[str, Any] = {"production": PRODUCTION}
    verdict = isolation.IsolationCheck().check(Release(base, head, **arguments))
    breaking = {each.rule for each in verdict.findings if each.severity is Severity.BREAKING}
    must_fail = case.static and case.caught_by is Catcher.ISOLATION
    assert (verdict.outcome is Outcome.FAILED) == must_fail, breaking
    assert not must_fail or case.rule in breaking


def tree(case: Case, side: str) -> Tree:
    """The files that the case changes, before or after, and the layout. What is the same on both sides is left out."""
    changed = made(case)
    texts = {path: read_repository(path) for path in ("testenv.yaml", *changed)} | (changed if side == "head" else {})
    files = tree_of({path: text for path, text in texts.items() if text is not None})
    return Tree(side, files, base_contracts())
