"""Random numbers by counter: the number of a row depends on the row and a key alone, so that any worker has it.

`bits` is splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014) at a position of its
stream; `permuted` is a bijection of 0 … size - 1.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]
"""One number a row, 64 bits without a sign."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = 3


def key(seed: int, *names: str) -> int:
    """The key of a stream of 64-bit numbers that no other names have."""
    text = "\0".join((str(seed), *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def bits(stream: int, rows: Words) -> Words:
    """64 random bits for each row number. For one stream, no two rows have the same."""
    words = rows * _GOLDEN
    words += np.uint64(stream)
    return _mixed(words)


def _mixed(words: Words) -> Words:
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def permuted(stream: int, rows: Words, size: int) -> Words:
    """Each row's place in a random order of 0 … `size` - 1. Different rows below `size` have different places.

    Multiplications by odd numbers and shifts, each a bijection of the next power of two; what falls beyond `size` goes
    through them again until it falls below.
    """
    width = max(1, (size - 1).bit_length())
    mask = np.uint64(2**width - 1)
    shift = np.uint64(max(1, width // 2))
    constants = bits(stream, np.arange(2 * _ROUNDS, dtype=np.uint64)).tolist()

    def once(words: Words) -> Words:
        for number in range(_ROUNDS):
            words = words * np.uint64(constants[2 * number] | 1)
            words += np.uint64(constants[2 * number + 1])
            words &= mask
            words ^= words >> shift
        return words

    places = once(rows)
    beyond = np.flatnonzero(places >= size)
    while beyond.size:
        again = once(places[beyond])
        places[beyond] = again
        beyond = beyond[again >= size]
    return places
