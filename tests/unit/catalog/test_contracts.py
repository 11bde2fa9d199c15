"""The estate's contracts are complete: what they leave open, a refresh would refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testenv.core.contract import Contract, Store
from testenv.core.drift import canonical_type
from testenv.datasets.contracts import load_contracts

ESTATE = Path(__file__).parents[3] / "include" / "estate"
CONTRACTS = load_contracts()
TABLES = [contract for contract in CONTRACTS.values() if contract.store in (Store.POSTGRES, Store.SNOWFLAKE)]


def of(store: Store) -> list[Contract]:
    return [contract for contract in CONTRACTS.values() if contract.store is store]


def schema(system: str) -> dict[str, dict[str, str]]:
    """Table → column → type as it is declared in the estate's schema file."""
    text = (ESTATE / "schema" / f"{system}.sql").read_text()
    tables = re.findall(r"^CREATE TABLE IF NOT EXISTS ([\w.]+) \((.*?)^\);", text, flags=re.S | re.M)
    column = re.compile(r"^    (\w+) +(\w+(?:\(\d+(?:, \d+)?\))?)", flags=re.M)
    return {name: dict(column.findall(body.replace(" (", "("))) for name, body in tables}


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.id)
def test_every_leaf_is_classified_and_a_sensitive_one_says_what_it_is(contract: Contract) -> None:
    for field in contract.fields:
        assert field.classification, field.path
        assert bool(field.semantic_type) == field.classification.is_sensitive, field.path


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.id)
def test_each_says_whose_it_is_how_fresh_and_what_must_hold(contract: Contract) -> None:
    assert contract.owner
    assert contract.every and contract.late_by
    assert contract.rules
    assert bool(contract.entity) == bool(contract.entity_path)


def test_an_entity_path_ends_at_the_entity_s_key() -> None:
    types = {f"{contract.name}.{f.path}": f.semantic_type for contract in of(Store.POSTGRES) for f in contract.fields}
    for contract in CONTRACTS.values():
        if contract.entity:
            first, *rest = contract.entity_path
            last = types[rest[-1]] if rest else contract.field(first).semantic_type
            assert last == f"{contract.entity}_id", contract.id


def test_each_step_of_an_entity_path_is_a_reference_to_the_next_one_s_table() -> None:
    """So that a row is joined to its entity by keys alone."""
    tables = {contract.name: contract for contract in of(Store.POSTGRES)}
    for contract in CONTRACTS.values():
        if contract.entity:
            here = contract.field(contract.entity_path[0])
            for step in contract.entity_path[1:]:
                table, column = step.split(".")
                assert here.references == f"{table}.{tables[table].key[0]}", contract.id
                here = tables[table].field(column)


def test_a_key_and_what_refers_to_it_are_of_one_semantic_type() -> None:
    """Otherwise they would be masked differently, and the reference would lead nowhere."""
    types = {f"{contract.name}.{f.path}": f.semantic_type for contract in of(Store.POSTGRES) for f in contract.fields}
    for contract in CONTRACTS.values():
        for field in contract.fields:
            if field.references:
                assert field.semantic_type == types[field.references], f"{contract.id}: {field.path}"


@pytest.mark.parametrize("store", [Store.POSTGRES, Store.SNOWFLAKE])
def test_tables_have_the_columns_and_types_of_their_schema(store: Store) -> None:
    declared = schema(store)
    assert declared.keys() == {contract.name for contract in of(store)}
    for contract in of(store):
        columns = {field.column: field for field in contract.fields}
        assert list(columns) == list(declared[contract.name]), contract.id
        for field in contract.fields:
            if field.path == field.column:
                assert canonical_type(field.physical_type) == canonical_type(declared[contract.name][field.column])


def test_topics_have_key_value_and_headers() -> None:
    for contract in of(Store.KAFKA):
        assert {field.column for field in contract.fields} == {"key", "value", "headers"}, contract.id
        assert contract.options["format"] in ("avro", "json")
        assert contract.options["partitions"] > 0


def test_feeds_say_where_they_land() -> None:
    for contract in of(Store.S3):
        assert contract.options["location"].startswith(contract.name + "/"), contract.id
