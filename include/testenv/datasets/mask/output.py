"""Makes columns of text: by filling a template with the digits of a token, or by picking from a list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from testenv.datasets.mask.canonical import text_buffers
from testenv.datasets.mask.jit import compiled
from testenv.datasets.mask.sha256 import Digests

LETTER, HEX, HEX_8_TO_B, HEX_1_TO_F = 1, 2, 3, 4
"""What a place of a template takes: a letter from a to p, or a hexadecimal digit of a range."""

_PLACES = {"?": LETTER, "#": HEX, "%": HEX_8_TO_B, "!": HEX_1_TO_F}
PLACES = 32
"""Hexadecimal digits that a token has to give."""


@compiled
def _fill(literal: Any, kinds: Any, digests: Any, present: Any, offsets: Any, out: Any) -> None:
    at = 0
    for i in range(present.size):
        offsets[i] = at
        if not present[i]:
            continue
        bits = digests[i, 0]
        taken = 0
        for j in range(literal.size):
            kind = kinds[j]
            if kind == 0:
                out[at + j] = literal[j]
                continue
            if taken == 16:
                bits = digests[i, 1]
            nibble = np.uint8(bits >> np.uint64(60))
            bits <<= np.uint64(4)
            taken += 1
            if kind == 1:
                out[at + j] = 97 + nibble
                continue
            if kind == 3:
                nibble = np.uint8(8 | (nibble & 3))
            elif kind == 4 and nibble == 0:
                nibble = np.uint8(15)
            out[at + j] = nibble + (48 if nibble < 10 else 87)
        at += literal.size
    offsets[present.size] = at


def filled(template: str, digests: Digests, like: pa.Array) -> pa.Array:
    """`template` once for each row, its places filled from the row's token; `large_binary`.

    Null and empty values of `like` (`large_binary`) stay what they are. Places: `?` a letter from a to p, `#` a
    hexadecimal digit, `%` one of 8 to b, `!` one of 1 to f.
    """
    kinds = np.array([_PLACES.get(char, 0) for char in template], np.uint8)
    if int((kinds > 0).sum()) > PLACES:
        raise ValueError(f"a token has {PLACES} digits, and {template!r} asks for more")
    present = filled_rows(like)
    offsets = np.empty(len(like) + 1, np.int64)
    out = np.empty(int(present.sum()) * len(template), np.uint8)
    _fill(np.frombuffer(template.encode(), np.uint8), kinds, digests, present, offsets, out)
    return text_array(out, offsets, like)


def filled_rows(values: pa.Array) -> NDArray[np.bool_]:
    """Which rows of a `large_binary` column hold at least a byte."""
    _, offsets = text_buffers(values)
    present: NDArray[np.bool_] = offsets[1:] > offsets[:-1]
    return present & valid_rows(values) if values.null_count else present


def valid_rows(values: pa.Array) -> NDArray[np.bool_]:
    """Which rows are not null."""
    valid: NDArray[np.bool_] = values.is_valid().to_numpy(zero_copy_only=False)
    return valid


def text_array(data: NDArray[np.uint8], offsets: NDArray[np.int64], like: pa.Array) -> pa.Array:
    """A `large_binary` column of these bytes, with the nulls of `like`."""
    return pa.Array.from_buffers(
        pa.large_binary(), len(offsets) - 1, [validity(like), pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def validity(values: pa.Array) -> pa.Buffer | None:
    """The bitmap of which rows are not null, from bit 0 on."""
    if not values.null_count:
        return None
    bits = np.packbits(valid_rows(values), bitorder="little")
    return pa.py_buffer(bits)


def picked(choices: pa.Array, places: NDArray[np.int64], like: pa.Array) -> pa.Array:
    """`choices[places[i]]` for each row, as `large_binary`; null and empty values of `like` stay what they are."""
    present = filled_rows(like)
    if not present.all():
        places = np.where(present, places, len(choices))
        choices = pa.concat_arrays([choices.cast(pa.large_binary()), pa.array([b""], pa.large_binary())])
    indices = pa.Array.from_buffers(pa.int64(), len(places), [validity(like), pa.py_buffer(places)])
    return choices.cast(pa.large_binary()).take(indices)
