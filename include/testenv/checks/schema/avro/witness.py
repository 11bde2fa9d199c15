"""A record of a schema: the smallest, or the smallest with a given value at the end of a given way."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from pydantic import JsonValue

from testenv.checks.schema.avro.model import Array, Enum, Fixed, Map, Node, Primitive, Record, Union
from testenv.checks.schema.avro.resolve import ANY_UUID, Step


@dataclass(frozen=True)
class Branch:
    """A value of a union, and which of its branches it is of: a value alone may be of several."""

    number: int
    value: Any


class NoRecord(ValueError):
    """A schema of which no finite record exists."""


_SMALLEST: dict[str, Any] = {
    "null": None,
    "boolean": False,
    "int": 0,
    "long": 0,
    "float": 0.0,
    "double": 0.0,
    "bytes": b"",
    "string": "",
}


def build(node: Node, steps: Sequence[Step] = (), value: Any = None) -> Any:
    """A value of `node` that has `value` at the end of `steps`, or any value where it is None. Raises `NoRecord`.

    Records are dicts, unions `Branch`es, an enum's value is the number of its symbol.
    """
    if not steps:
        return _smallest(node) if value is None else value
    (kind, number), *rest = steps
    match node:
        case Record():
            return {
                each.name: build(each.type, rest, value) if index == number else _smallest(each.type)
                for index, each in enumerate(node.fields)
            }
        case Union():
            return Branch(number, build(node.branches[number], rest, value))
        case Array():
            return [build(node.items, rest, value)]
        case Map():
            return {"key": build(node.values, rest, value)}
        case _:
            raise AssertionError(f"{kind} leads nowhere from a leaf")


def _smallest(node: Node) -> Any:
    if _depth(node, frozenset()) == inf:
        raise NoRecord("no finite record has this type: it always holds itself")
    match node:
        case Primitive():
            return ANY_UUID if node.logical and node.logical.name == "uuid" else _SMALLEST[node.name]
        case Fixed():
            return bytes(node.size)
        case Enum():
            return 0
        case Array():
            return []
        case Map():
            return {}
        case Record():
            return {each.name: _smallest(each.type) for each in node.fields}
        case Union():
            depths = [_depth(branch, frozenset()) for branch in node.branches]
            number = depths.index(min(depths))
            return Branch(number, _smallest(node.branches[number]))


def _depth(node: Node, within: frozenset[int]) -> float:
    """How deep the flattest value is; infinite for a record that cannot but hold itself."""
    match node:
        case Record() if id(node) in within:
            return inf
        case Record():
            return 1 + max((_depth(each.type, within | {id(node)}) for each in node.fields), default=0)
        case Union():
            return min(_depth(branch, within) for branch in node.branches)
        case _:
            return 0


def encode(node: Node, value: Any) -> bytes:
    """The binary encoding of the specification."""
    return b"".join(_encoded(node, value))


def _encoded(node: Node, value: Any) -> Iterator[bytes]:
    match node:
        case Record():
            for each in node.fields:
                yield from _encoded(each.type, value[each.name])
        case Union():
            yield _varint(value.number)
            yield from _encoded(node.branches[value.number], value.value)
        case Array() | Map():
            if value:
                yield _varint(len(value))
            for each in value:
                if isinstance(node, Map):
                    yield from _encoded(Primitive("string"), each)
                    yield from _encoded(node.values, value[each])
                else:
                    yield from _encoded(node.items, each)
            yield _varint(0)
        case Enum():
            yield _varint(value)
        case Fixed():
            yield _raw(value, node.size)
        case Primitive():
            yield _primitive(node.name, value)


def _primitive(name: str, value: Any) -> bytes:
    match name:
        case "null":
            return b""
        case "boolean":
            return bytes([value])
        case "int" | "long":
            return _varint(value)
        case "float" | "double":
            return struct.pack("<f" if name == "float" else "<d", value)
        case _:
            raw = value.encode() if isinstance(value, str) else _raw(value)
            return _varint(len(raw)) + raw


def _raw(value: bytes | int, size: int | None = None) -> bytes:
    """Bytes, or the unscaled number of a decimal as bytes."""
    if isinstance(value, bytes):
        return value
    return value.to_bytes(size or value.bit_length() // 8 + 1, "big", signed=True)


def _varint(number: int) -> bytes:
    zigzag = number << 1 if number >= 0 else ((-number) << 1) - 1
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])


def as_json(node: Node, value: Any) -> JsonValue:
    """The JSON encoding of the specification: bytes as Latin-1 text, a union's value under its branch's name."""
    match node:
        case Record():
            return {each.name: as_json(each.type, value[each.name]) for each in node.fields}
        case Union():
            branch = node.branches[value.number]
            inner = as_json(branch, value.value)
            has_name = isinstance(branch, Primitive | Fixed | Enum | Record)
            name = branch.name if has_name else type(branch).__name__.lower()
            return None if name == "null" else {name: inner}
        case Array():
            return [as_json(node.items, each) for each in value]
        case Map():
            return {key: as_json(node.values, each) for key, each in value.items()}
        case Enum():
            return node.symbols[int(value)]
        case _:
            plain: JsonValue = value.decode("latin-1") if isinstance(value, bytes) else value
            return plain
