"""Arrow's types as text, as a profile names them, and columns taken apart into whole numbers and put together again."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from testenv.core.errors import Invalid
from testenv.datasets.synthesize.examples import validity

Whole = npt.NDArray[np.int64]

_TIME = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal128\((\d+), (-?\d+)\)")
_PLAIN = {
    str(kind): kind
    for kind in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.date32()),
    )
}
KINDS = f"{', '.join(_PLAIN)}, timestamp[UNIT] and decimal128(PRECISION, SCALE)"
"""What can be synthesised."""


def arrow_type(text: str) -> pa.DataType:
    """The type that `text` names. Raises `Invalid`."""
    if text in _PLAIN:
        return _PLAIN[text]
    if found := _TIME.fullmatch(text):
        return pa.timestamp(found[1], found[2])
    if found := _DECIMAL.fullmatch(text):
        return pa.decimal128(int(found[1]), int(found[2]))
    raise Invalid(f"columns of type {text} are not synthesised, only {KINDS}. Take the column out, or unnest it before")


def whole(column: pa.Array, scale: int = 1) -> Whole:
    """The values of a column without nulls as whole numbers, see `model`. Raises `Invalid` if they are larger."""
    kind = column.type
    if pa.types.is_floating(kind):
        return np.asarray(np.rint(column.to_numpy(zero_copy_only=False).astype(np.float64) * scale), dtype=np.int64)
    if pa.types.is_decimal(kind):
        wide = column.cast(pa.decimal128(38, kind.scale))
        buffer = np.frombuffer(wide.buffers()[1], dtype="<i8").reshape(-1, 2)[wide.offset : wide.offset + len(wide)]
        if (buffer[:, 1] != buffer[:, 0] >> 63).any():
            raise Invalid(f"a column of type {kind} has numbers beyond 64 bits, which are not synthesised")
        return buffer[:, 0].astype(np.int64)
    if pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)


def column(numbers: Whole, kind: pa.DataType, missing: npt.NDArray[np.bool_] | None, scale: int = 1) -> pa.Array:
    """The other way round: a column of `kind`, null where `missing`."""
    if pa.types.is_boolean(kind):
        return pa.array(numbers != 0, kind, mask=missing)
    values: Any
    if pa.types.is_decimal(kind):
        values = np.empty((len(numbers), 2), dtype="<i8")
        values[:, 0] = numbers
        values[:, 1] = numbers >> 63
    elif pa.types.is_floating(kind):
        values = (numbers / scale).astype(kind.to_pandas_dtype())
    else:
        values = numbers.astype(f"<i{kind.bit_width // 8}", copy=False)
    return pa.Array.from_buffers(kind, len(numbers), [validity(missing), pa.py_buffer(values)])
