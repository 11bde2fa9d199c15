"""The one text of a value that its token is made of, whatever store or engine the value comes from.

| type | form |
|---|---|
| text | Unicode NFC, trailing spaces gone (`CHAR(n)` pads), letters as they are: `ß` stays `ß` |
| whole number | digits, `-` before a negative one |
| decimal, float | plain, no trailing zeros: `1e7` is `10000000`, `1.50` is `1.5`, `-0.0` is `0`; `nan`, `inf`, `-inf` |
| bool | `true`, `false` |
| date | `2026-01-31` |
| time | `23:59:59.5`, no trailing zeros of the fraction |
| timestamp with zone | in UTC, microseconds, no trailing zeros: `2026-01-31T22:00:00.25Z` |
| timestamp without | the same without `Z` |
| bytes | the text that they are in UTF-8; the bytes themselves if they are none |
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from testenv.core.errors import Failed

_BEYOND_ASCII = 0x80
_ALWAYS_NFC = 0xCC
"""UTF-8's first byte of U+0300, the first character that NFC may change."""


def canonical(value: Any) -> bytes:
    """The canonical form of one value. Raises `Failed` for a type that has none."""
    match value:
        case bool():
            return b"true" if value else b"false"
        case str():
            return unicodedata.normalize("NFC", value).rstrip(" ").encode()
        case bytes():
            try:
                return canonical(value.decode())
            except UnicodeDecodeError:
                return value
        case int():
            return str(value).encode()
        case float():
            return _number(Decimal(repr(value)))
        case Decimal():
            return _number(value)
        case datetime():
            zone = "" if value.tzinfo is None else "Z"
            there = value if value.tzinfo is None else value.astimezone(UTC)
            return (_fraction(there.replace(tzinfo=None).isoformat(timespec="microseconds")) + zone).encode()
        case date():
            return value.isoformat().encode()
        case time():
            return _fraction(value.isoformat(timespec="microseconds")).encode()
        case _:
            raise Failed(
                f"a value of type {type(value).__name__} has no canonical form. "
                "Make the contract's property an object or an array, so that its parts are masked"
            )


def _number(value: Decimal) -> bytes:
    if not value.is_finite():
        return b"nan" if value.is_nan() else b"-inf" if value < 0 else b"inf"
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return b"0" if text in ("-0", "") else text.encode()


def _fraction(text: str) -> str:
    return text.rstrip("0").removesuffix(".")


def canonical_column(values: pa.Array) -> pa.Array:
    """The canonical form of each value, as `large_binary`; null stays null."""
    kind = values.type
    if pa.types.is_integer(kind):
        return values.cast(pa.large_string()).cast(pa.large_binary())
    if _is_text(kind):
        return _text_column(values.cast(pa.large_binary()))
    if pa.types.is_timestamp(kind):
        # Snowflake keeps nanoseconds and Postgres does not: equal to the microsecond is equal.
        values = values.cast(pa.timestamp("us", kind.tz), safe=False)
    return pa.array([None if value is None else canonical(value) for value in values.to_pylist()], pa.large_binary())


def is_textual(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are text or bytes."""
    return _is_text(kind)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _text_column(values: pa.Array) -> pa.Array:
    data, _ = text_buffers(values)
    highest = int(data.max()) if data.size else 0
    if highest >= _BEYOND_ASCII:
        try:
            texts = values.cast(pa.large_string())
        except pa.ArrowInvalid:  # some are not UTF-8: value by value
            forms = [None if each is None else canonical(each) for each in values.to_pylist()]
            return pa.array(forms, pa.large_binary())
        if highest >= _ALWAYS_NFC:
            values = pc.utf8_normalize(texts, form="NFC").cast(pa.large_binary())
    return _trimmed(values)


def _trimmed(values: pa.Array) -> pa.Array:
    data, offsets = text_buffers(values)
    ends = offsets[1:][offsets[1:] > offsets[:-1]]
    if not (data[ends - 1] == ord(" ")).any():
        return values
    return pc.ascii_rtrim(values.cast(pa.large_string(), safe=False), characters=" ").cast(pa.large_binary())


def text_buffers(values: pa.Array) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Bytes and offsets (rows + 1) of a `large_binary` or `large_string` array, without copying."""
    _, offsets, data = values.buffers()
    if offsets is None or not len(values):
        return np.empty(0, np.uint8), np.zeros(len(values) + 1, np.int64)
    places = np.frombuffer(offsets, np.int64, len(values) + 1, values.offset * 8)
    whole = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
    return whole, places
