"""Rows and queries that show a change of columns, proved: rows by jsonschema, keys and queries by SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from pydantic import JsonValue

from testenv.checks.protocol import Witness
from testenv.checks.schema.sqltypes import INFINITE, SqlType, beyond

LONGEST = 1_000
"""Longer texts are told by their length."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """A column as it is declared; `text` is its type as written."""

    name: str
    type: SqlType
    text: str
    required: bool = False
    allowed: tuple[Any, ...] = ()


Shapes = Sequence[Shape]


def any_row(shapes: Shapes, **given: Any) -> Row:
    """A row of the columns: any value of each that must have one, and those given."""
    row = {
        shape.name: shape.allowed[0] if shape.allowed else beyond(shape.type, shape.type)
        for shape in shapes
        if shape.required
    }
    return {**row, **given}


def prove_row(row: Row, base: Shapes, head: Shapes) -> Witness:
    """A row of base that is none of head's."""
    from jsonschema import Draft202012Validator

    with localcontext(prec=100):
        before, after = (list(Draft202012Validator(_schema(each)).iter_errors(row)) for each in (base, head))
    how = f"jsonschema, of the columns as declared; by head: {_short(after[0].message)}" if after else "head takes it"
    if before:
        how = f"base does not have it either: {_short(before[0].message)}"
    return Witness(kind="row", content=as_json(row), proved=bool(after and not before), how=how)


def _short(message: str) -> str:
    return message if len(message) <= 200 else f"{message[:120]}…{message[-60:]}"


def as_json(row: Mapping[str, Any]) -> JsonValue:
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> JsonValue:
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[0]} × {len(value)}"
    return str(value) if isinstance(value, Decimal) else value


def _schema(shapes: Shapes) -> dict[str, Any]:
    return {
        "properties": {shape.name: _value_schema(shape) for shape in shapes},
        "required": [shape.name for shape in shapes if shape.required],
    }


def _value_schema(shape: Shape) -> dict[str, Any]:
    schema = _type_schema(shape.type)
    if shape.allowed:
        schema = {**schema, "enum": list(shape.allowed)}
    return schema if shape.required else {"anyOf": [schema, {"type": "null"}]}


def _type_schema(type_: SqlType) -> dict[str, Any]:
    match type_.family:
        case "number":
            bounds = {} if type_.largest == INFINITE else {"maximum": type_.largest, "minimum": -type_.largest}
            if type_.scale == 0:
                return {"type": "integer", **bounds}
            return {"type": "number", **bounds, **_step(type_.scale)}
        case "float":
            return {"type": "number"}
        case "text" | "binary":
            return {"type": "string", **({} if type_.length == float("inf") else {"maxLength": int(type_.length)})}
        case "boolean":
            return {"type": "boolean"}
        case "date":
            return {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
        case "time" | "timestamp" | "timestamp with time zone":
            zone = r"[+-]\d\d:\d\d" if type_.family.endswith("zone") else ""
            day = "" if type_.family == "time" else r"\d{4}-\d\d-\d\d "
            return {"type": "string", "pattern": rf"^{day}\d\d:\d\d:\d\d(\.\d{{1,{int(max(1, type_.scale))}}})?{zone}$"}
        case _:
            return {}


def _step(scale: float) -> dict[str, Decimal]:
    return {} if scale == float("inf") else {"multipleOf": Decimal(1).scaleb(-int(scale))}


def prove_float(number: SqlType) -> Witness | None:
    """A decimal that no double is; None where doubles hold them all, or there is no largest."""
    if number.largest == INFINITE:
        return None
    as_float = Decimal(float(number.largest))
    how = f"the double next to it is {as_float}"
    return Witness(kind="value", content=str(number.largest), proved=as_float != number.largest, how=how)


def prove_query(column: str, table: str, base: Iterable[str], head: Iterable[str]) -> Witness:
    """A query of a column that base has and head has not."""
    query = f"SELECT t.{_quoted(column)} FROM {table} AS t"
    answers = []
    for columns in (base, head):
        with sqlite3.connect(":memory:") as database:
            database.execute(f"CREATE TABLE t ({', '.join(map(_quoted, columns)) or '_'})")
            try:
                database.execute(f"SELECT t.{_quoted(column)} FROM t")
                answers.append("")
            except sqlite3.OperationalError as error:
                answers.append(str(error))
        database.close()
    how = f"SQLite: runs on base's columns, and on head's: {answers[1] or 'runs'}"
    return Witness(kind="query", content=query, proved=not answers[0] and bool(answers[1]), how=how)


def prove_rows(rows: Sequence[Row], loose: Sequence[str], strict: Sequence[str], loose_is: str) -> Witness:
    """Rows that a table with the key `loose` takes and one with `strict` does not; `loose_is`: whose it is."""
    answers = []
    for key in (loose, strict):
        with sqlite3.connect(":memory:") as database:
            columns = [_quoted(name) for name in rows[0]]
            unique = f", UNIQUE ({', '.join(map(_quoted, key))})" if key else ""
            database.execute(f"CREATE TABLE t ({', '.join(columns)}{unique})")
            try:
                for row in rows:
                    values = [str(value) for value in row.values()]
                    database.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", values)
                answers.append("")
            except sqlite3.IntegrityError as error:
                answers.append(str(error))
        database.close()
    how = f"SQLite: {loose_is}'s key takes both rows; the other: {answers[1] or 'takes them too'}"
    content: JsonValue = [as_json(row) for row in rows]
    return Witness(kind="row", content=content, proved=not answers[0] and bool(answers[1]), how=how)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
