"""Parquet to Parquet in this process: batch by batch, so that memory does not grow with the rows."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from testenv.datasets.mask.keyed import Key
from testenv.datasets.mask.masker import mask_batches
from testenv.datasets.mask.rules import DatasetPolicy

BATCH_ROWS = 65_536
ROW_GROUP_ROWS = 524_288


def mask_parquet(source: Path, target: Path, policy: DatasetPolicy, key: Key) -> int:
    """Write `source`, masked, as `target`; the number of rows. The target is there when it is whole, or not at all.

    The same rows make the same bytes: one writer's settings, and no metadata of the source.
    """
    return write_parquet(target, mask_batches(read_parquet(source), policy, key))


def read_parquet(source: Path, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The file's batches. Columns that the writer kept as dictionaries throughout come as such: few values to mask."""
    with pq.ParquetFile(source) as probe:
        dictionaries = _dictionary_columns(probe)
    with pq.ParquetFile(source, read_dictionary=dictionaries, pre_buffer=False) as file:
        yield from file.iter_batches(batch_size=batch_rows)


def write_parquet(target: Path, batches: Iterator[pa.RecordBatch]) -> int:
    """Write the batches, which share a schema, as one file with fixed settings; the number of rows."""
    part = target.with_name(target.name + ".part")
    rows = 0
    try:
        first = next(batches, None)
        if first is None:
            raise ValueError(f"nothing to write to {target.name}: not even a batch without rows, which has the schema")
        schema = _plain(first.schema)
        # What has few values came as a dictionary; one begun in vain for the rest doubles the cost of writing.
        few = [each.name for each in first.schema if pa.types.is_dictionary(each.type)]
        with pq.ParquetWriter(part, schema, compression="zstd", compression_level=1, use_dictionary=few) as writer:
            for batch in itertools.chain([first], batches):
                plain = pa.RecordBatch.from_arrays([_decoded(column) for column in batch.columns], schema=schema)
                writer.write_batch(plain, row_group_size=ROW_GROUP_ROWS)
                rows += len(batch)
        part.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    return rows


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema(
        [
            pa.field(each.name, each.type.value_type if pa.types.is_dictionary(each.type) else each.type, each.nullable)
            for each in schema
        ]
    )


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _dictionary_columns(file: pq.ParquetFile) -> list[str]:
    """Text columns all of whose pages, in all row groups, are of a dictionary."""
    metadata, schema = file.metadata, file.schema
    whole = []
    for index in range(len(schema)):
        column = schema.column(index)
        if column.physical_type != "BYTE_ARRAY" or column.max_repetition_level or "." in column.path:
            continue
        encodings = [metadata.row_group(group).column(index).encodings for group in range(metadata.num_row_groups)]
        if encodings and all("RLE_DICTIONARY" in each and _no_fallback(each) for each in encodings):
            whole.append(column.path)
    return whole


def _no_fallback(encodings: tuple[str, ...]) -> bool:
    # The dictionary's own page is PLAIN and listed once; pages that fell back are listed again.
    return encodings.count("PLAIN") <= 1 and "DELTA_BYTE_ARRAY" not in encodings
