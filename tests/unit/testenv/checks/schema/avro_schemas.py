"""Random Avro schemas, changes of them, and random records, for the property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from testenv.checks.schema.avro.model import Array, Enum, Fixed, Map, Node, Primitive, Record, Union
from testenv.checks.schema.avro.witness import Branch, NoRecord, build

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
LOGICAL = [
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "string", "logicalType": "uuid"},
    {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 0},
]
DEFAULTS: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "int": 1,
    "long": 1,
    "float": 1.5,
    "double": 1.5,
    "bytes": "a",
    "string": "a",
}


class Draws:
    """One drawn schema: names are defined once and may be used again, in themselves too."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.defined: list[str] = []

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def node(self, depth: int, in_union: bool = False) -> Any:
        kinds = ["primitive"] * 3 + ["logical", "enum", "fixed"]
        if depth > 0:
            kinds += ["record", "record", "array", "map"] + ([] if in_union else ["union", "union"])
        if self.defined:
            kinds.append("named")
        kind = self.pick(*kinds)
        match kind:
            case "primitive":
                return self.pick(*PRIMITIVES)
            case "logical":
                return self.pick(*LOGICAL)
            case "named":
                return self.pick(*self.defined)
            case "array":
                return {"type": "array", "items": self.node(depth - 1)}
            case "map":
                return {"type": "map", "values": self.node(depth - 1)}
            case "union":
                return self._union(depth)
        free = [name for name in ("n.A", "n.B", "n.C") if name not in self.defined]
        if not free:
            return self.pick(*PRIMITIVES)
        name = self.pick(*free)
        self.defined.append(name)
        aliases = {"aliases": [self.pick("n.A", "B", "C")]} if self.pick(True, False, False) else {}
        match kind:
            case "enum":
                symbols = self.draw(st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True))
                default = {"default": symbols[0]} if self.pick(True, False, False) else {}
                return {"type": "enum", "name": name, "symbols": symbols, **default, **aliases}
            case "fixed":
                return {"type": "fixed", "name": name, "size": self.pick(1, 2), **aliases}
            case _:
                names = self.draw(st.lists(st.sampled_from("fgh"), max_size=3, unique=True))
                fields = [self._field(each, depth) for each in names]
                return {"type": "record", "name": name, "fields": fields, **aliases}

    def _union(self, depth: int) -> list[Any]:
        branches: dict[str, Any] = {}
        for _ in range(self.pick(1, 2, 3)):
            node = self.node(depth - 1, in_union=True)
            key = node if isinstance(node, str) else node.get("name", node["type"])
            branches.setdefault(key, node)
        return list(branches.values())

    def _field(self, name: str, depth: int) -> dict[str, Any]:
        type_ = self.node(depth - 1)
        default = {}
        if isinstance(type_, str) and type_ in DEFAULTS and self.pick(True, False):
            default = {"default": DEFAULTS[type_]}
        aliases = {"aliases": [self.pick("f", "g", "h")]} if self.pick(True, False, False, False) else {}
        return {"name": name, "type": type_, **default, **aliases}


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    return Draws(draw).node(3)


@st.composite
def changed(draw: st.DrawFn, schema: Any) -> Any:
    """The schema with a change or two somewhere, so that pairs are alike more often than two random schemas are."""
    for _ in range(draw(st.integers(0, 2))):
        schema = _change(draw, schema)
    return schema


def _change(draw: st.DrawFn, schema: Any) -> Any:
    match schema:
        case str() if schema in PRIMITIVES:
            return draw(st.sampled_from([*PRIMITIVES, ["null", schema] if schema != "null" else "null"]))
        case list() if schema:
            number = draw(st.integers(0, len(schema) - 1))
            if draw(st.booleans()) and len(schema) > 1:
                return [each for index, each in enumerate(schema) if index != number]
            return schema[::-1]
        case {"type": "record", "fields": fields} if fields:
            number = draw(st.integers(0, len(fields) - 1))
            how = draw(st.sampled_from(["drop", "default", "rename", "alias", "inside", "reorder"]))
            one = dict(fields[number])
            if how == "drop":
                return {**schema, "fields": fields[:number] + fields[number + 1 :]}
            if how == "reorder":
                return {**schema, "fields": fields[::-1]}
            if how == "default":
                one.pop("default", None)
            elif how == "inside":
                one.pop("default", None)
                one["type"] = _change(draw, one["type"])
            else:
                old, one["name"] = one["name"], "k"
                if how == "alias":
                    one["aliases"] = [old]
            return {**schema, "fields": [*fields[:number], one, *fields[number + 1 :]]}
        case {"type": "enum", "symbols": [_, *rest]} if rest:
            return {**schema, "symbols": rest, **({"default": rest[0]} if "default" in schema else {})}
        case {"type": "array", "items": items}:
            return {**schema, "items": _change(draw, items)}
        case {"type": "map", "values": values}:
            return {**schema, "values": _change(draw, values)}
        case _:
            return schema


@st.composite
def records(draw: st.DrawFn, node: Node, depth: int = 4) -> Any:
    """A value of a schema, in the form that `encode` takes; below `depth`, the smallest."""
    if depth <= 0:
        try:
            return build(node)
        except NoRecord:
            reject()
    match node:
        case Primitive():
            return draw(_primitive(node))
        case Fixed():
            return draw(st.binary(min_size=node.size, max_size=node.size))
        case Enum():
            return draw(st.integers(0, len(node.symbols) - 1))
        case Array():
            return [draw(records(node.items, depth - 1)) for _ in range(draw(st.integers(0, 2)))]
        case Map():
            return {
                key: draw(records(node.values, depth - 1)) for key in draw(st.sets(st.text(max_size=2), max_size=2))
            }
        case Union():
            number = draw(st.integers(0, len(node.branches) - 1))
            return Branch(number, draw(records(node.branches[number], depth - 1)))
        case Record():
            return {each.name: draw(records(each.type, depth - 1)) for each in node.fields}


def _primitive(node: Primitive) -> st.SearchStrategy[Any]:
    if node.logical and node.logical.name == "uuid":
        return st.uuids().map(str)
    if node.logical and node.logical.name == "decimal":
        return st.integers(-(10**node.logical.precision) + 1, 10**node.logical.precision - 1)
    if node.logical:
        return st.integers(0, 2_900_000 if node.logical.name == "date" else 80_000_000)
    return {
        "null": st.none(),
        "boolean": st.booleans(),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "float": st.floats(width=32),
        "double": st.floats(),
        "bytes": st.binary(max_size=3),
        "string": st.text(max_size=3),
    }[node.name]
