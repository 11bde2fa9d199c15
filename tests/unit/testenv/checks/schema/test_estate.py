"""The sample estate as the repository under test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from testenv.checks.history import GitHistory
from testenv.checks.impact.trees import tree_at
from testenv.checks.protocol import Outcome, Severity
from testenv.checks.release import Release, Tree
from testenv.checks.schema import SchemaCheck
from testenv.datasets.contracts import load_contracts

INCLUDE = Path(__file__).resolve().parents[5] / "include"
CONTRACTS = "include/catalog/contracts"
AVRO = "include/estate/schema/avro"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    root = copied(tmp_path_factory.mktemp("base"))
    return Tree("base", tree_at(root), load_contracts(root / CONTRACTS))


def copied(root: Path) -> Path:
    for folder in ("catalog/contracts", "estate/schema"):
        shutil.copytree(INCLUDE / folder, root / "include" / folder)
    return root


def test_it_is_compatible_with_itself(base: Tree) -> None:
    verdict = SchemaCheck().check(Release(base, base))
    assert (verdict.outcome, verdict.findings) == (Outcome.PASSED, ())
    assert {"avsc payment_events-value", "contract snowflake.RAW.PAYMENTS"} <= set(verdict.ran)
    assert len(verdict.ran) == len(base.contracts) + 4


def test_a_new_version_of_an_event_is_compared_with_the_last(base: Tree, tmp_path: Path) -> None:
    root = copied(tmp_path)
    schema = json.loads((root / AVRO / "2-payment_events-value-v2.avsc").read_text())
    next(each for each in schema["fields"] if each["name"] == "currency")["name"] = "currency_code"
    (root / AVRO / "6-payment_events-value-v3.avsc").write_text(json.dumps(schema))
    verdict = SchemaCheck().check(Release(base, Tree("head", tree_at(root), base.contracts)))
    breaking = [each for each in verdict.findings if each.severity is Severity.BREAKING]
    assert [(each.where.dataset, each.where.column) for each in breaking] == [("kafka.payment_events", "currency_code")]
    assert "renamed without an alias" in breaking[0].what
    assert breaking[0].witness is not None and breaking[0].witness.proved
    assert any("2-payment_events-value-v2.avsc against" in each for each in verdict.ran)


def test_the_same_refs_give_the_same_bytes(base: Tree, tmp_path: Path) -> None:
    root = copied(tmp_path)
    file = root / CONTRACTS / "snowflake.RAW.CUSTOMERS.yaml"
    text = file.read_text()
    file.write_text(text.replace("name: EMAIL,", "name: E_MAIL,").replace("VARCHAR(2)", "VARCHAR(1)"))
    release = Release(base, Tree("head", tree_at(root), load_contracts(root / CONTRACTS)))
    said = SchemaCheck().check(release)
    assert {each.rule for each in said.findings} == {"column-renamed", "type-narrowed"}
    assert said.data() == SchemaCheck().check(release).data()


def test_git_tells_of_earlier_contracts() -> None:
    repository = INCLUDE.parent
    if not (repository / ".git").exists():
        pytest.skip("no git checkout")
    versions = GitHistory(repository, "HEAD").versions(f"{CONTRACTS}/snowflake.RAW.CUSTOMERS.yaml")
    assert versions and "RAW.CUSTOMERS" in versions[-1].text
