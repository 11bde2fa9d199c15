"""Examples of what a semantic type names, from ranges that belong to nobody; one for each row, by arithmetic alone.

Mail addresses are at example.org, IBANs have a German bank code that is not given out, card numbers are of a test
range, telephone numbers are 555-01xx, network addresses those of documentation (RFC 5737).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from testenv.core.errors import Invalid
from testenv.datasets.synthesize.counter import Words, bits, permuted

Matrix = npt.NDArray[np.uint8]
"""One text a row, as bytes of equal number."""

_GIVEN = "Alma Bruno Clara Dario Edda Falk Greta Hugo Ines Jonas Kaia Lars Mira Nils Olga Pavel Rosa Sven Tilda Ugo"
_FAMILY = "Amsel Buche Cedro Dohle Eiche Fichte Ginster Hasel Iltis Jasmin Kiefer Linde Mohn Nelke Olive Pappel Quitte"
_STREETS = "Musterweg Beispielgasse Probestraße Modellallee Testplatz Platzhalterweg Vorlagenring Attrappenhof"
_CITIES = "Musterstadt Beispielhausen Probeburg Modellheim Testfurt Vorlagen Attrappin Platzhalten"
_SUBJECTS = ("payment", "order", "delivery", "card", "account", "refund", "contract", "invoice")
_NOTES = ("is settled", "was asked about", "comes later", "is in order", "was sent again", "needs a second look")


def example(kind: str, stream: int, rows: Words, total: int, unique: bool) -> pa.Array:
    """Texts of `kind` for `rows` of a table of `total` rows; a kind that is not known gives letters.

    Raises `Invalid` if they must be unique and the kind has fewer.
    """
    if kind in _LISTS:
        values = _list(kind)
        if not unique:
            return values.take(pa.array((bits(stream, rows) % np.uint64(len(values))).astype(np.int32)))
        _hold(kind, len(values), total)
        return values.take(pa.array(permuted(stream, rows, len(values)).astype(np.int32)))
    if kind in _SERIAL:
        size, write = _SERIAL[kind]
        if not unique:
            return texts(write(bits(stream, rows) % np.uint64(size)))
        _hold(kind, size, total)
        return texts(write(permuted(stream, rows, size)))
    name = letters(bits(stream, rows))
    return texts(_joined(name, "@example.org") if kind == "email" else name)


def is_listed(kind: str) -> bool:
    """Whether there are so few examples of `kind` that they are held in a list."""
    return kind in _LISTS


def letters(words: Words) -> Matrix:
    """16 letters of a to p for 64 bits: no digits, so that no detector takes them for a number."""
    halves = words.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    out = np.empty((len(words), 16), dtype=np.uint8)
    out[:, ::2] = halves & 15
    out[:, 1::2] = halves >> 4
    out += ord("a")
    return out


def digits(values: Words, width: int) -> Matrix:
    """The last `width` decimal digits, with leading zeros."""
    out = np.empty((len(values), width), dtype=np.uint8)
    for place in range(width - 1, -1, -1):
        rest = values // np.uint64(10)
        out[:, place] = values - rest * np.uint64(10)
        values = rest
    out += ord("0")
    return out


def texts(matrix: Matrix, missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """An Arrow column of the rows' bytes."""
    count, width = matrix.shape
    offsets = np.arange(0, (count + 1) * width, width or 1, dtype=np.int32)
    return pa.StringArray.from_buffers(
        count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix)), validity(missing)
    )


def validity(missing: npt.NDArray[np.bool_] | None) -> pa.Buffer | None:
    """Arrow's bitmap of what is there."""
    if missing is None or not missing.any():
        return None
    return pa.py_buffer(np.packbits(~missing, bitorder="little"))


def _hold(kind: str, size: int, total: int) -> None:
    if total > size:
        raise Invalid(f"{kind}: there are {size:,} examples, and {total:,} rows must have one each. Ask for fewer")


def _joined(*parts: Matrix | str) -> Matrix:
    count = next(len(part) for part in parts if not isinstance(part, str))
    widths = [len(part) if isinstance(part, str) else part.shape[1] for part in parts]
    out = np.empty((count, sum(widths)), dtype=np.uint8)
    at = 0
    for part, width in zip(parts, widths, strict=True):
        out[:, at : at + width] = np.frombuffer(part.encode(), dtype=np.uint8) if isinstance(part, str) else part
        at += width
    return out


def _iban(serial: Words) -> Matrix:
    bank = 99_999_999
    account = np.uint64(bank * 10**10) + serial
    # ISO 7064 mod 97-10 of the account, DE as digits, and 00 for the digits to be found.
    rest = (account % np.uint64(97) * np.uint64(10**6 % 97) + np.uint64(131400)) % np.uint64(97)
    return _joined("DE", digits(np.uint64(98) - rest, 2), str(bank), digits(serial, 10))


def _pan(serial: Words) -> Matrix:
    number = _joined("400000", digits(serial, 9))
    doubled = (number[:, ::2] - np.uint8(ord("0"))) * np.uint8(2)
    total = (doubled - np.uint8(9) * (doubled > 9)).sum(axis=1, dtype=np.uint64)
    total += (number[:, 1::2] - np.uint8(ord("0"))).sum(axis=1, dtype=np.uint64)
    return _joined(number, digits((np.uint64(10) - total % np.uint64(10)) % np.uint64(10), 1))


def _phone(serial: Words) -> Matrix:
    area = np.uint64(200) + serial // np.uint64(100)
    return _joined("+1", digits(area, 3), "55501", digits(serial % np.uint64(100), 2))


_SERIAL: dict[str, tuple[int, Callable[[Words], Matrix]]] = {"iban": (10**10, _iban), "pan": (10**9, _pan)}
_PHONES = 80_000
_LISTS: dict[str, Callable[[], list[str]]] = {
    "person_name": lambda: [f"{given} {family}" for given in _GIVEN.split() for family in _FAMILY.split()],
    "phone": lambda: _decoded(_phone(np.arange(_PHONES, dtype=np.uint64))),
    "ip_address": lambda: [
        f"{network}.{host}" for network in ("192.0.2", "198.51.100", "203.0.113") for host in range(1, 255)
    ],
    "street": lambda: [f"{street} {number}" for street in _STREETS.split() for number in range(1, 100)],
    "city": _CITIES.split,
    "postal_code": lambda: [f"00{number:03d}" for number in range(1000)],
    "free_text": lambda: [f"The {subject} {note}." for subject in _SUBJECTS for note in _NOTES],
}


def _decoded(matrix: Matrix) -> list[str]:
    found: list[Any] = texts(matrix).to_pylist()
    return found


@lru_cache(maxsize=32)
def _list(kind: str) -> pa.Array:
    return pa.array(_LISTS[kind](), pa.string())
