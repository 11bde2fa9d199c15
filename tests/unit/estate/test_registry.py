"""Messages are in the registry's format, and the topic `_schemas` is as Confluent's registry keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import fastavro
import pytest

from estate.registry import Registered, decode, encode, read_records, registered, write_record

SCHEMA = json.dumps({"type": "record", "name": "Paid", "fields": [{"name": "iban", "type": "string"}]})
ENTRY = Registered(258, "paid-value", 2, SCHEMA)


def test_a_message_begins_with_a_zero_and_the_schema_s_id_big_end_first() -> None:
    message = encode(ENTRY, {"iban": "DE29"})
    assert message == b"\x00\x00\x00\x01\x02" + b"\x08DE29"
    assert decode(message, {258: ENTRY}) == {"iban": "DE29"}


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="more fields than the schema specifies: name"):
        encode(ENTRY, {"iban": "DE29", "name": "x"})


@pytest.mark.parametrize(
    ("message", "said"),
    [(b"{}", "does not begin with the byte 0"), (b"\x00\x00", "does not begin"), (b"\x00\x00\x00\x00\x07", "schema 7")],
)
def test_what_is_no_message_is_refused(message: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decode(message, {258: ENTRY})


def test_a_registration_is_read_as_it_was_written() -> None:
    key, value = write_record(ENTRY)
    assert json.loads(key) == {"keytype": "SCHEMA", "subject": "paid-value", "version": 2, "magic": 1}
    assert json.loads(value)["deleted"] is False
    assert read_records([(key, value)]) == {258: ENTRY}


def test_deleted_schemas_and_the_registry_s_own_records_are_none() -> None:
    key, value = write_record(ENTRY)
    deleted = json.dumps(json.loads(value) | {"deleted": True})
    noop = ('{"keytype": "NOOP", "magic": 0}', None)
    assert read_records([noop, (key, value), (key, deleted)]) == {}
    assert read_records([(key, value), (key, None)]) == {}
    assert read_records([(key, deleted), (key, value)]) == {258: ENTRY}


def test_the_estate_s_schemas_are_avro_and_each_topic_s_new_version_reads_the_old() -> None:
    entries = registered()
    assert [each.id for each in entries] == list(range(1, len(entries) + 1))
    assert {each.subject for each in entries} == {f"{t}_events-value" for t in ("payment", "login", "kyc", "loan")}
    for each in entries:
        fastavro.parse_schema(json.loads(each.schema))
    first, second = (json.loads(each.schema) for each in entries if each.subject == "payment_events-value")
    added = [field for field in second["fields"] if field not in first["fields"]]
    assert added and all("default" in field for field in added)
    assert [field for field in second["fields"] if field not in added] == first["fields"]


def test_a_file_with_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "payments.avsc").write_text(SCHEMA)
    with pytest.raises(ValueError, match="payments.avsc is no ID-SUBJECT-vVERSION"):
        registered(tmp_path)
