"""Keyed permutations of numbers and of texts of digits: bijections, so that what was unique stays so.

Both are Feistel networks of ten rounds, as NIST SP 800-38G's FF1, with SipHash-2-4 as the round function: a Feistel
network is a bijection whatever its round function is, and SipHash is a keyed pseudorandom function that costs tens of
nanoseconds. Numbers go in two halves of bits, texts in two halves of digits that are added modulo their number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from testenv.datasets.mask.jit import compiled, inlined

ROUNDS = 10
MAX_BITS = 62
MAX_LENGTH = 34
"""Characters of the longest IBAN."""


@inlined
def _left(x: Any, bits: Any) -> Any:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@inlined
def _sip(v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    v0 += v1
    v1 = _left(v1, 13) ^ v0
    v0 = _left(v0, 32)
    v2 += v3
    v3 = _left(v3, 16) ^ v2
    v0 += v3
    v3 = _left(v3, 21) ^ v0
    v2 += v1
    v1 = _left(v1, 17) ^ v2
    return v0, v1, _left(v2, 32), v3


@inlined
def _prf(k0: Any, k1: Any, first: Any, second: Any) -> Any:
    """SipHash-2-4 of two words (16 bytes)."""
    v0 = k0 ^ np.uint64(0x736F6D6570736575)
    v1 = k1 ^ np.uint64(0x646F72616E646F6D)
    v2 = k0 ^ np.uint64(0x6C7967656E657261)
    v3 = k1 ^ np.uint64(0x7465646279746573)
    for word in (first, second, np.uint64(16 << 56)):
        v3 ^= word
        v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
        v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= np.uint64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@compiled
def _siphash(k0: Any, k1: Any, first: Any, second: Any) -> Any:
    return _prf(k0, k1, first, second)


@compiled
def _numbers(values: Any, half: Any, k0: Any, k1: Any, rounds: int, out: Any) -> None:
    mask = (np.uint64(1) << half) - np.uint64(1)
    for i in range(values.size):
        left = np.uint64(values[i]) >> half
        right = np.uint64(values[i]) & mask
        for number in range(rounds):
            left, right = right, left ^ (_prf(k0, k1, np.uint64(number), right) & mask)
        out[i] = (left << half) | right


def permute_numbers(values: NDArray[np.uint64], bits: int, subkey: bytes) -> NDArray[np.uint64]:
    """Each value's place in a permutation of [0, 2^bits) that `subkey` (16 bytes) chooses.

    `bits` is even and at most 62; the values must be in the domain.
    """
    if bits % 2 or not 2 <= bits <= MAX_BITS:
        raise ValueError(f"bits must be even and from 2 to {MAX_BITS}, got {bits}")
    out = np.empty(len(values), np.uint64)
    k0, k1 = np.frombuffer(subkey, "<u8")
    _numbers(values, np.uint64(bits // 2), k0, k1, ROUNDS, out)
    return out


@compiled
def _texts(data: Any, offsets: Any, chosen: Any, skipped: int, kept_end: int, k0: Any, k1: Any, rounds: int) -> None:
    """Permute, in place, the characters of each chosen text but its first `skipped` and its last `kept_end`."""
    radix = np.empty(64, np.uint64)
    for i in range(offsets.size - 1):
        if not chosen[i]:
            continue
        start = offsets[i] + skipped
        length = offsets[i + 1] - kept_end - start
        first = length >> 1
        tweak = np.uint64(length)
        sizes0, sizes1 = np.uint64(1), np.uint64(1)
        left, right = np.uint64(0), np.uint64(0)
        for j in range(length):
            char = np.uint64(data[start + j])
            letter = char >= np.uint64(65)
            radix[j] = np.uint64(26) if letter else np.uint64(10)
            tweak = (tweak << np.uint64(1)) | np.uint64(letter)
            digit = char - (np.uint64(65) if letter else np.uint64(48))
            if j < first:
                left, sizes0 = left * radix[j] + digit, sizes0 * radix[j]
            else:
                right, sizes1 = right * radix[j] + digit, sizes1 * radix[j]
        for number in range(rounds):
            with_round = (tweak << np.uint64(8)) | np.uint64(number)
            if number & 1:
                right = (right + _prf(k0, k1, with_round, left) % sizes1) % sizes1
            else:
                left = (left + _prf(k0, k1, with_round, right) % sizes0) % sizes0
        for j in range(length - 1, -1, -1):
            value = left if j < first else right
            digit = value % radix[j]
            data[start + j] = np.uint8(digit + (np.uint64(65) if radix[j] == np.uint64(26) else np.uint64(48)))
            if j < first:
                left = value // radix[j]
            else:
                right = value // radix[j]


def permute_texts(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    subkey: bytes,
    *,
    skip: int = 0,
    keep_end: int = 0,
) -> None:
    """Permute, in place, the digits and the letters A to Z of the chosen texts; a place keeps its kind.

    The first `skip` and the last `keep_end` characters stay. A half must be below 2^63: at most 13 letters or 18 digits
    in it. Texts with the same kinds at the same places are permuted among themselves.
    """
    k0, k1 = np.frombuffer(subkey, "<u8")
    _texts(data, offsets, chosen, skip, keep_end, k0, k1, ROUNDS)


def siphash(subkey: bytes, first: int, second: int) -> int:
    """SipHash-2-4 of two words of 8 bytes, little-endian: to be held against the published vectors."""
    k0, k1 = np.frombuffer(subkey, "<u8")
    return int(_siphash(k0, k1, np.uint64(first), np.uint64(second)))
