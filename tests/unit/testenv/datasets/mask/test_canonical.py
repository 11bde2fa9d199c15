"""A value's canonical form, and its token, are the same for ever: the vectors are checked in."""

from __future__ import annotations

import hmac
import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testenv.core.errors import Failed
from testenv.datasets.mask.canonical import canonical, canonical_column
from testenv.datasets.mask.keyed import Domain, Key

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
KEY = Key("e0001", bytes.fromhex(GOLDEN["key"]))
NAMES = {each.__name__: each for each in (date, datetime, time, timedelta, timezone, Decimal)}


def value_of(vector: dict[str, str]) -> Any:
    return eval(vector["python"], dict(NAMES))


@pytest.mark.parametrize("vector", GOLDEN["canonical"], ids=lambda vector: vector["python"])
def test_a_value_has_the_form_that_is_checked_in(vector: dict[str, str]) -> None:
    value = value_of(vector)
    assert canonical(value).decode() == vector["form"]
    assert canonical_column(pa.array([value])).to_pylist() == [vector["form"].encode()]


@pytest.mark.parametrize("vector", GOLDEN["tokens"], ids=lambda vector: vector["form"])
def test_a_form_has_the_token_that_is_checked_in(vector: dict[str, str]) -> None:
    (found,) = Domain(KEY, GOLDEN["semantic_type"]).digests_of(pa.array([vector["form"]]))
    token = b"".join(int(half).to_bytes(8, "big") for half in found)
    assert token.hex() == vector["token"]
    message = GOLDEN["semantic_type"].encode() + b"\0" + vector["form"].encode()
    assert token == hmac.digest(KEY.secret, message, "sha256")[:16]


@given(st.lists(st.none() | st.text() | st.text("é\u0301ßa ", max_size=5)))
@settings(deadline=None)
def test_a_column_of_text_is_what_its_values_are(values: list[str | None]) -> None:
    wanted = [None if value is None else canonical(value) for value in values]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        assert canonical_column(pa.array(values, kind)).to_pylist() == wanted


@given(st.lists(st.none() | st.binary()))
@settings(deadline=None)
def test_bytes_that_are_no_text_stay_what_they_are(values: list[bytes | None]) -> None:
    wanted = [None if value is None else canonical(value) for value in values]
    assert canonical_column(pa.array(values, pa.binary())).to_pylist() == wanted


def test_a_slice_is_only_itself() -> None:
    assert canonical_column(pa.array(["a ", "b ", None, "c"])[1:3]).to_pylist() == [b"b", None]


def test_nanoseconds_that_other_stores_lack_do_not_count() -> None:
    seconds, finer = pa.array([10**9], pa.timestamp("ns", "UTC")), pa.array([10**9 + 1], pa.timestamp("ns", "UTC"))
    assert canonical_column(seconds).equals(canonical_column(finer))


def test_an_object_has_no_form_and_is_not_quoted() -> None:
    with pytest.raises(Failed, match="type dict has no canonical form") as refused:
        canonical({"name": "Jane"})
    assert "Jane" not in str(refused.value)
