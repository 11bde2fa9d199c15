"""JSON Schemas keyword by keyword: compatible, different with a document, or unsure."""

from __future__ import annotations

from typing import Any

import pytest

from testenv.checks.schema.json_schema.compare import check, compare


def obj(required: tuple[str, ...] = (), closed: bool = True, **properties: Any) -> dict[str, Any]:
    open_or_not = {"additionalProperties": False} if closed else {}
    return {"type": "object", "properties": properties, "required": [*required], **open_or_not}


INT, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
LIST = {"$ref": "#/$defs/node", "$defs": {"node": obj(value=INT, next={"$ref": "#/$defs/node"})}}
NUMBERS = {**LIST, "$defs": {"node": obj(value={"type": "number"}, next={"$ref": "#/$defs/node"})}}
KINDS = {
    "oneOf": [
        obj(("kind",), kind={"const": "a"}, n=INT),
        obj(("kind",), kind={"const": "b"}, t=TEXT),
    ]
}
MORE_KINDS = {"oneOf": [*KINDS["oneOf"], obj(("kind",), kind={"const": "c"})]}
OLD = {"$schema": "http://json-schema.org/draft-04/schema#"}

COMPATIBLE = {
    "a type more": (TEXT, {"type": ["string", "null"]}),
    "integers are numbers": (INT, {"type": "number"}),
    "an optional property of a closed object": (obj(a=INT), obj(a=INT, b=TEXT)),
    "no longer required": (obj(("a",), a=INT), obj(a=INT)),
    "opened": (obj(a=INT), obj(a=INT, closed=False)),
    "a listed value more": ({"enum": ["a"]}, {"enum": ["a", "b"]}),
    "listed values of a type": ({"enum": ["a", "b"]}, {"type": "string", "maxLength": 1}),
    "a wider range": ({**INT, "minimum": 1}, {**INT, "exclusiveMinimum": 0}),
    "longer": ({**TEXT, "maxLength": 3}, {**TEXT, "maxLength": 5}),
    "of half the step": ({**INT, "multipleOf": 4}, {**INT, "multipleOf": 2}),
    "patterns of a closed object": (
        {**obj(b=INT), "patternProperties": {"^a": INT}},
        {**obj(b=INT), "patternProperties": {"^a": NUMBER, "b$": NUMBER}},
    ),
    "recursion": (LIST, NUMBERS),
    "an alternative more": ({"anyOf": [INT, TEXT]}, {"anyOf": [TEXT, INT, {"type": "null"}]}),
    "types as alternatives": ({"type": ["integer", "string"]}, {"anyOf": [TEXT, {"type": "number"}]}),
    "a tagged alternative more": (KINDS, MORE_KINDS),
    "definitions written out": (LIST, {**LIST["$defs"]["node"], "$defs": LIST["$defs"]}),
    "draft 4's way of excluding": (
        {**OLD, "type": "integer", "minimum": 0, "exclusiveMinimum": True},
        {**OLD, "type": "integer", "minimum": 0},
    ),
    "a tuple with one place more": ({"prefixItems": [INT], "maxItems": 1}, {"prefixItems": [INT, TEXT]}),
    "what is excluded has another type": (TEXT, {"not": {"type": "null"}}),
}

DIFFERENT: dict[str, tuple[Any, Any, str, str]] = {
    "a type less": ({"type": ["string", "null"]}, TEXT, "type-narrowed", ""),
    "numbers are no integers": ({"type": "number"}, INT, "type-narrowed", ""),
    "a property of an open object": (obj(a=INT, closed=False), obj(a=INT, b=TEXT, closed=False), "type-narrowed", "b"),
    "required": (obj(a=INT), obj(("a",), a=INT), "property-required", "a"),
    "a pattern's properties are no others": (
        {"patternProperties": {"^a": INT}, "additionalProperties": TEXT},
        {"type": "object", "additionalProperties": TEXT},
        "type-narrowed",
        "a",
    ),
    "closed": (obj(a=INT, closed=False), obj(a=INT), "refused", "other"),
    "a property gone from a closed object": (obj(a=INT, b=INT), obj(a=INT), "refused", "b"),
    "a listed value less": ({"enum": ["a", "b"]}, {"enum": ["a"]}, "value-refused", ""),
    "listed": (TEXT, {"enum": ["a"]}, "values-listed", ""),
    "a narrower range": ({**INT, "minimum": 0}, {**INT, "minimum": 1}, "range-narrowed", ""),
    "an excluded bound": ({**NUMBER, "minimum": 0}, {**NUMBER, "exclusiveMinimum": 0}, "range-narrowed", ""),
    "shorter": (obj(a=TEXT), obj(a={**TEXT, "maxLength": 5}), "size-narrowed", "a"),
    "a pattern": (TEXT, {**TEXT, "pattern": "^[A-Z]+$"}, "pattern-narrowed", ""),
    "fewer items": ({"type": "array"}, {"type": "array", "maxItems": 2}, "size-narrowed", ""),
    "items of another type": ({"type": "array", "items": INT}, {"type": "array", "items": TEXT}, "type-narrowed", "[]"),
    "no item twice": ({"type": "array", "items": INT}, {"type": "array", "uniqueItems": True}, "unique-required", ""),
    "a tagged alternative less": (MORE_KINDS, KINDS, "alternative-missing", ""),
    "in recursion": (NUMBERS, LIST, "type-narrowed", "value"),
    "excluded": (TEXT, {"not": {"const": "a"}}, "value-refused", ""),
}

UNSURE = {
    "patterns that no text of ours tells apart": ({**TEXT, "pattern": "^x{9}$"}, {**TEXT, "pattern": "^(xxx){3}$"}),
    "a reference out of the document": (TEXT, {"$ref": "https://example.com/a.json"}),
    "unevaluated": (obj(a=INT), {**obj(a=INT, closed=False), "unevaluatedProperties": False}),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_compatible(name: str) -> None:
    assert compare(*COMPATIBLE[name]) == []


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_with_a_document(name: str) -> None:
    writer, reader, rule, path = DIFFERENT[name]
    found = compare(writer, reader)
    proved = [each for each in found if each.witness is not None and each.witness.proved]
    assert (rule, path) in {(each.rule, each.path) for each in proved}, found


@pytest.mark.parametrize("name", UNSURE)
def test_unsure_is_no_compatibility(name: str) -> None:
    found = compare(*UNSURE[name])
    assert found and all(each.witness is None for each in found)


@pytest.mark.parametrize("schema", [{"type": "text"}, {"properties": []}, [], {"minLength": "1"}])
def test_what_is_no_schema(schema: Any) -> None:
    assert check(schema)
