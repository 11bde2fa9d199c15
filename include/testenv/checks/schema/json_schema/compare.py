"""Two JSON Schemas: what keeps the reader's from admitting what the writer's does, each with a document if one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from testenv.checks.protocol import Witness
from testenv.checks.schema.json_schema.contain import Doubt, doubts
from testenv.checks.schema.json_schema.samples import around
from testenv.checks.schema.json_schema.view import Root, Undecided, View

MOST_TRIED = 200


@dataclass(frozen=True)
class Difference:
    """What was not shown. With a witness it is proved; without, we are unsure."""

    rule: str
    path: str
    what: str
    witness: Witness | None


def check(schema: Any) -> str:
    """Why a schema is none, by jsonschema's meta-schemas; empty if it is one."""
    from jsonschema import SchemaError

    if not isinstance(schema, dict | bool):
        return f"a schema is an object, true or false, got {type(schema).__name__}"
    try:
        type(Root(schema).validator).check_schema(schema)
    except SchemaError as error:
        return f"{error.json_path}: {error.message}"
    return ""


def compare(writer: Any, reader: Any) -> list[Difference]:
    """All that keeps `reader` from admitting each document of `writer`; empty: it admits them."""
    if writer == reader:
        return []
    return [
        Difference(each.rule, each.path, each.what, _witness(each, writer, reader)) for each in doubts(writer, reader)
    ]


def _witness(doubt: Doubt, writer: Any, reader: Any) -> Witness | None:
    writes, reads = Root(writer).validator, Root(reader).validator
    for document in islice(_documents(doubt, writer), MOST_TRIED):
        try:
            if writes.is_valid(document) and (errors := list(reads.iter_errors(document))):
                how = f"jsonschema: valid where written, and where read: {errors[0].message[:200]}"
                return Witness(kind="record", content=document, proved=True, how=how)
        except Exception:  # noqa: BLE001 - references that lead nowhere make jsonschema raise what it likes
            continue
    return None


def _documents(doubt: Doubt, writer: Any) -> Iterator[Any]:
    try:
        view = View.of(Root(writer), writer)
        for candidate in doubt.candidates:
            yield from around(view, doubt.steps, candidate)
        if not doubt.candidates:
            plain: tuple[Any, ...] = (0, "a", None, {}, [])
            for leaf in plain:
                yield from around(view, doubt.steps, leaf)
    except Undecided:
        return
