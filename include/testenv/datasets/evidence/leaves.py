"""The leaves of Arrow batches, by the paths of contracts: columns, nested values, JSON and Avro bodies, headers."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from testenv.core.errors import Invalid

Batches = Path | Iterable[Path] | Callable[[], Iterable[pa.RecordBatch]]
"""A dataset: files (Parquet, or JSON lines as `.jsonl`), or what gives its batches anew at each call."""

Decode = Callable[[bytes], Any]
"""Reads a body in the schema registry's wire format (its first byte is 0)."""

ROWS = 65_536
"""Rows of a batch: what is in memory at once."""

FEW = 4_096
"""Batches of fewer rows are put together, such as small files: a leaf costs more than its values."""

_ORDINARY = re.compile(r"[A-Za-z_][\w-]*")

_OPENS = np.zeros(256, np.bool_)
"""First bytes of a JSON object or list, or of blanks before it."""
_OPENS[list(b"{[ \n\t\r")] = True


@dataclass(frozen=True)
class Leaf:
    """Values at one path. `rows` are the rows of the batch they stand in; a row may have several, or none."""

    path: str
    values: pa.Array
    rows: Any


def read(batches: Batches) -> Iterator[pa.RecordBatch]:
    """The batches, one at a time. Raises `Invalid` for a file that is neither Parquet nor JSON lines."""
    if callable(batches):
        yield from _together(batches())
        return
    for file in [batches] if isinstance(batches, Path) else batches:
        if file.suffix == ".parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(file) as parquet:
                yield from parquet.iter_batches(ROWS)
        elif file.suffix == ".jsonl":
            yield from _lines(file)
        else:
            raise Invalid(f"evidence: {file.name} is neither .parquet nor .jsonl. Give its batches instead")


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if held and (batch.schema != held[0].schema or sum(each.num_rows for each in held) >= FEW):
            yield pa.concat_batches(held)
            held = []
        held.append(batch)
    if held:
        yield pa.concat_batches(held)


def _lines(file: Path) -> Iterator[pa.RecordBatch]:
    """A batch's only column has no name, so that the paths of its lines begin with their own keys."""
    with file.open("rb") as lines:
        while held := [line for _, line in zip(range(ROWS), lines, strict=False)]:
            yield pa.record_batch([pa.array(held, pa.binary())], names=[""])


def leaves(batch: pa.RecordBatch, decode: Decode | None = None) -> Iterator[Leaf]:
    """Every leaf of a batch. A body that is JSON, or Avro where `decode` is given, gives its leaves in its place."""
    everything = np.arange(batch.num_rows)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        yield from _below(name, column, everything, decode)


def _below(path: str, values: pa.Array, rows: Any, decode: Decode | None) -> Iterator[Leaf]:
    kind = values.type
    if pa.types.is_dictionary(kind):
        yield from _below(path, values.dictionary_decode(), rows, decode)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _below(f"{path}.{field.name}", pc.struct_field(values, field.name), rows, decode)
    elif pa.types.is_map(kind):
        parents = np.repeat(rows, np.diff(values.offsets.to_numpy()))
        first, last = values.offsets[0].as_py(), values.offsets[-1].as_py()
        there = slice(first, last)
        yield from _named(path, values.keys[there], values.items[there], parents, decode)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        parents = rows[pc.list_parent_indices(values).to_numpy()]
        inner = pc.list_flatten(values)
        if pa.types.is_struct(inner.type) and {field.name for field in inner.type} == {"name", "value"}:
            names, values = pc.struct_field(inner, "name"), pc.struct_field(inner, "value")
            yield from _named(path, names, values, parents, decode)
        else:
            yield from _below(f"{path}[]", inner, parents, decode)
    elif is_text(kind):
        yield from _bodies(path, values, rows, decode)
    else:
        yield Leaf(path, values, rows)


def _named(path: str, names: pa.Array, values: pa.Array, rows: Any, decode: Decode | None) -> Iterator[Leaf]:
    """Headers: a leaf for each name."""
    for name in pc.unique(names).to_pylist():
        where = pc.equal(names, name)
        yield from _below(f"{path}.{name}", values.filter(where), rows[where.to_numpy(zero_copy_only=False)], decode)


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are strings or bytes."""
    return any(
        test(kind)
        for test in (
            *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
            *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary),
        )
    )


def text_buffers(values: pa.Array) -> tuple[Any, Any]:
    """Bytes (read-only) and 64-bit offsets of a column of strings or bytes. A null's bytes are those of its slot."""
    kind = values.type
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        values = values.cast(pa.large_binary())
        kind = values.type
    wide = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    _, offsets, data = values.buffers()
    if not len(values) or offsets is None:
        return np.frombuffer(b" ", np.uint8), np.zeros(len(values) + 1, np.int64)
    held = np.frombuffer(offsets, np.int64 if wide else np.int32)[values.offset : values.offset + len(values) + 1]
    return np.frombuffer(data if data is not None and data.size else b" ", np.uint8), np.array(held, np.int64)


def _bodies(path: str, values: pa.Array, rows: Any, decode: Decode | None) -> Iterator[Leaf]:
    """A column of texts, and what its bodies hold. A body that was read stands no longer in the column itself."""
    data, offsets = text_buffers(values)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    heads = data[offsets[filled]]
    wanted = _OPENS[heads] | (heads == 0 if decode else np.False_)
    found: dict[tuple[str, bool], tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
    done: list[int] = []
    for at in filled[wanted].tolist():
        body = data[offsets[at] : offsets[at + 1]].tobytes()
        try:
            content = decode(body) if decode and body[0] == 0 else json.loads(body)
        except ValueError:  # no JSON: it stays a text, and is looked at as one
            continue
        if isinstance(content, (dict, list)):
            done.append(at)
            for inner, value in _walk(path, content):
                held = found[inner, isinstance(value, (int, float))]
                held[0].append(int(rows[at]))
                held[1].append(value)
    if done:
        read_already = np.zeros(len(values), bool)
        read_already[done] = True
        values = pc.if_else(pa.array(read_already), pa.scalar(None, values.type), values)
    if len(done) < len(values):
        yield Leaf(path, values, rows)
    for (inner, is_number), (where, content) in found.items():
        if is_number and all(type(value) is int and abs(value) < 2**63 for value in content):
            yield Leaf(inner, pa.array(content, pa.int64()), np.array(where))  # keys, which a float would not compare
            continue
        array = pa.array([float(value) for value in content]) if is_number else pa.array(map(_text, content))
        yield Leaf(inner, array, np.array(where))
        large = [str(value) for value in content if is_number and isinstance(value, int) and abs(value) >= 10**12]
        if large:  # a card number that is written as a number
            where = [row for row, value in zip(where, content, strict=True) if str(value) in set(large)]
            yield Leaf(inner, pa.array(large), np.array(where))


def _walk(path: str, content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            key = str(key)
            if _ORDINARY.fullmatch(key):
                yield from _walk(f"{path}.{key}" if path else key, value)
            else:  # a key that is itself a value
                yield f"{path}{{}}", key
                yield from _walk(f"{path}{{}}", value)
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _walk(f"{path}[]", value)
    elif content is not None:
        yield path, content


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
