"""A problem's witness, run through fastavro: the writer's schema reads it, and what becomes of it with the reader's."""

from __future__ import annotations

import io
from typing import Any

from testenv.checks.protocol import Witness
from testenv.checks.schema.avro.model import Array, Enum, Fixed, Logical, Map, Node, Primitive, Record, Union, parse
from testenv.checks.schema.avro.resolve import MEANING, Effect, Problem
from testenv.checks.schema.avro.witness import NoRecord, as_json, build, encode


def prove(problem: Problem, writer: Node, reader: Node) -> Witness | None:
    """The witness of a problem between two whole schemas; None where no record can have it."""
    try:
        if problem.effect is Effect.UNREADABLE:
            return _unreadable(writer, reader, build(writer, problem.steps, problem.value))
        value = build(problem.writer) if problem.value is None else problem.value
    except NoRecord:
        return None
    if problem.rule == MEANING:
        return _misread(problem, value)
    return _changed(problem, value)


def _unreadable(writer: Node, reader: Node, value: Any) -> Witness:
    """A whole record, which the writer's schema reads, and the reader's does not or as what is none of its own.

    Without logical types: fastavro turns a value into the writer's before it looks at the reader's.
    """
    data = encode(writer, value)
    content = as_json(writer, value)
    writer, reader = plain(writer), plain(reader)
    try:
        meant = read(data, writer)
        try:
            got = read(data, writer, reader)
        except Exception as error:  # noqa: BLE001 - fastavro raises whatever Python does with what it does not expect
            proved, how = True, f"fastavro cannot read it: {type(error).__name__}: {error}"
        else:
            proved, how = not _is_of(got, reader), f"fastavro reads {_short(meant)} as {_short(got)}"
    except Exception as error:  # noqa: BLE001 - as above
        proved, how = False, f"fastavro does not take the schemas: {type(error).__name__}: {error}"
    return Witness(kind="record", content=content, proved=proved, how=how)


def _misread(problem: Problem, value: Any) -> Witness:
    """Readers that trust their own schema's logical type, as Avro's Java library does, take the bytes for that."""
    meant, taken = (_tried(encode(node, value), node) for node in (problem.writer, problem.reader))
    how = f"fastavro reads {meant} by the writer's type, and {taken} by the reader's"
    return Witness(kind="value", content=as_json(problem.writer, value), proved=meant != taken, how=how)


def _changed(problem: Problem, value: Any) -> Witness:
    """The value alone, not the record around it: there may be other differences."""
    data = encode(problem.writer, value)
    meant, got = _tried(data, problem.writer), _tried(data, problem.writer, problem.reader)
    how = f"fastavro reads {meant} as {got}"
    return Witness(kind="value", content=as_json(problem.writer, value), proved=meant != got, how=how)


def read(data: bytes, writer: Node, reader: Node | None = None) -> Any:
    """What fastavro makes of `data`. Raises whatever fastavro does."""
    from fastavro import parse_schema, schemaless_reader

    readers = None if reader is None else parse_schema(as_schema(reader))
    return schemaless_reader(io.BytesIO(data), parse_schema(as_schema(writer)), readers)


def _tried(data: bytes, writer: Node, reader: Node | None = None) -> str:
    try:
        return _short(read(data, writer, reader))
    except Exception as error:  # noqa: BLE001 - fastavro raises whatever Python does with what it does not expect
        return f"nothing ({type(error).__name__}: {error})"


def _is_of(value: Any, reader: Node) -> bool:
    from fastavro import parse_schema
    from fastavro.validation import validate

    return bool(validate(value, parse_schema(as_schema(reader)), raise_errors=False))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def plain(node: Node) -> Node:
    """The same schema without logical types."""
    return parse(_physical(as_schema(node)))


def _physical(schema: Any) -> Any:
    match schema:
        case dict():
            return {key: _physical(value) for key, value in schema.items() if key != "logicalType"}
        case list():
            return [_physical(each) for each in schema]
        case _:
            return schema


def as_schema(node: Node) -> Any:
    """The schema as JSON, each named type written out where it first stands."""
    return _schema(node, set())


def _schema(node: Node, known: set[str]) -> Any:
    match node:
        case Primitive():
            return {"type": node.name, **_logical(node.logical)} if node.logical else node.name
        case Array():
            return {"type": "array", "items": _schema(node.items, known)}
        case Map():
            return {"type": "map", "values": _schema(node.values, known)}
        case Union():
            return [_schema(branch, known) for branch in node.branches]
        case _ if node.name in known:
            return node.name
    known.add(node.name)
    named = {"name": node.name, "aliases": list(node.aliases)}
    match node:
        case Fixed():
            return {"type": "fixed", "size": node.size, **named, **_logical(node.logical)}
        case Enum():
            default = {} if node.default is None else {"default": node.default}
            return {"type": "enum", "symbols": list(node.symbols), **default, **named}
        case Record():
            fields = []
            for each in node.fields:
                default = {"default": each.default} if each.has_default else {}
                aliases = {"aliases": list(each.aliases)} if each.aliases else {}
                fields.append({"name": each.name, "type": _schema(each.type, known), **aliases, **default})
            return {"type": "record", "fields": fields, **named}


def _logical(logical: Logical | None) -> dict[str, Any]:
    if logical is None:
        return {}
    decimal = {"precision": logical.precision, "scale": logical.scale} if logical.name == "decimal" else {}
    return {"logicalType": logical.name, **decimal}
