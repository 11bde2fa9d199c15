"""What is said of two random schemas is what fastavro does with records of them."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from testenv.checks.schema.avro.model import NotASchema, parse
from testenv.checks.schema.avro.proof import as_schema, prove, read
from testenv.checks.schema.avro.resolve import MEANING, Effect, is_compatible, resolve
from testenv.checks.schema.avro.witness import NoRecord, build, encode

from .avro_schemas import changed, records, schemas

MANY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])

AMBIGUOUS = "alias-ambiguous"
"""Two written fields for one of the reader's: no schema by the specification, and fastavro takes the last."""

BY_PROMOTION = {"bytes-as-string", MEANING}
"""What a union may have against itself: its first branch that matches may do so by promotion."""


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    one = draw(schemas())
    return one, draw(st.one_of(changed(one), changed(one), changed(one), schemas()))


def _parsed(schema: Any) -> Any:
    """Of which a record exists."""
    try:
        node = parse(schema)
        build(node)
    except (NotASchema, NoRecord):
        assume(False)
    return node


@given(pairs(), st.data())
@MANY
def test_what_is_called_compatible_is_read(pair: tuple[Any, Any], data: st.DataObject) -> None:
    writer, reader = map(_parsed, pair)
    compatible = is_compatible(resolve(writer, reader))
    event(f"compatible: {compatible}")
    assume(compatible)
    for _ in range(3):
        body = encode(writer, data.draw(records(writer)))
        read(body, writer)
        read(body, writer, reader)


@given(pairs())
@MANY
def test_what_is_called_incompatible_has_a_record_that_is_not_read(pair: tuple[Any, Any]) -> None:
    writer, reader = map(_parsed, pair)
    problems = [each for each in resolve(writer, reader) if each.effect is not Effect.CHANGED]
    event(f"compatible: {not problems}")
    for problem in problems:
        witness = prove(problem, writer, reader)
        assert witness is None or witness.proved or problem.rule == AMBIGUOUS, (problem, witness)


@given(schemas())
@MANY
def test_a_schema_without_aliases_reads_its_own_records(schema: Any) -> None:
    """With them, a union's first branch that matches a record may be another's."""
    node = _parsed(_without_aliases(schema))
    found = {problem.rule for problem in resolve(node, node) if problem.effect is not Effect.CHANGED}
    assert found <= BY_PROMOTION


def _without_aliases(schema: Any) -> Any:
    match schema:
        case dict():
            return {key: _without_aliases(value) for key, value in schema.items() if key != "aliases"}
        case list():
            return [_without_aliases(each) for each in schema]
        case _:
            return schema


@given(schemas(), st.data())
@MANY
def test_our_encoding_is_what_fastavro_reads(schema: Any, data: st.DataObject) -> None:
    node = _parsed(schema)
    again = parse(as_schema(node))
    assert as_schema(again) == as_schema(node)
    read(encode(node, data.draw(records(node))), node)
