"""The isolation check says of each case by reading what must be said of it: names that stand in the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.faults.corpus import Case, Catcher, cases, read_repository
from tests.unit.faults.estate import made
from tests.unit.faults.test_static import base_contracts

from testenv.checks.protocol import Outcome, Severity
from testenv.checks.release import Release, Tree

isolation = pytest.importorskip("testenv.checks.isolation", reason="there is no isolation check yet")

PRODUCTION = frozenset({"FINSIGHT", "FINSIGHT_WH", "finsight-production"})


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_names_in_the_code(case: Case, tmp_path: Path) -> None:
    base, head = tree(case, tmp_path, "base"), tree(case, tmp_path, "head")
    arguments: dict[str, Any] = {"production": PRODUCTION}
    verdict = isolation.IsolationCheck().check(Release(base, head, **arguments))
    breaking = {each.rule for each in verdict.findings if each.severity is Severity.BREAKING}
    must_fail = case.static and case.caught_by is Catcher.ISOLATION
    assert (verdict.outcome is Outcome.FAILED) == must_fail, breaking
    assert not must_fail or case.rule in breaking


def tree(case: Case, folder: Path, side: str) -> Tree:
    """The files that the case changes, before or after, and the layout. What is the same on both sides is left out."""
    root = folder / side
    for path in ("testenv.yaml", *made(case)):
        text = made(case).get(path) if side == "head" and path in made(case) else read_repository(path)
        if text is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    return Tree(side, root, base_contracts())
