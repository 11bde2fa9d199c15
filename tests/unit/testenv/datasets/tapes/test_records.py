"""Keys, values and headers are masked by path; what cannot be read never passes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from testenv.core.contract import Classification, Contract, Field, Store
from testenv.core.errors import Drifted, Failed, Invalid
from testenv.datasets.tapes.form import to_batch, to_rows
from testenv.datasets.tapes.records import BROKEN_BYTES, BROKEN_JSON, RecordMask

SENSITIVE, OPEN = Classification.IDENTIFIER, Classification.INTERNAL
FIELDS = (
    ("key", "integer", SENSITIVE),
    ("value.name", "string", SENSITIVE),
    ("value.city", "string", OPEN),
    ("value.amount", "number", OPEN),
    ("value.born", "integer", SENSITIVE),
    ("value.lines[].iban", "string", SENSITIVE),
    ("value.tags[]", "string", SENSITIVE),
    ("value.anything", "object", OPEN),
    ("headers.trace.id", "string", SENSITIVE),
    ("headers.source", "string", OPEN),
)

SECRET = "Ada Lovelace"


def contract(fields: Sequence[tuple[str, str, Classification | None]] = FIELDS, **options: str) -> Contract:
    leaves = tuple(Field(path=path, type=kind, classification=given) for path, kind, given in fields)
    return Contract(
        id="kafka.t",
        version="1",
        store=Store.KAFKA,
        name="t",
        owner="o",
        fields=leaves,
        options={"format": "json", **options},
    )


def mask_value(path: str, values: Sequence[Any], _entities: object) -> list[Any]:
    """Texts become the path in capitals, numbers 1000000 more."""
    return [value + 1_000_000 if isinstance(value, int) else path.upper() for value in values]


def masked(*records: dict[str, Any], mask: RecordMask | None = None) -> list[tuple[Any, ...]]:
    """Key, value and headers of each record, after masking."""
    rows = [
        (offset, 1, 1, record.get("key"), record.get("value"), record.get("headers", []))
        for offset, record in enumerate(records)
    ]
    return [row[3:] for row in to_rows((mask or RecordMask(contract(), mask_value))(to_batch(rows)))]


def value_of(value: bytes) -> bytes:
    [(_, got, _)] = masked({"value": value})
    assert isinstance(got, bytes)
    return got


class TestJson:
    def test_what_is_sensitive_is_masked_and_the_rest_stays_byte_by_byte(self) -> None:
        value = b'{ "amount":1.50e+01, "name" : "Ada","city":"K\\u00f6ln", "name":"again" ,"born":1815}'
        assert value_of(value) == (
            b'{ "amount":1.50e+01, "name" : "VALUE.NAME","city":"K\\u00f6ln", "name":"VALUE.NAME" ,"born":1001815}'
        )

    def test_items_of_arrays(self) -> None:
        value = b'{"lines": [{"iban": "DE1"}, {"iban": null}], "tags": ["a", "b"]}'
        assert json.loads(value_of(value)) == {
            "lines": [{"iban": "VALUE.LINES[].IBAN"}, {"iban": None}],
            "tags": ["VALUE.TAGS[]"] * 2,
        }

    def test_numbers_in_text_are_masked_as_numbers_and_stay_text(self) -> None:
        assert value_of(b'{"born": "1815"}') == b'{"born": "1001815"}'

    def test_masked_text_is_escaped_as_the_document_is(self) -> None:
        mask = RecordMask(contract(), lambda _, values, _entities: ['é"'] * len(values))
        [(_, plain, _), (_, other, _)] = masked(
            {"value": b'{"name": "x"}'}, {"value": '{"name": "ü"}'.encode()}, mask=mask
        )
        assert plain == b'{"name": "\\u00e9\\""}'
        assert other == '{"name": "é\\""}'.encode()

    def test_each_path_is_masked_once_for_a_batch(self) -> None:
        asked: list[tuple[str, list[Any]]] = []

        def remember(path: str, values: Sequence[Any], _entities: object) -> Sequence[Any]:
            asked.append((path, list(values)))
            return values

        masked(*[{"value": b'{"born": %d}' % n} for n in range(3)], mask=RecordMask(contract(), remember))
        assert asked == [("value.born", [0, 1, 2])]

    @pytest.mark.parametrize(("path", "entities"), [(("key",), [7, None]), ((), None), (("key", "t.c"), None)])
    def test_the_entity_of_each_value_is_told_where_records_have_it(
        self, path: tuple[str, ...], entities: list[int | None] | None
    ) -> None:
        told: dict[str, Any] = {}

        def remember(path: str, values: Sequence[Any], entities: Any) -> Sequence[Any]:
            told[path] = entities
            return values

        mask = RecordMask(contract().model_copy(update={"entity_path": path}), remember)
        masked({"key": b"7", "value": b'{"name": "a"}'}, {"value": b'{"name": "b"}'}, mask=mask)
        assert told["value.name"] == entities


class TestKeysAndHeaders:
    def test_they_are_masked_by_path(self) -> None:
        headers = [("trace.id", b"t"), ("source", b"s"), ("trace.id", None), ("trace.id", b"")]
        assert masked({"key": b"7", "value": b"{}", "headers": headers}) == [
            (
                b"1000007",
                b"{}",
                [
                    ("trace.id", b"HEADERS.TRACE.ID"),
                    ("source", b"s"),
                    ("trace.id", None),
                    ("trace.id", b"HEADERS.TRACE.ID"),
                ],
            )
        ]

    def test_tombstones_and_null_keys_stay(self) -> None:
        assert masked({"key": b"7"}, {"value": b"{}"}) == [(b"1000007", None, []), (None, b"{}", [])]

    def test_a_key_of_parts(self) -> None:
        fields = [("key.id", "integer", SENSITIVE), ("value.x", "string", OPEN)]
        mask = RecordMask(contract(fields), mask_value)
        assert masked({"key": b'{"id":1}'}, mask=mask) == [(b'{"id":1000001}', None, [])]


class TestBroken:
    @pytest.mark.parametrize(
        ("value", "instead"),
        [
            (f'{{"name": "{SECRET}"'.encode(), BROKEN_JSON),
            (SECRET.encode(), BROKEN_JSON),
            (b"{} " + SECRET.encode(), BROKEN_JSON),
            (SECRET.encode() + b"\xff", BROKEN_BYTES),
            (f'"{SECRET}"'.encode(), b'"broken"'),
            (f'{{"amount": "{SECRET}"}}'.encode(), b'{"amount": "broken"}'),
            (f'{{"born": "{SECRET}"}}'.encode(), b'{"born": "broken"}'),
            (f'{{"lines": "{SECRET}"}}'.encode(), b'{"lines": "broken"}'),
            (f'{{"name": {{"first": "{SECRET}"}}}}'.encode(), b'"broken"'),
            (f'{{"city": ["{SECRET}"]}}'.encode(), b'"broken"'),
            (b'{"city": 4111111111111111}', b'{"city": "broken"}'),
            (b'{"born": 1e999999999}', b'{"born": "broken"}'),
            (b'{"born": 1e99999999999999999999}', b'{"born": "broken"}'),
            (b'{"born": "%s"}' % (b"9" * 5000), b'{"born": "broken"}'),
            (b'{"born": 1815.5}', b'{"born": "broken"}'),
            (b'{"name": "\\ud800"}', b'{"name": "broken"}'),
            (b"", b""),
        ],
    )
    def test_it_becomes_a_synthetic_record_of_the_same_kind(self, value: bytes, instead: bytes) -> None:
        assert value_of(value) == instead

    def test_it_is_counted(self) -> None:
        mask = RecordMask(contract(), mask_value)
        records = [{"key": b"x", "value": b"{"}, {"value": b"{"}, {"value": b'{"born": true}'}]
        masked(*records, {"headers": [("source", b"\xff")]}, mask=mask)
        assert mask.about.broken == {"headers": 1, "key": 1, "value": 2, "value.born": 1}

    def test_a_key_or_header_that_is_no_text(self) -> None:
        assert masked({"key": b"\xff", "headers": [("source", b"\xff")]}) == [
            (BROKEN_BYTES, None, [("source", BROKEN_BYTES)])
        ]
        assert masked({"key": SECRET.encode()}) == [(b"broken", None, [])]


class TestClosedWorld:
    @pytest.mark.parametrize(
        ("record", "below"),
        [
            ({"value": b'{"nick": "Ada"}'}, "value"),
            ({"value": b'["Ada"]'}, "value"),
            ({"value": b'{"lines": [{"nick": "Ada"}]}'}, r"value\.lines\[\]"),
            ({"value": b'{"anything": {"nick": "Ada"}}'}, r"value\.anything"),
            ({"headers": [("nick", b"Ada")]}, "headers"),
        ],
    )
    def test_a_field_that_no_contract_names_stops_everything(self, record: dict[str, Any], below: str) -> None:
        with pytest.raises(Drifted, match=f"below {below} a record has a field") as raised:
            masked(record)
        assert "nick" not in str(raised.value) and "Ada" not in str(raised.value)

    def test_what_tells_nothing_may_stand_anywhere(self) -> None:
        value = b'{"nick": null, "more": {}, "lines": [], "name": null, "amount": NaN}'
        assert value_of(value) == value

    def test_leaves_without_a_classification_are_refused_at_once(self) -> None:
        fields = [("value.a", "string", None), ("value.b", "string", None), ("other", "string", OPEN)]
        with pytest.raises(Invalid, match=r"kafka\.t: value\.a, value\.b, other: must"):
            RecordMask(contract(fields), mask_value)

    def test_an_unknown_format_is_refused(self) -> None:
        with pytest.raises(Invalid, match="format: must be one of .* got 'xml'"):
            RecordMask(contract(format="xml"), mask_value)

    def test_a_mask_that_loses_values_is_refused(self) -> None:
        with pytest.raises(Failed, match=r"value\.name gave 0 values for 1"):
            masked({"value": b'{"name": "x"}'}, mask=RecordMask(contract(), lambda *_: []))
