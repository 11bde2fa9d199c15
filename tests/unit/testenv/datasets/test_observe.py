"""Documents and Avro schemas are walked to the paths that contracts name."""

from __future__ import annotations

from collections import defaultdict

import pytest

from testenv.datasets.observe import one_type, walk
from testenv.datasets.observe_kafka import avro_fields


def test_every_leaf_of_a_document_has_a_path_and_a_type() -> None:
    types: dict[str, set[str]] = defaultdict(set)
    walk({"id": 1, "lines": [{"amount": 1.5}, {"amount": None, "ok": True}], "none": []}, "value", types)
    assert types == {
        "value.id": {"integer"},
        "value.lines[].amount": {"number", "null"},
        "value.lines[].ok": {"boolean"},
    }


@pytest.mark.parametrize(
    ("types", "one"),
    [
        ({"string", "null"}, "string"),
        ({"null"}, "null"),
        ({"integer", "number"}, "number"),
        ({"integer", "string"}, "integer or string"),
    ],
)
def test_a_path_of_several_types_is_called_by_all_of_them(types: set[str], one: str) -> None:
    assert one_type(types) == one


def test_an_avro_schema_has_its_leaves_paths_and_primitive_types() -> None:
    address = {"type": "record", "name": "Address", "fields": [{"name": "city", "type": ["null", "string"]}]}
    schema = {
        "type": "record",
        "name": "Person",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A"]}},
            {"name": "home", "type": address},
            {"name": "others", "type": {"type": "array", "items": "Address"}},
            {"name": "tags", "type": {"type": "map", "values": "string"}},
        ],
    }
    assert dict(avro_fields(schema, "value", {})) == {
        "value.id": "long",
        "value.at": "long",
        "value.kind": "enum",
        "value.home.city": "string",
        "value.others[].city": "string",
        "value.tags.*": "string",
    }


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    schema = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    assert list(avro_fields(schema, "value", {}))
