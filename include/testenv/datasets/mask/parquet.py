"""Parquet to Parquet in this process: batch by batch, so that memory does not grow with the rows."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
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
    """The file's batches. Text columns of few different values come as dictionaries: there are few to mask."""
    with pq.ParquetFile(source) as probe:
        dictionaries = _repeating_columns(probe, batch_rows)
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


def _repeating_columns(file: pq.ParquetFile, batch_rows: int) -> list[str]:
    """Text columns whose first rows repeat themselves: at most one value in ten is new."""
    texts = [each.name for each in file.schema_arrow if pa.types.is_string(each.type)]
    first = next(file.iter_batches(batch_rows, columns=texts), None) if texts else None
    if first is None:
        return []
    return [name for name in texts if pc.count_distinct(first.column(name)).as_py() * 10 <= len(first)]
