"""The permutations are bijections, and keyed."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from testenv.datasets.mask.permute import permute_numbers, permute_texts, siphash

KEY = bytes(range(16))


def test_siphash_is_the_published_one() -> None:
    # The reference vector of 16 bytes, 00 to 0f, in the SipHash paper's vectors.h.
    first, second = struct.unpack("<QQ", bytes(range(16)))
    assert siphash(KEY, first, second).to_bytes(8, "little").hex() == "db9bc2577fcc2a3f"


def test_numbers_of_a_small_domain_are_each_hit_once() -> None:
    assert sorted(permute_numbers(np.arange(1 << 12, dtype=np.uint64), 12, KEY)) == list(range(1 << 12))


@given(st.sets(st.integers(0, (1 << 40) - 1), max_size=200))
@settings(max_examples=30, deadline=None)
def test_different_numbers_stay_different_and_in_the_domain(numbers: set[int]) -> None:
    found = permute_numbers(np.array(sorted(numbers), dtype=np.uint64), 40, KEY)
    assert len(set(found)) == len(numbers)
    assert not numbers or int(found.max()) < 1 << 40


def test_another_key_is_another_permutation() -> None:
    numbers = np.arange(1000, dtype=np.uint64)
    assert (permute_numbers(numbers, 40, KEY) != permute_numbers(numbers, 40, bytes(16))).mean() > 0.99


def permuted(texts: list[str], **options: int) -> list[str]:
    data = np.frombuffer("".join(texts).encode(), np.uint8).copy()
    offsets = np.cumsum([0, *map(len, texts)])
    permute_texts(data, offsets, np.ones(len(texts), np.bool_), KEY, **options)
    return [bytes(data[start:end]).decode() for start, end in zip(offsets, offsets[1:], strict=False)]


def test_all_texts_of_three_digits_and_a_letter_are_each_hit_once() -> None:
    texts = [f"{number:02d}{letter}{digit}" for number in range(100) for letter in "ABCXYZ" for digit in range(10)]
    found = permuted(texts)
    assert len(set(found)) == len(texts)
    assert all(each[:2].isdigit() and each[2].isalpha() and each[3].isdigit() for each in found)


def test_what_is_skipped_stays() -> None:
    assert permuted(["DE00123456789"], skip=4, keep_end=1)[0][:4] == "DE00"
    assert permuted(["DE00123456789"], skip=4, keep_end=1)[0][-1] == "9"
