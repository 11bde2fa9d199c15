"""A tape as files: one Parquet file for each partition, and `manifest.json`, which is written last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from testenv.core.errors import Failed, Invalid

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
ROWS = 16_384
"""Rows of a batch, and of a row group, at most."""

BYTES = 16 << 20
"""Bytes of keys, values and headers that end a batch early."""

CREATE_TIME, LOG_APPEND_TIME = 1, 2
"""What a record's timestamp is, in Kafka's client numbers."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gap(_Frozen):
    """Offsets from `offset` on, `length` of them, at which no record stands: compacted away, aborted, or markers."""

    offset: int
    length: int


class About(_Frozen):
    """How a tape's records were masked.

    `broken` counts what could not be read as its format says, and was replaced by a synthetic broken record: part of
    the record (`key`, `value`, `headers`) → how many. `schemas` are the Avro schemas used, by registry id. `policy` is
    the digest of the masking policy and `key_epoch` the epoch of its key; empty if nothing was masked.
    """

    policy: str = ""
    key_epoch: str = ""
    schemas: dict[int, str] = {}
    broken: dict[str, int] = {}


class Partition(_Frozen):
    """A partition's part of the segment: offsets `start` to before `end`, and its file's SHA-256."""

    number: int
    start: int
    end: int
    records: int
    tombstones: int
    gaps: tuple[Gap, ...]
    sha256: str

    @property
    def file(self) -> str:
        return file_name(self.number)


class Manifest(_Frozen):
    """What a tape holds. `config` is what production set on the topic itself; `snapshot` is when it was recorded."""

    topic: str
    config: dict[str, str]
    snapshot: datetime
    partitions: tuple[Partition, ...]
    about: About = About()

    @property
    def records(self) -> int:
        return sum(partition.records for partition in self.partitions)


@dataclass(frozen=True)
class Tape:
    """A tape in a folder of its own."""

    manifest: Manifest
    folder: Path

    def batches(self, partition: int) -> Iterator[pa.RecordBatch]:
        """The records of a partition in the order of their offsets; never more than a row group in memory."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.folder / file_name(partition)) as file:
            yield from file.iter_batches(batch_size=ROWS)

    def records(self) -> Iterator[pa.RecordBatch]:
        """The records of all partitions, one partition after another."""
        for partition in self.manifest.partitions:
            if partition.records:
                yield from self.batches(partition.number)


def file_name(partition: int) -> str:
    return f"{partition}.parquet"


def schema() -> pa.Schema:
    """Columns of a tape's file; `timestamp` is in milliseconds since 1970 UTC."""
    import pyarrow as pa

    header = pa.struct([pa.field("name", pa.string(), nullable=False), pa.field("value", pa.binary())])
    return pa.schema(
        [
            pa.field("offset", pa.int64(), nullable=False),
            pa.field("timestamp", pa.int64(), nullable=False),
            pa.field("timestamp_type", pa.int8(), nullable=False),
            pa.field("key", pa.binary()),
            pa.field("value", pa.binary()),
            pa.field("headers", pa.list_(pa.field("item", header, nullable=False)), nullable=False),
        ]
    )


def to_batch(rows: Iterable[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows of `(offset, timestamp, timestamp_type, key, value, headers)`; headers are lists of `(name, value)`."""
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(schema())
    arrays = [pa.array(column, field.type) for column, field in zip(columns[:5], schema(), strict=False)]
    return pa.RecordBatch.from_arrays([*arrays, header_array(columns[5])], schema=schema())


def header_array(lists: Sequence[Sequence[tuple[str, bytes | None]]]) -> pa.ListArray:
    """The column `headers`. Built from its parts: a dictionary for each header would take several times as long."""
    import pyarrow as pa

    ends = pa.array(accumulate(map(len, lists), initial=0), pa.int32())
    kind = schema().field("headers").type
    names = pa.array([name for each in lists for name, _ in each], pa.string())
    values = pa.array([value for each in lists for _, value in each], pa.binary())
    pairs = pa.StructArray.from_arrays([names, values], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(ends, pairs, type=kind)


def to_rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """The rows of a batch, as `to_batch` takes them."""
    columns = [batch.column(name).to_pylist() for name in schema().names[:5]]
    return zip(*columns, header_lists(batch.column("headers")), strict=True)


def header_lists(column: pa.ListArray) -> Iterator[list[tuple[str, bytes | None]]]:
    """The inverse of `header_array`."""
    pairs = column.values
    both = list(zip(pairs.field("name").to_pylist(), pairs.field("value").to_pylist(), strict=True))
    return (both[start:end] for start, end in pairwise(column.offsets.to_pylist()))


def write_partition(folder: Path, number: int, span: tuple[int, int], batches: Iterable[pa.RecordBatch]) -> Partition:
    """Write a partition's file. The same batches give the same bytes: no time of writing, no statistics in it."""
    import pyarrow.parquet as pq

    path, gaps, records, tombstones, expected = folder / file_name(number), [], 0, 0, span[0]
    with pq.ParquetWriter(
        path, schema(), version="2.6", compression="zstd", compression_level=3, write_statistics=False
    ) as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=ROWS)
            gaps += gaps_before(batch.column("offset").to_numpy(), expected)
            expected = batch.column("offset")[-1].as_py() + 1
            records += batch.num_rows
            tombstones += batch.column("value").null_count
    if expected < span[1]:
        gaps.append(Gap(offset=expected, length=span[1] - expected))
    return Partition(
        number=number,
        start=span[0],
        end=span[1],
        records=records,
        tombstones=tombstones,
        gaps=tuple(gaps),
        sha256=sha256(path),
    )


def gaps_before(offsets: Any, expected: int) -> list[Gap]:
    """Gaps before and between ascending `offsets` (a numpy array), where `expected` should have been the first."""
    import numpy as np

    before = np.concatenate(([expected - 1], offsets[:-1]))
    jumps = np.flatnonzero(offsets - before > 1)
    return [Gap(offset=int(before[at]) + 1, length=int(offsets[at] - before[at]) - 1) for at in jumps]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_manifest(text: str, where: str) -> Manifest:
    """Raises `Invalid` for what is no manifest. `where` is named in the message."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        fields = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
        raise Invalid(
            f"{where} is no manifest of a tape: wrong in {', '.join(fields) or 'its form'}. Record the tape again"
        ) from None


def open_tape(folder: Path) -> Tape:
    """The tape in `folder`. Raises `Invalid` if it has no whole manifest, `Failed` if a file is not what it says."""
    path = folder / MANIFEST
    if not path.is_file():
        raise Invalid(f"{folder} holds no tape: {MANIFEST}, which is written last, is not there. Record it again")
    manifest = read_manifest(path.read_text(encoding="utf-8"), str(path))
    for partition in manifest.partitions:
        require_whole(folder / partition.file, partition)
    return Tape(manifest, folder)


def require_whole(path: Path, partition: Partition) -> None:
    """Raises `Failed` if the file at `path` is not the one that the manifest names."""
    found = sha256(path) if path.is_file() else "no file"
    if found != partition.sha256:
        raise Failed(
            f"{path.name} of the tape has SHA-256 {found}, its manifest says {partition.sha256}. The tape was changed "
            "after it was sealed: record it again"
        )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
