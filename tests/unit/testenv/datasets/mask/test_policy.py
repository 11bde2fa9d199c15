"""A policy is compiled of the contracts, and refuses all that it cannot promise, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testenv.core.contract import Classification, Contract, Field, Store
from testenv.core.errors import InvalidCatalog
from testenv.datasets.contracts import load_contracts
from testenv.datasets.mask.policy import SemanticTypes, compile_policy, load_semantic_types
from testenv.datasets.mask.registry import guarantees_table
from testenv.datasets.mask.rules import Policy

REPO = Path(__file__).resolve().parents[5]
TYPES = """
semantic_types:
  email: {strategy: email}
  short: {strategy: token, params: {width: 8}}
  name: {strategy: person_name}
  customer_id: {strategy: number}
  born: {strategy: date_shift}
  shown: {strategy: keep}
"""


@pytest.fixture
def types(tmp_path: Path) -> SemanticTypes:
    file = tmp_path / "masking.yaml"
    file.write_text(TYPES)
    return load_semantic_types(file)


def field(path: str, semantic_type: str = "", **more: Any) -> Field:
    sensitive: dict[str, Any] = {"type": "string", "classification": Classification.IDENTIFIER}
    return Field(path=path, semantic_type=semantic_type, **(sensitive | more))


def contract(*fields: Field, name: str = "people", **more: Any) -> Contract:
    id_ = f"postgres.{name}"
    return Contract(id=id_, version="1", store=Store.POSTGRES, name=name, owner="", fields=fields, **more)


def refusals(types: SemanticTypes, *contracts: Contract) -> list[str]:
    with pytest.raises(InvalidCatalog) as refused:
        compile_policy({each.id: each for each in contracts}, types)
    return str(refused.value).splitlines()


def test_the_estate_s_contracts_make_a_policy_of_every_leaf() -> None:
    contracts = load_contracts()
    policy = compile_policy(contracts)
    for id_, each in contracts.items():
        assert [rule.path for rule in policy[id_].rules] == [leaf.path for leaf in each.fields]
        for leaf in each.fields:
            assert leaf.classification is not None
            assert policy[id_].by_path[leaf.path].keeps is not leaf.classification.is_sensitive


def test_every_refusal_is_listed_at_once(types: SemanticTypes) -> None:
    found = refusals(
        types,
        contract(
            field("a", classification=None),
            field("b"),
            field("c", "nobody_knows"),
            field("d", "email", type="integer"),
            field("e", "short", unique=True),
            field("f", "name", unique=True),
            field("g", "shown"),
            field("h", "born", type="date"),
            field("i", "customer_id", type="integer", physical_type="integer"),
            field("j", "email", physical_type="varchar(20)"),
        ),
    )
    for line, (path, reason) in zip(
        found,
        [
            ("a", "is unclassified"),
            ("b", "says not what it is"),
            ("c", "'nobody_knows' is unknown"),
            ("d", "is of type integer; email masks string"),
            ("e", "is unique, and token gives two of 50,000,000 values one token"),
            ("f", "is unique, and person_name"),
            ("g", "keep hides nothing"),
            ("h", "date_shift needs an entity"),
            ("i", "numbers of 40 bits do not fit integer: set bits to 30"),
            ("j", "have 30 characters and do not fit varchar(20)"),
        ],
        strict=True,
    ):
        assert line.startswith(f"postgres.people: {path}: ") and reason in line


def test_the_chance_of_a_collision_is_of_the_rows_there_are(types: SemanticTypes) -> None:
    people = contract(field("e", "short", unique=True))
    assert compile_policy({people.id: people}, types, {people.id: 80})
    with pytest.raises(InvalidCatalog, match="two of 100 values"):
        compile_policy({people.id: people}, types, {people.id: 100})


def test_a_foreign_key_is_masked_as_what_it_refers_to(types: SemanticTypes) -> None:
    key = field("customer_id", "customer_id", type="integer", primary_key=True, unique=True)
    kept = field("owner", type="integer", classification=Classification.INTERNAL, references="people.customer_id")
    (line,) = refusals(types, contract(key), contract(kept, name="accounts"))
    assert line.startswith("postgres.accounts: owner: is masked as nothing and refers to people.customer_id")


def test_what_is_not_sensitive_is_kept(types: SemanticTypes) -> None:
    people = contract(field("x", "email", classification=Classification.INTERNAL))
    assert compile_policy({people.id: people}, types)[people.id].by_path["x"].keeps


def test_a_policy_s_digest_is_of_its_rules_alone(types: SemanticTypes) -> None:
    people, more = contract(field("x", "email")), contract(field("x", "name"), name="more")
    policy = compile_policy({people.id: people, more.id: more}, types)
    assert policy.digest == compile_policy({more.id: more, people.id: people}, types).digest
    assert policy.digest != compile_policy({people.id: people}, types).digest
    assert Policy.from_json(policy.to_json()) == policy


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{strategy: rot13}", "there is no strategy 'rot13'"),
        ("{strategy: token, params: {length: 3}}", "token has no parameter 'length'; it has ['width']"),
        ("{strategy: token, params: {width: 3}}", "width: must be from 8 to 32 letters, got 3"),
        ("{strategy: number, params: {bits: 41}}", "bits: must be even and from 8 to 62, got 41"),
        ("{strategy: date_shift, params: {days: 400}}", "days: must be from 1 to 180, got 400"),
        ("{strategy: pan}", "rest"),
        ("{strategy: pan, params: {rest: '999999', bins: {'411111': '999999'}}}", "each test BIN may stand once"),
        ("{strategy: pan, params: {rest: 999999}}", "a BIN has 6 digits, in quotes, got 999999"),
    ],
)
def test_a_wrong_strategy_is_named(tmp_path: Path, entry: str, reason: str) -> None:
    file = tmp_path / "masking.yaml"
    file.write_text(f"semantic_types:\n  x: {entry}\n  y: {{strategy: nothing}}\n")
    with pytest.raises(InvalidCatalog) as refused:
        load_semantic_types(file)
    first, second = str(refused.value).splitlines()
    assert first.startswith("masking.yaml: semantic_types.x: ") and reason in first
    assert "semantic_types.y: there is no strategy 'nothing'" in second


def test_the_page_says_what_the_code_promises() -> None:
    assert guarantees_table() in (REPO / "docs/masking.md").read_text(encoding="utf-8")
