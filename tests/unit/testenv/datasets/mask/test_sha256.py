"""The vectorised HMAC says what the standard library says."""

from __future__ import annotations

import hmac

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testenv.datasets.mask.sha256 import LANES, Hmac


def first_128_bits(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")[:16]


def digests(key: bytes, domain: bytes, values: list[bytes]) -> list[bytes]:
    offsets = np.cumsum([0, *map(len, values)])
    found = Hmac(key, domain).digests(np.frombuffer(b"".join(values), np.uint8), offsets)
    return [int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big") for high, low in found]


@given(
    st.binary(min_size=1, max_size=100),
    st.binary(max_size=70),
    st.lists(st.binary(max_size=200), max_size=2 * LANES + 3),
)
@settings(max_examples=50, deadline=None)
def test_any_key_domain_and_values(key: bytes, domain: bytes, values: list[bytes]) -> None:
    assert digests(key, domain, values) == [first_128_bits(key, domain + value) for value in values]


def test_every_length_around_the_ends_of_blocks() -> None:
    values = [bytes(range(length)) for length in range(200)]
    assert digests(b"k" * 32, b"email\0", values) == [first_128_bits(b"k" * 32, b"email\0" + each) for each in values]


@pytest.mark.parametrize("rows", [0, 1, LANES - 1, LANES, LANES + 1])
def test_any_number_of_rows_in_a_group(rows: int) -> None:
    values = [b"%d" % row for row in range(rows)]
    assert digests(b"k" * 32, b"", values) == [first_128_bits(b"k" * 32, each) for each in values]


def test_a_slice_is_read_from_its_own_start() -> None:
    data, offsets = np.frombuffer(b"abcdef", np.uint8), np.array([2, 4, 6])
    assert (Hmac(b"k", b"").digests(data, offsets)[0] == Hmac(b"k", b"").digests(data[2:], np.array([0, 2]))[0]).all()
