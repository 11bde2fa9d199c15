"""Avro records keep their schema; what does not decode wholly never passes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from testenv.core.contract import Classification, Contract, Field, Store
from testenv.core.errors import Drifted, Failed
from testenv.datasets.avro import HEADER, MAGIC, NotAvro, Registry, Schema, read_registry
from testenv.datasets.tapes.form import to_batch, to_rows
from testenv.datasets.tapes.records import RecordMask

SENSITIVE, OPEN = Classification.IDENTIFIER, Classification.INTERNAL
PARTY = {"type": "record", "name": "Party", "fields": [{"name": "name", "type": "string"}]}
BANK = {
    "type": "record",
    "name": "Bank",
    "fields": [{"name": "name", "type": "string"}, {"name": "bic", "type": "int"}],
}
TRANSFER = {
    "type": "record",
    "name": "Transfer",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "email", "type": ["null", "string"]},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "party", "type": [PARTY, BANK]},
        {"name": "notes", "type": {"type": "array", "items": "string"}},
        {"name": "attrs", "type": {"type": "map", "values": "string"}},
    ],
}
VALUE = {
    "id": 5,
    "email": "ada@example.org",
    "amount": Decimal("12.50"),
    "at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    "party": ("Bank", {"name": "Ada", "bic": 3}),
    "notes": ["a", "b"],
    "attrs": {"colour": "red"},
}
FIELDS = {
    "key": ("integer", SENSITIVE),
    "value.id": ("integer", SENSITIVE),
    "value.email": ("string", SENSITIVE),
    "value.amount": ("number", OPEN),
    "value.at": ("timestamp", OPEN),
    "value.party.name": ("string", SENSITIVE),
    "value.party.bic": ("integer", OPEN),
    "value.notes[]": ("string", SENSITIVE),
    "value.attrs.colour": ("string", OPEN),
}


def entry(schema: Any, number: int, subject: str = "s", version: int = 1, **more: Any) -> tuple[bytes, bytes]:
    key = {"keytype": "SCHEMA", "subject": subject, "version": version, "magic": 1}
    value = {"subject": subject, "version": version, "id": number, "schema": json.dumps(schema), "deleted": False}
    return json.dumps(key).encode(), json.dumps({**value, **more}).encode()


def registry() -> Registry:
    return read_registry([entry(TRANSFER, 7), entry("long", 8, "k")])


def mask(known: Registry, fields: dict[str, tuple[str, Classification]] = FIELDS, **options: str) -> RecordMask:
    leaves = tuple(Field(path=path, type=kind, classification=given) for path, (kind, given) in fields.items())
    contract = Contract(
        id="kafka.t",
        version="1",
        store=Store.KAFKA,
        name="t",
        owner="o",
        fields=leaves,
        options={"format": "avro", "keyFormat": "avro", **options},
    )

    def mask_value(path: str, values: Sequence[Any], _entities: object) -> list[Any]:
        return [value + 1_000_000 if isinstance(value, int) else path for value in values]

    return RecordMask(contract, mask_value, known)


def masked(masking: RecordMask, value: bytes | None, key: bytes | None = None) -> tuple[Any, Any]:
    [row] = to_rows(masking(to_batch([(0, 1, 1, key, value, [])])))
    return row[3], row[4]


class TestRegistry:
    def test_decoding_is_the_inverse_of_encoding(self) -> None:
        known = registry()
        data = known.encode(7, VALUE)
        assert HEADER.unpack_from(data) == (MAGIC, 7)
        assert known.decode(data) == (7, VALUE)

    @pytest.mark.parametrize(
        ("data", "kind"),
        [(b"", "wire"), (b"\x00\x00", "wire"), (b'{"a": 1}', "wire"), (HEADER.pack(0, 99) + b"\x02", "schema")],
    )
    def test_what_is_no_avro_is_told_from_what_is(self, data: bytes, kind: str) -> None:
        with pytest.raises(NotAvro) as raised:
            registry().decode(data)
        assert raised.value.kind == kind

    def test_a_body_must_be_whole_and_alone(self) -> None:
        known = registry()
        data = known.encode(7, VALUE)
        for body in (data[:-3], data + b"Ada"):
            with pytest.raises(NotAvro, match="body"):
                known.decode(body)

    @pytest.mark.parametrize("kind", ["wire", "schema", "body"])
    def test_a_synthetic_broken_record_is_broken_in_the_same_way(self, kind: str) -> None:
        known = registry()
        for number in known.by_id:
            with pytest.raises(NotAvro) as raised:
                known.decode(known.broken(kind, number))
            assert raised.value.kind == kind

    def test_the_newest_entry_counts_and_other_entries_do_not(self) -> None:
        other = (b'{"keytype":"CONFIG","magic":0}', b'{"compatibilityLevel":"FULL"}')
        noise = [other, (b'{"keytype":"NOOP","magic":0}', b""), (None, b"x"), (b"no json", b"x")]
        proto = entry("syntax", 9, "p", schemaType="PROTOBUF")
        known = read_registry([*noise, entry("int", 1), entry("long", 2), proto])
        assert sorted(known.by_id) == [1, 2]
        assert known.by_version["s", 1].id == 2

    def test_a_deleted_schema_can_still_be_read_by_its_id(self) -> None:
        key, value = entry("int", 1, deleted=True)
        known = read_registry([(key, value), (key, None)])
        assert known.by_version == {}
        assert known.decode(known.encode(1, 4)) == (1, 4)

    def test_a_schema_may_refer_to_another(self) -> None:
        whole = {"type": "record", "name": "W", "fields": [{"name": "p", "type": "Party"}]}
        references = [{"name": "Party", "subject": "party", "version": 1}]
        known = read_registry([entry(PARTY, 1, "party"), entry(whole, 2, references=references)])
        assert known.decode(known.encode(2, {"p": {"name": "x"}})) == (2, {"p": {"name": "x"}})


class TestMask:
    def test_what_is_sensitive_is_masked_and_the_schema_stays(self) -> None:
        known = registry()
        masking = mask(known)
        key, value = masked(masking, known.encode(7, VALUE), known.encode(8, 1))
        assert known.decode(key) == (8, 1_000_001)
        assert known.decode(value) == (
            7,
            {
                **VALUE,
                "id": 1_000_005,
                "email": "value.email",
                "party": ("Bank", {"name": "value.party.name", "bic": 3}),
                "notes": ["value.notes[]"] * 2,
            },
        )
        assert set(masking.about.schemas) == {7, 8}

    def test_what_is_not_masked_is_encoded_as_it_was(self) -> None:
        known = registry()
        data = known.encode(7, VALUE)
        open_fields = {path: (kind, OPEN) for path, (kind, _) in FIELDS.items()}
        assert masked(mask(known, open_fields), data) == (None, data)

    def test_broken_records_do_not_pass(self) -> None:
        known = registry()
        masking = mask(known)
        for data in (b"Ada Lovelace", HEADER.pack(0, 99) + b"Ada", known.encode(7, VALUE) + b"Ada", b"\x00"):
            _, got = masked(masking, data)
            assert b"Ada" not in got
            with pytest.raises(NotAvro):
                known.decode(got)
        assert masking.about.broken == {"value": 4}

    def test_a_field_that_the_contract_does_not_name_stops_everything(self) -> None:
        known = registry()
        fields = {path: given for path, given in FIELDS.items() if path != "value.attrs.colour"}
        with pytest.raises(Drifted, match=r"below value a record has a field"):
            masked(mask(known, fields), known.encode(7, VALUE))

    def test_a_contract_that_knows_one_value_where_the_schema_has_parts_stops_everything(self) -> None:
        known = registry()
        fields = {path: given for path, given in FIELDS.items() if ".party" not in path}
        with pytest.raises(Drifted, match=r"value\.party is one value in the contract"):
            masked(mask(known, {**fields, "value.party": ("string", OPEN)}), known.encode(7, VALUE))

    def test_a_masked_value_that_does_not_fit_is_told_without_it(self) -> None:
        known = read_registry([entry("int", 7)])
        masking = RecordMask(
            Contract(
                id="kafka.t",
                version="1",
                store=Store.KAFKA,
                name="t",
                owner="o",
                fields=(Field(path="value", type="integer", classification=SENSITIVE),),
                options={"format": "avro"},
            ),
            lambda _, values, _entities: [2**40 + 5 for _ in values],
            known,
        )
        with pytest.raises(Failed, match="does not fit Avro schema 7") as raised:
            masked(masking, known.encode(7, 5))
        assert "1099511627781" not in str(raised.value)


def test_a_value_is_read_as_json_would_have_it() -> None:
    registry = Registry({1: Schema(1, json.dumps(TRANSFER))})
    read = registry.read(registry.encode(1, VALUE))
    assert read["party"] == {"name": "Ada", "bic": 3}
    assert {name: value for name, value in read.items() if name != "party"} == {
        name: value for name, value in VALUE.items() if name != "party"
    }
