"""Card numbers and IBANs: valid, of the same kind, and unique where they were, by permuting the account's part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from testenv.core.errors import Failed
from testenv.datasets.mask.canonical import text_buffers
from testenv.datasets.mask.jit import compiled, inlined
from testenv.datasets.mask.output import text_array
from testenv.datasets.mask.permute import MAX_LENGTH, permute_texts
from testenv.datasets.mask.strategy import FALLBACK_SPACE, Column, Guarantees, TextStrategy, otherwise

_BIN = 6
"""Digits of a card number that name its issuer."""


@compiled
def _luhn(data: Any, start: int, end: int) -> int:
    """The sum of Luhn's test over the digits, the last of which is the check digit."""
    total = 0
    for j in range(start, end):
        digit = int(data[j]) - 48
        if (end - j) & 1 == 0:
            digit = digit * 2 - 9 * (digit > 4)
        total += digit
    return total


@compiled
def _are_pans(data: Any, offsets: Any, bins: Any, fits: Any, which: Any) -> None:
    for i in range(offsets.size - 1):
        start, end = offsets[i], offsets[i + 1]
        fits[i] = 13 <= end - start <= 19
        number = 0
        for j in range(start, end):
            if not 48 <= data[j] <= 57:
                fits[i] = False
            elif j < start + 6:
                number = number * 10 + data[j] - 48
        fits[i] = fits[i] and _luhn(data, start, end) % 10 == 0
        which[i] = -1
        if fits[i]:
            for k in range(bins.size):
                if bins[k] == number:
                    which[i] = k


@compiled
def _finish_pans(data: Any, offsets: Any, fits: Any, which: Any, targets: Any, digests: Any) -> None:
    """Give each the issuer's number of its row of `targets`, a hashed account if it is of no listed issuer, a check."""
    for i in range(offsets.size - 1):
        if not fits[i]:
            continue
        start, end = offsets[i], offsets[i + 1]
        row = which[i] if which[i] >= 0 else targets.shape[0] - 1
        for j in range(6):
            data[start + j] = targets[row, j]
        if which[i] < 0:
            rest = digests[i, 0]
            for j in range(start + 6, end - 1):
                data[j] = np.uint8(48 + rest % np.uint64(10))
                rest //= np.uint64(10)
        data[end - 1] = 48
        data[end - 1] = 48 + (10 - _luhn(data, start, end) % 10) % 10


@dataclass(frozen=True)
class Pan(TextStrategy):
    """A card number that passes Luhn's test, below a test BIN, as long as it was; blanks and hyphens go.

    `bins` maps each issuer's BIN to a test BIN of its own, under which the account's digits are permuted: that is a
    bijection. A card of another issuer gets the BIN `rest` and a hashed account, which is refused in a unique column.
    """

    name = "pan"
    guarantees = Guarantees("yes for listed BINs: a bijection", "yes", "with the key", "0 (other BINs: n²/2·10^9)")
    rest: str
    bins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.bins, Mapping):
            raise ValueError(f"bins: must map an issuer's BIN to a test BIN, got {self.bins!r}")
        for each in (self.rest, *self.bins, *self.bins.values()):
            if not isinstance(each, str) or len(each) != _BIN or not each.isdigit():
                raise ValueError(f"bins: a BIN has {_BIN} digits, in quotes, got {each!r}")
        targets = [*self.bins.values(), self.rest]
        if len(set(targets)) < len(targets):
            raise ValueError("bins: each test BIN may stand once, and not as rest: two issuers' cards would collide")

    @property
    def space(self) -> float:
        return FALLBACK_SPACE

    def texts(self, texts: pa.Array, column: Column) -> pa.Array:
        texts = _without(texts, b" ", b"-")
        data, offsets = _own(texts)
        fits, which = np.empty(len(texts), np.bool_), np.empty(len(texts), np.int64)
        _are_pans(data, offsets, np.array([int(each) for each in self.bins], np.int64), fits, which)
        unlisted = int((fits & (which < 0)).sum())
        digests = column.domain.digests(texts) if unlisted else np.empty((0, 2), np.uint64)
        if unlisted and column.unique:
            raise Failed(
                f"{column.domain.semantic_type}: {unlisted} card numbers of a unique column are of a BIN that the "
                "strategy does not list. Add it to bins in include/catalog/masking.yaml"
            )
        permute_texts(data, offsets, which >= 0, column.domain.subkey("permutation"), skip=_BIN, keep_end=1)
        targets = np.array([list(each.encode()) for each in (*self.bins.values(), self.rest)], np.uint8)
        _finish_pans(data, offsets, fits, which, targets, digests)
        return otherwise(fits, text_array(data, offsets, texts), texts, column.domain)


@inlined
def _digit(char: Any) -> Any:
    """A character's value in ISO 7064: 0 to 9, A is 10; -1 for what an IBAN cannot hold."""
    if 48 <= char <= 57:
        return np.int64(char) - 48
    if 65 <= char <= 90:
        return np.int64(char) - 55
    return np.int64(-1)


@compiled
def _remainder(data: Any, start: int, end: int) -> int:
    """An IBAN modulo 97, its first four characters moved to its end; -1 if it holds what it must not."""
    remainder = 0
    for step in range(end - start):
        value = _digit(data[start + (step + 4) % (end - start)])
        if value < 0:
            return -1
        remainder = (remainder * (100 if value > 9 else 10) + value) % 97
    return remainder


@compiled
def _are_ibans(data: Any, offsets: Any, longest: int, fits: Any) -> None:
    for i in range(offsets.size - 1):
        start, end = offsets[i], offsets[i + 1]
        length = end - start
        fits[i] = 15 <= length <= longest and data[start] >= 65 and data[start + 1] >= 65
        fits[i] = fits[i] and data[start + 2] <= 57 and data[start + 3] <= 57 and _remainder(data, start, end) == 1
        if fits[i]:
            middle = start + 4 + ((length - 4) >> 1)
            sizes = np.ones(2, np.float64)  # the permutation takes halves below 2^63
            for j in range(start + 4, end):
                sizes[1 if j >= middle else 0] *= 26.0 if data[j] >= 65 else 10.0
            fits[i] = max(sizes[0], sizes[1]) < 9e18


@compiled
def _finish_ibans(data: Any, offsets: Any, fits: Any) -> None:
    for i in range(offsets.size - 1):
        if fits[i]:
            start = offsets[i]
            data[start + 2] = 48
            data[start + 3] = 48
            check = 98 - _remainder(data, start, offsets[i + 1])
            data[start + 2] = 48 + check // 10
            data[start + 3] = 48 + check % 10


@dataclass(frozen=True)
class Iban(TextStrategy):
    """An IBAN of the same country with a valid checksum: the account's characters are permuted, a letter to a letter.

    Blanks go. A country's own check digits within the account are not kept. What is no valid IBAN becomes a token.
    """

    name = "iban"
    guarantees = Guarantees("yes: a bijection", "yes", "with the key", "0 (what is no IBAN: n²/2·2^96)")

    @property
    def space(self) -> float:
        return FALLBACK_SPACE

    def texts(self, texts: pa.Array, column: Column) -> pa.Array:
        texts = _without(texts, b" ")
        data, offsets = _own(texts)
        fits = np.empty(len(texts), np.bool_)
        _are_ibans(data, offsets, MAX_LENGTH, fits)
        permute_texts(data, offsets, fits, column.domain.subkey("permutation"), skip=4)
        _finish_ibans(data, offsets, fits)
        return otherwise(fits, text_array(data, offsets, texts), texts, column.domain)


def _without(texts: pa.Array, *unwanted: bytes) -> pa.Array:
    data, _ = text_buffers(texts)
    for each in unwanted:
        if (data == each[0]).any():
            texts = pc.replace_substring(texts, each, b"")
    return texts


def _own(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A copy of the bytes, to be written over, and the offsets within it."""
    data, offsets = text_buffers(texts)
    return data[offsets[0] : offsets[-1]].copy(), offsets - offsets[0]
