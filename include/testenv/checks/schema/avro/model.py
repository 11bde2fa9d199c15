"""Avro schemas as objects: names resolved, so that a schema that holds itself is a cycle of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")


class NotASchema(ValueError):
    """What is no Avro schema, and why."""


@dataclass(frozen=True)
class Logical:
    """A logical type: its name, and precision and scale of a decimal."""

    name: str
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"{self.name}({self.precision},{self.scale})" if self.name == "decimal" else self.name


@dataclass(frozen=True, eq=False)
class Primitive:
    name: str
    logical: Logical | None = None


@dataclass(frozen=True, eq=False)
class Fixed:
    name: str
    aliases: tuple[str, ...]
    size: int
    logical: Logical | None = None


@dataclass(frozen=True, eq=False)
class Enum:
    name: str
    aliases: tuple[str, ...]
    symbols: tuple[str, ...]
    default: str | None = None


@dataclass(frozen=True)
class Field:
    """`default` is the JSON value; whether there is one says `has_default`, for null is a default too."""

    name: str
    type: Node
    aliases: tuple[str, ...] = ()
    has_default: bool = False
    default: Any = None


@dataclass(eq=False)
class Record:
    name: str
    aliases: tuple[str, ...]
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, eq=False)
class Array:
    items: Node


@dataclass(frozen=True, eq=False)
class Map:
    values: Node


@dataclass(frozen=True, eq=False)
class Union:
    branches: tuple[Node, ...]


Node = Primitive | Fixed | Enum | Record | Array | Map | Union
Named = Fixed | Enum | Record
N = TypeVar("N", Fixed, Enum, Record)

_LOGICAL = {
    ("int", "date"),
    ("int", "time-millis"),
    ("long", "time-micros"),
    ("long", "timestamp-millis"),
    ("long", "timestamp-micros"),
    ("long", "timestamp-nanos"),
    ("long", "local-timestamp-millis"),
    ("long", "local-timestamp-micros"),
    ("long", "local-timestamp-nanos"),
    ("string", "uuid"),
}


def label(node: Node) -> str:
    """What to call a type in a message."""
    match node:
        case Primitive():
            return f"{node.name} ({node.logical})" if node.logical else node.name
        case Record() | Enum():
            return f"{type(node).__name__.lower()} {node.name}"
        case Fixed():
            return f"fixed {node.name} of {node.size} bytes"
        case Array():
            return f"array of {label(node.items)}"
        case Map():
            return f"map of {label(node.values)}"
        case Union():
            return "union of " + ", ".join(map(label, node.branches))


def parse(schema: Any, references: Sequence[Any] = ()) -> Node:
    """A schema (JSON, parsed) that may name types of `references`, schemas parsed before it. Raises `NotASchema`."""
    parser = _Parser()
    for each in references:
        parser.node(each, "")
    return parser.node(schema, "")


@dataclass
class _Parser:
    named: dict[str, Named] = field(default_factory=dict)

    def node(self, schema: Any, namespace: str) -> Node:
        match schema:
            case str():
                return self._by_name(schema, namespace)
            case list():
                return self._union(schema, namespace)
            case {"type": "record" | "error"}:
                return self._record(schema, namespace)
            case {"type": "enum"}:
                return self._enum(schema, namespace)
            case {"type": "fixed", "size": int(size)}:
                name, aliases = _names(schema, namespace)
                return self._added(Fixed(name, aliases, size, _logical(schema)))
            case {"type": "array", "items": items}:
                return Array(self.node(items, namespace))
            case {"type": "map", "values": values}:
                return Map(self.node(values, namespace))
            case {"type": str(name)} if name in PRIMITIVES:
                return Primitive(name, _logical(schema))
            case {"type": inner} if inner not in ("fixed", "array", "map"):
                return self.node(inner, namespace)
            case _:
                raise NotASchema(f"{str(schema)[:80]} is no type: a name, a list, or an object with a type is")

    def _by_name(self, name: str, namespace: str) -> Node:
        if name in PRIMITIVES:
            return Primitive(name)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        found = self.named.get(full) or self.named.get(name)
        if found is None:
            raise NotASchema(f"type {name!r} is defined nowhere before it is used")
        return found

    def _union(self, branches: list[Any], namespace: str) -> Union:
        nodes = tuple(self.node(each, namespace) for each in branches)
        kinds = [node.name if hasattr(node, "name") else type(node).__name__ for node in nodes]
        if not nodes or any(isinstance(node, Union) for node in nodes) or len(set(kinds)) < len(kinds):
            raise NotASchema(f"a union has each type once, and no union, got {kinds}")
        return Union(nodes)

    def _record(self, schema: Mapping[str, Any], namespace: str) -> Record:
        name, aliases = _names(schema, namespace)
        record = self._added(Record(name, aliases))
        inner = name.rpartition(".")[0]
        fields = schema.get("fields")
        if not isinstance(fields, list) or not all(isinstance(each, dict) for each in fields):
            raise NotASchema(f"record {name}: fields: must be a list of fields, got {fields!r:.80}")
        record.fields = tuple(self._field(each, inner, name) for each in fields)
        if len({each.name for each in record.fields}) < len(fields):
            raise NotASchema(f"record {name}: a field stands there twice")
        return record

    def _field(self, schema: Mapping[str, Any], namespace: str, record: str) -> Field:
        name = schema.get("name")
        if not isinstance(name, str) or "type" not in schema:
            raise NotASchema(f"record {record}: a field needs a name and a type, got {dict(schema)!r:.80}")
        node = self.node(schema["type"], namespace)
        default = schema.get("default")
        if "default" in schema and not is_default(node, default):
            raise NotASchema(f"record {record}: the default of {name}, {default!r:.40}, is no {label(node)}")
        return Field(name, node, tuple(schema.get("aliases") or ()), "default" in schema, default)

    def _enum(self, schema: Mapping[str, Any], namespace: str) -> Enum:
        name, aliases = _names(schema, namespace)
        symbols = schema.get("symbols")
        if not isinstance(symbols, list) or not symbols or len(set(symbols)) < len(symbols):
            raise NotASchema(f"enum {name}: symbols: must be a list of different names, got {symbols!r:.80}")
        default = schema.get("default")
        if default is not None and default not in symbols:
            raise NotASchema(f"enum {name}: its default {default!r} is none of its symbols")
        return self._added(Enum(name, aliases, tuple(symbols), default))

    def _added(self, node: N) -> N:
        if node.name in self.named:
            raise NotASchema(f"{node.name} is defined twice")
        self.named[node.name] = node
        return node


def is_default(node: Node, value: Any) -> bool:
    """Whether a JSON value can stand as the default of a type; of a union, of any of its branches."""
    match node:
        case Primitive(name="null"):
            return value is None
        case Primitive(name="boolean"):
            return isinstance(value, bool)
        case Primitive(name="int" | "long" as name):
            bits = 31 if name == "int" else 63
            return isinstance(value, int) and not isinstance(value, bool) and -(2**bits) <= value < 2**bits
        case Primitive(name="float" | "double"):
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case Primitive() | Fixed():
            return isinstance(value, str) and (not isinstance(node, Fixed) or len(value) == node.size)
        case Enum():
            return value in node.symbols
        case Array():
            return isinstance(value, list) and all(is_default(node.items, each) for each in value)
        case Map():
            return isinstance(value, dict) and all(is_default(node.values, each) for each in value.values())
        case Union():
            return any(is_default(each, value) for each in node.branches)
        case Record():
            return isinstance(value, dict) and all(
                is_default(each.type, value[each.name]) if each.name in value else each.has_default
                for each in node.fields
            )


def _names(schema: Mapping[str, Any], namespace: str) -> tuple[str, tuple[str, ...]]:
    """Full name and full aliases: an alias without a namespace is of the name's own."""
    name = schema.get("name")
    if not isinstance(name, str) or not name:
        raise NotASchema(f"a {schema['type']} needs a name, got {name!r}")
    if "." not in name and (space := schema.get("namespace", namespace)):
        name = f"{space}.{name}"
    space = name.rpartition(".")[0]
    aliases = schema.get("aliases") or ()
    return name, tuple(alias if "." in alias or not space else f"{space}.{alias}" for alias in aliases)


def _logical(schema: Mapping[str, Any]) -> Logical | None:
    """The logical type, if it is one of its type's: the specification has the others ignored."""
    name, base = schema.get("logicalType"), schema["type"]
    if name == "decimal" and base in ("bytes", "fixed") and isinstance(schema.get("precision"), int):
        return Logical("decimal", schema["precision"], int(schema.get("scale") or 0))
    return Logical(str(name)) if (base, name) in _LOGICAL else None
