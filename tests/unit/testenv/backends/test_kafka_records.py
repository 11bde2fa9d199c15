"""Lines of a dataset's records, as arguments of the producer."""

from __future__ import annotations

import pytest

from testenv.backends.kafka_records import encode_record
from testenv.core.errors import Failed

LINE = {"partition": 2, "timestamp_ms": 1767175200000, "key": "k", "value": "ß", "headers": [["a", "1"], ["a", "2"]]}


def test_a_record_keeps_partition_time_key_value_and_repeated_headers() -> None:
    assert encode_record(LINE) == {
        "partition": 2,
        "timestamp": 1767175200000,
        "key": b"k",
        "value": "ß".encode(),
        "headers": [("a", b"1"), ("a", b"2")],
    }


def test_a_tombstone_has_no_value() -> None:
    assert encode_record({**LINE, "value": None})["value"] is None


def test_an_empty_value_is_not_a_tombstone() -> None:
    assert encode_record({**LINE, "value": ""})["value"] == b""


def test_bytes_that_are_no_text_come_as_base64() -> None:
    assert encode_record({**LINE, "value": {"base64": "/wA="}})["value"] == b"\xff\x00"


def test_headers_may_be_an_object_or_absent() -> None:
    assert encode_record({**LINE, "headers": {"a": None}})["headers"] == [("a", None)]
    assert encode_record({k: v for k, v in LINE.items() if k != "headers"})["headers"] == []


@pytest.mark.parametrize("value", [1, ["x"], {"base64": 1}, True])
def test_another_type_is_refused(value: object) -> None:
    with pytest.raises(Failed, match="must be text, null"):
        encode_record({**LINE, "value": value})
