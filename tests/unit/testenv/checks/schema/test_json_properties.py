"""What is said of two random JSON Schemas is what jsonschema does with documents of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from testenv.checks.schema.json_schema.compare import check, compare
from testenv.checks.schema.json_schema.contain import doubts
from testenv.checks.schema.json_schema.samples import samples
from testenv.checks.schema.json_schema.view import Root, View

MANY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])

TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
LEAVES = [None, True, False, -3, 0, 1, 2, 3, 4, 0.5, 1.0, 1.5, -0.5, "", "a", "b", "aa", "ab", "aab"]
COMMON = ["type", "type", "properties", "required", "items", "minimum", "maxLength", "additionalProperties"]


def document(draw: Random, depth: int = 2) -> Any:
    kind = draw.choice(["leaf", "leaf", "list", "dict"]) if depth else "leaf"
    if kind == "leaf":
        return draw.choice(LEAVES)
    count = draw.randint(0, 3)
    if kind == "list":
        return [document(draw, depth - 1) for _ in range(count)]
    return {name: document(draw, depth - 1) for name in draw.sample(["a", "b", "ab"], count)}


def makers(draw: Random, depth: int) -> dict[str, Callable[[], Any]]:
    def inner() -> Any:
        return schema(draw, depth - 1)

    def several() -> list[Any]:
        return [inner() for _ in range(draw.randint(1, 2))]

    return {
        "type": lambda: draw.choice([draw.choice(TYPES), draw.sample(TYPES, draw.randint(1, 3))]),
        "enum": lambda: [document(draw) for _ in range(draw.randint(1, 3))],
        "const": lambda: document(draw),
        "minimum": lambda: draw.randint(-2, 3),
        "maximum": lambda: draw.randint(-2, 3),
        "exclusiveMinimum": lambda: draw.randint(-2, 3),
        "exclusiveMaximum": lambda: draw.choice([-1, 0.5, 2]),
        "multipleOf": lambda: draw.choice([1, 2, 0.5]),
        "minLength": lambda: draw.randint(0, 3),
        "maxLength": lambda: draw.randint(0, 3),
        "pattern": lambda: draw.choice(["a", "^a", "b$"]),
        "items": inner,
        "prefixItems": several,
        "minItems": lambda: draw.randint(0, 3),
        "maxItems": lambda: draw.randint(0, 3),
        "uniqueItems": lambda: draw.random() < 0.5,
        "properties": lambda: {each: inner() for each in draw.sample(["a", "b", "ab"], draw.randint(0, 2))},
        "patternProperties": lambda: {each: inner() for each in draw.sample(["^a", "b"], draw.randint(0, 2))},
        "additionalProperties": inner,
        "required": lambda: draw.sample(["a", "b", "ab"], draw.randint(0, 2)),
        "minProperties": lambda: draw.randint(0, 3),
        "maxProperties": lambda: draw.randint(0, 3),
        "contains": inner,
        "propertyNames": lambda: {"maxLength": 1},
        "dependentRequired": lambda: {"a": ["b"]},
        "anyOf": several,
        "oneOf": several,
        "allOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "unevaluatedProperties": inner,
        "$ref": lambda: "#/$defs/d",
    }


KEYWORDS = [*makers(Random(0), 1)]


def keyword(draw: Random, depth: int, name: str) -> Any:
    return makers(draw, depth)[name]()


def schema(draw: Random, depth: int = 2) -> Any:
    if not depth or draw.random() < 0.2:
        return draw.choice([True, False, *({"type": each} for each in TYPES)])
    names = {draw.choice([*KEYWORDS, *COMMON * 2]) for _ in range(draw.randint(0, 3))}
    return {name: keyword(draw, depth, name) for name in sorted(names)}


def pair(seed: int) -> tuple[Any, Any]:
    """Two schemas, mostly alike but for one keyword; `d` may refer to what it stands in."""
    draw = Random(seed)
    one = {**{name: keyword(draw, 2, name) for name in {draw.choice(KEYWORDS), draw.choice(COMMON)}}}
    one["$defs"] = {
        "d": draw.choice([schema(draw), {"properties": {"a": {"$ref": "#"}}, "items": {"$ref": "#/$defs/d"}}])
    }
    other = deepcopy(one)
    how = draw.choice(["add", "add", "drop", "inside", "other"])
    if how == "other":
        other = {**keywords_of(draw), "$defs": one["$defs"]}
    elif how == "drop" and len(other) > 1:
        del other[draw.choice([name for name in other if name != "$defs"])]
    else:
        name = draw.choice([*KEYWORDS, *one]) if how == "inside" else draw.choice(KEYWORDS)
        if name != "$defs":
            other[name] = keyword(draw, 2, name)
    return (one, other) if draw.random() < 0.5 else (other, one)


def keywords_of(draw: Random) -> dict[str, Any]:
    return {name: keyword(draw, 2, name) for name in {draw.choice(COMMON), draw.choice(COMMON)}}


SEEDS = st.integers(0, 2**32)


def _valid(schema: Any, document: Any) -> bool:
    try:
        return bool(Root(schema).validator.is_valid(document))
    except RecursionError:
        assume(False)
        return False


def _documents(seed: int, writer: Any) -> list[Any]:
    draw = Random(seed)
    return [*(document(draw) for _ in range(40)), *list(samples(View.of(Root(writer), writer)))[:20]]


@given(SEEDS)
@MANY
def test_what_is_called_compatible_is_valid(seed: int) -> None:
    writer, reader = pair(seed)
    assert not check(writer) and not check(reader)
    differences = compare(writer, reader)
    event("compatible" if not differences else "differs" if any(each.witness for each in differences) else "unsure")
    if not differences:
        for each in _documents(seed, writer):
            assert not _valid(writer, each) or _valid(reader, each), each


@given(SEEDS)
@MANY
def test_a_witness_is_a_document_of_the_writer_alone(seed: int) -> None:
    writer, reader = pair(seed)
    for difference in compare(writer, reader):
        if difference.witness:
            assert _valid(writer, difference.witness.content) and not _valid(reader, difference.witness.content)


@given(SEEDS)
@MANY
def test_a_schema_admits_its_own_documents(seed: int) -> None:
    writer, _ = pair(seed)
    undecided = {"unevaluatedProperties", "contains", "if", "not", "oneOf", "$ref"}
    if not any(f'"{name}"' in json.dumps(writer) for name in undecided):
        assert not doubts(writer, writer)
