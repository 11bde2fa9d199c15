"""Documents are profiled leaf by leaf, and generated ones have the shape of those that they stand in for."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.testenv.datasets.synthesize.contracts_of_a_shop import HEAD

from testenv.core.errors import Invalid
from testenv.datasets.contracts import parse_contract
from testenv.datasets.synthesize.documents import leaves, nested
from testenv.datasets.synthesize.generate import generate
from testenv.datasets.synthesize.model import Profile, Semantic
from testenv.datasets.synthesize.profile import profile

LOANS = parse_contract(f"""{HEAD}
id: postgres.loans
customProperties: [{{property: entity, value: person}}, {{property: entityPath, value: [id]}}]
schema:
  - name: loans
    properties:
      - {{name: id, logicalType: integer, primaryKey: true, classification: pseudonym, semanticType: loan_id}}
      - name: terms
        logicalType: object
        required: true
        properties:
          - {{name: rate, logicalType: number, classification: internal}}
          - name: issued
            logicalType: object
            properties:
              - {{name: 'on', logicalType: date, physicalType: string, classification: internal}}
              - {{name: number, logicalType: integer, physicalType: string, classification: internal}}
          - {{name: tags, logicalType: array, items: {{logicalType: string, classification: internal}}}}
          - name: guarantors
            logicalType: array
            items:
              logicalType: object
              properties:
                - {{name: name, logicalType: string, classification: identifier, semanticType: person_name}}
                - {{name: address, logicalType: object, properties: [
                    {{name: city, logicalType: string, classification: internal}}]}}
      - {{name: currency, logicalType: string, classification: public}}
""")
ROWS = 1200


def terms(row: int) -> dict[str, Any] | None:
    if row % 12 == 0:
        return {} if row % 24 else {"guarantors": None, "issued": None}
    return {
        "rate": 2.5 if row % 3 else 4.25,
        "issued": {"on": f"2024-02-{1 + row % 28:02d}", "number": str(row % 7)},
        "tags": ["new", "old"][: row % 3],
        "guarantors": [{"name": f"Anna {row}", "address": {"city": "Oslo"}} for _ in range(row % 4)],
    }


@pytest.fixture(scope="module")
def loans() -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "terms": [json.dumps(terms(row)) for row in range(ROWS)],
            "currency": ["EUR"] * ROWS,
        }
    )


@pytest.fixture(scope="module")
def made_of(loans: pa.RecordBatch) -> Profile:
    return profile({LOANS.id: LOANS}, {LOANS.id: [loans]})


@pytest.fixture(scope="module")
def generated(made_of: Profile) -> list[dict[str, Any]]:
    rows = nested(LOANS, generate(made_of, LOANS.id, 0, ROWS, 1))
    assert rows.schema.names == ["id", "terms", "currency"]
    assert rows.schema.field("terms").type == pa.string()
    return [json.loads(text) for text in rows.column("terms").to_pylist()]


def test_a_document_is_taken_apart_at_the_leaves_of_its_contract(loans: pa.RecordBatch) -> None:
    found = leaves(LOANS, pa.Table.from_batches([loans]))
    assert list(found.flat) == ["id", "terms.rate", "terms.issued.on", "terms.issued.number", "currency"]
    assert found.flat["terms.issued.on"].type == pa.date32()
    assert found.flat["terms.issued.number"].to_pylist()[:3] == [None, 1, 2]
    assert found.lists["terms.guarantors[]"].lengths.to_pylist()[:5] == [None, 1, 2, 3, 0]
    assert found.lists["terms.guarantors[]"].leaves["terms.guarantors[].name"].to_pylist()[:2] == ["Anna 1", "Anna 2"]
    tags = [tag for row in range(ROWS) for tag in (terms(row) or {}).get("tags") or ()]
    assert found.lists["terms.tags[]"].leaves["terms.tags[]"].to_pylist() == tags


def test_generated_documents_have_the_values_and_types_of_the_real_ones(generated: list[dict[str, Any]]) -> None:
    rates = [each["rate"] for each in generated if "rate" in each]
    assert {min(rates), max(rates)} == {2.5, 4.25} and len(rates) == pytest.approx(ROWS * 11 / 12, abs=60)
    assert all(round(rate, 2) == rate for rate in rates), "in the rates' own grain"
    issued = [each["issued"] for each in generated if "issued" in each]
    assert {each["on"][:8] for each in issued if "on" in each} == {"2024-02-"}
    assert {each["number"] for each in issued if "number" in each} == set("0123456")


def test_generated_lists_have_the_lengths_and_items_of_the_real_ones(generated: list[dict[str, Any]]) -> None:
    for name, real in (("guarantors", {0: 200, 1: 300, 2: 300, 3: 300, None: 100}), ("tags", None)):
        lengths = Counter(None if each.get(name) is None else len(each[name]) for each in generated)
        assert lengths.keys() <= {0, 1, 2, 3, None}
        for length, rows in (real or {}).items():
            assert lengths[length] == pytest.approx(rows, abs=60), (name, length)
    assert {tag for each in generated for tag in each.get("tags") or ()} == {"new", "old"}
    people = [person for each in generated for person in each.get("guarantors") or ()]
    assert {person["address"]["city"] for person in people} == {"Oslo"}
    assert len({person["name"] for person in people}) > 50
    assert not any("Anna" in person["name"] for person in people)


def test_of_what_is_sensitive_in_a_document_nothing_is_told(made_of: Profile) -> None:
    assert "Anna" not in made_of.to_json()
    assert made_of.tables[LOANS.id].column("terms.guarantors[2].name").draw == Semantic("person_name")


def test_lists_in_lists_are_refused() -> None:
    field = LOANS.fields[1].model_copy(update={"path": "terms.a[].b[].c"})
    deep = LOANS.model_copy(update={"fields": (*LOANS.fields, field)})
    with pytest.raises(Invalid, match="postgres.loans has lists within lists"):
        leaves(deep, pa.table({"id": [1]}))
