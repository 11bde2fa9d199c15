"""Generated tables as Parquet, in parts of fixed size: byte-identical on any number of workers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testenv.datasets.synthesize.examples import is_listed
from testenv.datasets.synthesize.generate import generate, schema
from testenv.datasets.synthesize.model import Categories, Draw, Profile, Semantic, Table

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

ROWS_A_BATCH = 1 << 15
ROWS_A_PART = 1 << 20
"""Part of what a part's bytes depend on."""

SETTINGS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "version": "2.6",
    "data_page_version": "1.0",
    "write_statistics": True,
    "store_schema": True,
}


@dataclass(frozen=True)
class Part:
    """A file of rows `start` … `stop` - 1, and the SHA-256 of its bytes."""

    name: str
    start: int
    stop: int
    sha256: str = ""


def parts(profile: Profile, table: str, rows_a_part: int = ROWS_A_PART) -> tuple[Part, ...]:
    """The files that a table's rows go to."""
    rows = profile.tables[table].rows
    return tuple(
        Part(f"part-{number:05d}.parquet", start, min(start + rows_a_part, rows))
        for number, start in enumerate(range(0, rows, rows_a_part))
    )


def batches(profile: Profile, table: str, start: int, stop: int, seed: int) -> Iterator[pa.RecordBatch]:
    """The rows in batches of the size that is generated fastest."""
    for at in range(start, stop, ROWS_A_BATCH):
        yield generate(profile, table, at, min(at + ROWS_A_BATCH, stop), seed)


def parquet(profile: Profile, table: str, part: Part, seed: int) -> memoryview:
    """The bytes of one part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = profile.tables[table]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema(described), **SETTINGS, **_encodings(described)) as writer:
        for batch in batches(profile, table, part.start, part.stop, seed):
            writer.write_batch(batch, row_group_size=ROWS_A_PART)
    return memoryview(sink.getvalue())


def write(
    profile: Profile, table: str, folder: Path, seed: int, workers: int = 1, rows_a_part: int = ROWS_A_PART
) -> tuple[Part, ...]:
    """Write a table's parts below `folder`, by as many processes as there are workers."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    folder.mkdir(parents=True, exist_ok=True)
    todo = parts(profile, table, rows_a_part)
    if workers == 1:
        return tuple(_write(profile, table, folder, part, seed) for part in todo)
    # A forked process would carry the threads' locks of Arrow and Polars.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_write, profile, table, folder, part, seed) for part in todo]
        return tuple(each.result() for each in waiting)


def _write(profile: Profile, table: str, folder: Path, part: Part, seed: int) -> Part:
    body = parquet(profile, table, part, seed)
    (folder / part.name).write_bytes(body)
    return Part(part.name, part.start, part.stop, hashlib.sha256(body).hexdigest())


def _encodings(table: Table) -> dict[str, Any]:
    """How columns are written, by what they hold: a dictionary for what repeats, differences for whole numbers."""
    repeat = [each.name for each in table.columns if _is_repetitive(each.draw)]
    whole = ("int32", "int64", "date32", "timestamp")
    return {
        "use_dictionary": repeat,
        "column_encoding": {
            each.name: "DELTA_BINARY_PACKED"
            for each in table.columns
            if each.type.startswith(whole) and each.name not in repeat
        },
    }


def _is_repetitive(draw: Draw) -> bool:
    return isinstance(draw, Categories) or (isinstance(draw, Semantic) and is_listed(draw.kind) and not draw.unique)
