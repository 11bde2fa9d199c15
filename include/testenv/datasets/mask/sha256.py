"""HMAC-SHA256 of a whole column: the first 128 bits of each value's, as two whole numbers.

SHA-256 is of FIPS 180-4, HMAC of RFC 2104. `LANES` messages are hashed side by side, the same word of all of them next
to each other, so that the compiler makes vector instructions of each step. The states after the key's two blocks are
computed once, which leaves two compressions for a value of up to 55 bytes (its domain included) instead of four.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testenv.datasets.mask.jit import compiled, inlined

LANES = 64
"""Messages at once: state and schedule of all take 8 KiB, well within a core's first cache."""

_SHIFT = 6
assert LANES == 1 << _SHIFT

Digests = NDArray[np.uint64]
"""Shape (rows, 2): bytes 0 to 7 and 8 to 15 of each HMAC, as big-endian numbers."""


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _root(prime: int, power: int) -> int:
    """First 32 bits of the fraction of the square or cube root."""
    if power == 2:
        return math.isqrt(prime << 64) & 0xFFFFFFFF
    low, high = 0, 1 << 40
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= prime << 96 else (low, middle)
    return low & 0xFFFFFFFF


_K = np.array([_root(prime, 3) for prime in _primes(64)], dtype=np.uint32)
_H = np.array([_root(prime, 2) for prime in _primes(8)], dtype=np.uint32)


@inlined
def _turned(x: Any, right: Any, left: Any) -> Any:
    return np.uint32((x >> right) | (x << left))


@inlined
def _step(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, added: Any) -> Any:
    """One round: the words that take the places of `d` and `h`. The others only change their names."""
    one = np.uint32(h + (_turned(e, 6, 26) ^ _turned(e, 11, 21) ^ _turned(e, 25, 7)) + (g ^ (e & (f ^ g))) + added)
    two = np.uint32((_turned(a, 2, 30) ^ _turned(a, 13, 19) ^ _turned(a, 22, 10)) + ((a & b) | (c & (a | b))))
    return np.uint32(d + one), np.uint32(one + two)


@inlined
def _next(oldest: Any, second: Any, ninth: Any, fourteenth: Any) -> Any:
    """The word of the schedule that takes the place of the oldest of 16."""
    x = _turned(second, 7, 25) ^ _turned(second, 18, 14) ^ (second >> 3)
    y = _turned(fourteenth, 17, 15) ^ _turned(fourteenth, 19, 13) ^ (fourteenth >> 10)
    return np.uint32(oldest + x + ninth + y)


@compiled
def _compress(m: Any, k: Any) -> None:
    """The 64 rounds in all lanes, sixteen at a time: `m` holds 8 words of state, then the block's 16; both are used up.

    One array, with distances that are constants, lets the compiler see that no lane touches another.
    """
    for t in range(0, 64, 16):
        for i in range(64):
            a = m[i]
            b = m[64 + i]
            c = m[128 + i]
            d = m[192 + i]
            e = m[256 + i]
            f = m[320 + i]
            g = m[384 + i]
            h = m[448 + i]
            d, h = _step(a, b, c, d, e, f, g, h, k[t + 0] + m[512 + i])
            c, g = _step(h, a, b, c, d, e, f, g, k[t + 1] + m[576 + i])
            b, f = _step(g, h, a, b, c, d, e, f, k[t + 2] + m[640 + i])
            a, e = _step(f, g, h, a, b, c, d, e, k[t + 3] + m[704 + i])
            h, d = _step(e, f, g, h, a, b, c, d, k[t + 4] + m[768 + i])
            g, c = _step(d, e, f, g, h, a, b, c, k[t + 5] + m[832 + i])
            f, b = _step(c, d, e, f, g, h, a, b, k[t + 6] + m[896 + i])
            e, a = _step(b, c, d, e, f, g, h, a, k[t + 7] + m[960 + i])
            d, h = _step(a, b, c, d, e, f, g, h, k[t + 8] + m[1024 + i])
            c, g = _step(h, a, b, c, d, e, f, g, k[t + 9] + m[1088 + i])
            b, f = _step(g, h, a, b, c, d, e, f, k[t + 10] + m[1152 + i])
            a, e = _step(f, g, h, a, b, c, d, e, k[t + 11] + m[1216 + i])
            h, d = _step(e, f, g, h, a, b, c, d, k[t + 12] + m[1280 + i])
            g, c = _step(d, e, f, g, h, a, b, c, k[t + 13] + m[1344 + i])
            f, b = _step(c, d, e, f, g, h, a, b, k[t + 14] + m[1408 + i])
            e, a = _step(b, c, d, e, f, g, h, a, k[t + 15] + m[1472 + i])
            m[i] = a
            m[64 + i] = b
            m[128 + i] = c
            m[192 + i] = d
            m[256 + i] = e
            m[320 + i] = f
            m[384 + i] = g
            m[448 + i] = h
        if t == 48:
            return
        for i in range(64):
            w0 = m[512 + i]
            w1 = m[576 + i]
            w2 = m[640 + i]
            w3 = m[704 + i]
            w4 = m[768 + i]
            w5 = m[832 + i]
            w6 = m[896 + i]
            w7 = m[960 + i]
            w8 = m[1024 + i]
            w9 = m[1088 + i]
            w10 = m[1152 + i]
            w11 = m[1216 + i]
            w12 = m[1280 + i]
            w13 = m[1344 + i]
            w14 = m[1408 + i]
            w15 = m[1472 + i]
            w0 = _next(w0, w1, w9, w14)
            w1 = _next(w1, w2, w10, w15)
            w2 = _next(w2, w3, w11, w0)
            w3 = _next(w3, w4, w12, w1)
            w4 = _next(w4, w5, w13, w2)
            w5 = _next(w5, w6, w14, w3)
            w6 = _next(w6, w7, w15, w4)
            w7 = _next(w7, w8, w0, w5)
            w8 = _next(w8, w9, w1, w6)
            w9 = _next(w9, w10, w2, w7)
            w10 = _next(w10, w11, w3, w8)
            w11 = _next(w11, w12, w4, w9)
            w12 = _next(w12, w13, w5, w10)
            w13 = _next(w13, w14, w6, w11)
            w14 = _next(w14, w15, w7, w12)
            w15 = _next(w15, w0, w8, w13)
            m[512 + i] = w0
            m[576 + i] = w1
            m[640 + i] = w2
            m[704 + i] = w3
            m[768 + i] = w4
            m[832 + i] = w5
            m[896 + i] = w6
            m[960 + i] = w7
            m[1024 + i] = w8
            m[1088 + i] = w9
            m[1152 + i] = w10
            m[1216 + i] = w11
            m[1280 + i] = w12
            m[1344 + i] = w13
            m[1408 + i] = w14
            m[1472 + i] = w15


@compiled
def _load(m: Any, block: int, data: Any, start: Any, size: Any, domain: Any, count: int) -> None:
    """Block number `block` of each lane's padded message (domain, then value) into the schedule."""
    w = m[8 * 64 :]
    w[:] = 0
    first = block * 64
    for i in range(count):
        length = domain.size + size[i]
        for at in range(first, min(first + 64, domain.size)):
            w[(((at - first) >> 2) << 6) + i] |= np.uint32(domain[at]) << np.uint32(24 - ((at & 3) << 3))
        shift = start[i] - domain.size
        for at in range(max(first, domain.size), min(first + 64, length)):
            w[(((at - first) >> 2) << 6) + i] |= np.uint32(data[shift + at]) << np.uint32(24 - ((at & 3) << 3))
        if first <= length < first + 64:
            w[(((length - first) >> 2) << 6) + i] |= np.uint32(0x80) << np.uint32(24 - ((length & 3) << 3))
        if length + 9 <= first + 64 and length + 9 > first:
            bits = np.uint64(64 + length) << np.uint64(3)  # the key's block counts, too
            w[(14 << 6) + i] = np.uint32(bits >> np.uint64(32))
            w[(15 << 6) + i] = np.uint32(bits & np.uint64(0xFFFFFFFF))


@compiled
def _hmac(data: Any, offsets: Any, domain: Any, inner: Any, outer: Any, k: Any, out: Any) -> None:
    rows = offsets.size - 1
    m = np.empty(24 * 64, np.uint32)
    s, w = m[: 8 * 64], m[8 * 64 :]
    kept = np.empty(8 * 64, np.uint32)
    start = np.zeros(64, np.int64)
    size = np.zeros(64, np.int64)
    for base in range(0, rows, 64):
        count = min(64, rows - base)
        blocks = 1
        for i in range(count):
            start[i] = offsets[base + i]
            size[i] = offsets[base + i + 1] - offsets[base + i]
            blocks = max(blocks, (domain.size + size[i] + 9 + 63) >> 6)
        for j in range(8):
            kept[j * 64 : j * 64 + 64] = inner[j]
        for block in range(blocks):
            _load(m, block, data, start, size, domain, count)
            s[:] = kept
            _compress(m, k)
            for i in range(count):
                if block << 6 < domain.size + size[i] + 9:
                    for j in range(8):
                        kept[j * 64 + i] += s[j * 64 + i]
        w[: 8 * 64] = kept
        w[8 * 64 :] = 0
        w[8 * 64 : 9 * 64] = np.uint32(0x80000000)
        w[15 * 64 :] = np.uint32((64 + 32) * 8)
        for j in range(8):
            s[j * 64 : j * 64 + 64] = outer[j]
        _compress(m, k)
        for i in range(count):
            for j in range(2):
                high = np.uint32(outer[2 * j] + s[2 * j * 64 + i])
                low = np.uint32(outer[2 * j + 1] + s[(2 * j + 1) * 64 + i])
                out[base + i, j] = np.uint64(high) << np.uint64(32) | np.uint64(low)


@compiled
def _state(block: Any, initial: Any, k: Any) -> Any:
    """The state after one block, of 64 bytes."""
    m = np.zeros(24 * 64, np.uint32)
    s, w = m[: 8 * 64], m[8 * 64 :]
    for j in range(8):
        s[j * 64 : j * 64 + 64] = initial[j]
    for j in range(64):
        w[((j >> 2) << 6)] |= np.uint32(block[j]) << np.uint32(24 - ((j & 3) << 3))
    _compress(m, k)
    return initial + s[::64]


class Hmac:
    """HMAC-SHA256 under one key, for messages that begin with one domain."""

    __slots__ = ("_domain", "_inner", "_outer")

    def __init__(self, key: bytes, domain: bytes) -> None:
        block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
        padded = np.frombuffer(block, np.uint8)
        self._inner = _state(padded ^ np.uint8(0x36), _H, _K)
        self._outer = _state(padded ^ np.uint8(0x5C), _H, _K)
        self._domain = np.frombuffer(domain, np.uint8)

    def digests(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Digests:
        """First 128 bits of the HMAC of the domain and of `data[offsets[i]:offsets[i + 1]]`, for each i."""
        out: Digests = np.empty((len(offsets) - 1, 2), np.uint64)
        _hmac(data, offsets, self._domain, self._inner, self._outer, _K, out)
        return out


def digest(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 of one message, by the standard library: for what is derived once, and to check the others by."""
    return hmac.digest(key, message, "sha256")
