"""The schema check alone says of each case what must be said of it by reading."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from tests.faults.corpus import REPO, Case, Catcher, cases
from tests.unit.faults.estate import made

from testenv.checks.impact.trees import tree_at, tree_of
from testenv.checks.protocol import Outcome, Severity, Verdict
from testenv.checks.release import Release, Tree
from testenv.checks.schema import SchemaCheck
from testenv.datasets.contracts import load_contracts, parse_contract

CONTRACTS = "include/catalog/contracts"
AVRO = "include/estate/schema/avro"
PROJECT = "include/dbt/finsight"


def changes_dbt(case: Case) -> bool:
    return any(edit.file.startswith(f"{PROJECT}/") for edit in case.edits)


STATIC = [case for case in cases() if case.static and case.caught_by is not Catcher.ISOLATION]
OTHERS = [case for case in cases() if case not in STATIC]


@pytest.mark.parametrize("case", [each for each in STATIC if not changes_dbt(each)], ids=lambda case: case.name)
def test_what_is_declared(case: Case) -> None:
    judged_rightly(case, SchemaCheck().check(release(case)))


@pytest.mark.parametrize("case", [each for each in OTHERS if not changes_dbt(each)], ids=lambda case: case.name)
def test_what_is_none_of_its_business_passes(case: Case) -> None:
    verdict = SchemaCheck().check(release(case))
    assert verdict.outcome is Outcome.PASSED, verdict.findings


def judged_rightly(case: Case, verdict: Verdict) -> None:
    breaking = {each.rule for each in verdict.findings if each.severity is Severity.BREAKING}
    must_fail = case.caught_by is Catcher.SCHEMA
    assert verdict.outcome is (Outcome.FAILED if must_fail else Outcome.PASSED), f"{case.name}: {breaking}"
    assert not must_fail or case.rule in breaking, f"{case.name}: {breaking}"


# ---------------------------------------------------------------- a release


@cache
def base_contracts() -> dict[str, Any]:
    return load_contracts(REPO / CONTRACTS)


def release(case: Case, base: Any = None, head: Any = None) -> Release:
    """The case's release, as far as this check looks at it: contracts, the schemas of topics, dbt's manifests."""
    contracts = dict(base_contracts())
    schemas = {file.name: file.read_text() for file in (REPO / AVRO).iterdir()}
    for path, text in made(case).items():
        name = path.rpartition("/")[2]
        if path.startswith(CONTRACTS):
            contracts.pop(name.removesuffix(".yaml"))
            if text is not None:
                contract = parse_contract(text)
                contracts[contract.id] = contract
        elif path.startswith(AVRO):
            schemas.pop(name, None)
            schemas |= {name: text} if text is not None else {}
    before = Tree("base", tree_at(REPO / AVRO), base_contracts(), manifest=base)
    return Release(before, Tree("head", tree_of(schemas), contracts, manifest=head))
