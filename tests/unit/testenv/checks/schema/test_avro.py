"""Resolution rule by rule: what is found, where, and the record that shows it."""

from __future__ import annotations

from typing import Any

import pytest

from testenv.checks.schema.avro.model import NotASchema, parse
from testenv.checks.schema.avro.proof import as_schema, prove
from testenv.checks.schema.avro.resolve import Effect, resolve


def record(*fields: Any, name: str = "n.R", **more: Any) -> dict[str, Any]:
    named = [{"name": each[0], "type": each[1], **(each[2] if len(each) > 2 else {})} for each in fields]
    return {"type": "record", "name": name, "fields": named, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "n.E", "symbols": [*symbols], **more}


def fixed(size: int) -> dict[str, Any]:
    return {"type": "fixed", "name": "n.F", "size": size}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


TREE = record(("value", "int"), ("next", ["null", "R"]))
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}

READABLE = {
    "promotion": ("int", "long"),
    "text as bytes": ("string", "bytes"),
    "fields in another order": (record(("a", "int"), ("b", "int")), record(("b", "int"), ("a", "int"))),
    "a field less": (record(("a", "int"), ("b", "int")), record(("a", "int"))),
    "a field more with null as default": (record(), record(("a", ["null", "int"], {"default": None}))),
    "an alias of a field": (record(("a", "int")), record(("b", "int", {"aliases": ["a"]}))),
    "an alias of a record": (record(), record(name="n.S", aliases=["R"])),
    "another namespace": (record(), record(name="m.R")),
    "a union that grows": (["null", "int"], ["null", "string", "int"]),
    "out of a union of one": (["int"], "long"),
    "into a union": ("int", ["null", "long"]),
    "an enum that grows": (enum("a"), enum("a", "b")),
    "itself, in itself": (TREE, TREE),
    "a list's items promoted": (array("int"), array("double")),
    "a decimal with more digits": (decimal(4, 2), decimal(6, 2)),
}

BROKEN: dict[str, tuple[Any, Any, str, str, Any]] = {
    "narrowed": ("long", "int", "type-changed", "", 0),
    "out of a union": (["null", "int"], "int", "type-changed", "", None),
    "a branch gone": (["null", "int", "string"], ["null", "int"], "branch-missing", "", {"string": ""}),
    "a field more": (record(), record(("a", "int")), "field-missing", "a", {}),
    "a symbol gone": (record(("e", enum("a", "b"))), record(("e", enum("a"))), "symbol-missing", "e", {"e": "b"}),
    "another size": (fixed(2), fixed(3), "size-changed", "", "\x00\x00"),
    "another name": (enum("a"), {**enum("a"), "name": "n.X"}, "type-renamed", "", "a"),
    "bytes as text": ("bytes", "string", "bytes-as-string", "", "\xff"),
    "deep inside": (
        record(("l", array({"type": "map", "values": ["null", enum("a", "b")]}))),
        record(("l", array({"type": "map", "values": ["null", enum("a")]}))),
        "symbol-missing",
        "l[].*",
        {"l": [{"key": {"n.E": "b"}}]},
    ),
    "in itself": (
        TREE,
        record(("value", "int"), ("next", ["null", record(("value", "string"), name="m.R")])),
        "type-changed",
        "next.value",
        {"value": 0, "next": {"n.R": {"value": 0, "next": None}}},
    ),
    "a first branch that matches and cannot be read": (
        array(["null", "int"]),
        [array(["null", "string"])],
        "branch-missing",
        "[]",
        [{"int": 0}],
    ),
}

MISREAD: dict[str, tuple[Any, Any]] = {
    "another unit": (MILLIS, MICROS),
    "another scale": (decimal(4, 2), decimal(4, 0)),
    "fewer digits": (decimal(6, 2), decimal(4, 2)),
    "another kind of time": ({"type": "int", "logicalType": "date"}, {"type": "int", "logicalType": "time-millis"}),
}

CHANGED: dict[str, tuple[Any, Any, str]] = {
    "long as double": ("long", "double", "number-inexact"),
    "a symbol as the default": (enum("a", "b"), enum("a", default="a"), "symbol-missing"),
    "renamed under a default": (
        record(("shop", "string")),
        record(("shop_name", "string", {"default": ""})),
        "field-renamed",
    ),
}


@pytest.mark.parametrize("name", READABLE)
def test_readable(name: str) -> None:
    writer, reader = map(parse, READABLE[name])
    assert [each for each in resolve(writer, reader) if each.effect is not Effect.CHANGED] == []


@pytest.mark.parametrize("name", BROKEN)
def test_unreadable_with_a_record(name: str) -> None:
    writer, reader, rule, path, content = BROKEN[name]
    old, new = parse(writer), parse(reader)
    (problem,) = resolve(old, new)
    assert (problem.rule, problem.path, problem.effect) == (rule, path, Effect.UNREADABLE)
    witness = prove(problem, old, new)
    assert witness is not None and witness.proved
    assert witness.content == content


@pytest.mark.parametrize("name", MISREAD)
def test_read_as_another_value(name: str) -> None:
    writer, reader = map(parse, MISREAD[name])
    (problem,) = resolve(writer, reader)
    witness = prove(problem, writer, reader)
    assert problem.effect is Effect.MISREAD
    assert witness is not None and witness.proved, witness


@pytest.mark.parametrize("name", CHANGED)
def test_readable_with_a_loss(name: str) -> None:
    old, new, rule = CHANGED[name]
    writer, reader = parse(old), parse(new)
    (problem,) = resolve(writer, reader)
    witness = prove(problem, writer, reader)
    assert (problem.rule, problem.effect) == (rule, Effect.CHANGED)
    assert witness is not None and witness.proved


def test_a_record_that_always_holds_itself_has_no_witness() -> None:
    writer = parse(record(("self", "R")))
    reader = parse(record(("self", "R"), ("a", "int")))
    assert prove(resolve(writer, reader)[0], writer, reader) is None


def test_two_fields_for_one_of_the_readers() -> None:
    writer, reader = parse(record(("f", "int"), ("g", "int"))), parse(record(("g", "int", {"aliases": ["f"]})))
    assert [each.rule for each in resolve(writer, reader)] == ["alias-ambiguous"]


@pytest.mark.parametrize(
    "schema",
    [
        "text",
        {"type": "record", "name": "R"},
        {"type": "record", "fields": []},
        record(("a", "int"), ("a", "int")),
        record(("a", "int", {"default": "1"})),
        record(("a", ["null", "int"], {"default": "x"})),
        enum("a", "a"),
        enum("a", default="b"),
        ["int", "int"],
        ["int", ["null"]],
        [],
        {"type": "fixed", "name": "F"},
        array("n.R"),
        [record(), record()],
    ],
)
def test_what_is_no_schema(schema: Any) -> None:
    with pytest.raises(NotASchema):
        parse(schema)


def test_names_of_references_are_known() -> None:
    node = parse(record(("e", "n.E")), [enum("a")])
    assert as_schema(node)["fields"][0]["type"]["symbols"] == ["a"]
