"""The same on Spark: a task makes a part of the table by its number, and needs nothing of the other tasks.

    spark-submit --py-files testenv.zip job.py --profile URL --table postgres.payments --seed 7 --output URL

writes the files that `write.write` does, byte for byte, and `parts.json` when all of them are there. URLs are of S3 or
folders that all workers see. A task that is run twice leaves the same file. Workers need numpy and pyarrow.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testenv.backends.aws import worker_client
from testenv.datasets.synthesize.generate import schema
from testenv.datasets.synthesize.model import Profile
from testenv.datasets.synthesize.write import ROWS_A_PART, Part, batches, parquet, parts

if TYPE_CHECKING:
    import pyarrow as pa

    Batches = Iterable[pa.RecordBatch]

INDEX = "parts.json"
"""Written last: the parts, as JSON."""


def frame(spark: Any, profile: Profile, table: str, seed: int, rows_a_part: int = ROWS_A_PART) -> Any:
    """A table's rows as a Spark DataFrame, a partition for each part, for what goes on with them in Spark."""
    from pyspark.sql.pandas.types import from_arrow_schema  # type: ignore[import-not-found]

    todo = parts(profile, table, rows_a_part)
    make = partial(_rows, profile.to_json(), table, seed, rows_a_part)
    return _numbers(spark, len(todo)).mapInArrow(make, from_arrow_schema(schema(profile.tables[table])))


def write_parts(
    spark: Any, profile: Profile, table: str, seed: int, output: str, rows_a_part: int = ROWS_A_PART
) -> tuple[Part, ...]:
    """Write a table's parts below `output`, each from the worker that makes it: no row passes through the JVM."""
    todo = parts(profile, table, rows_a_part)
    make = partial(_files, profile.to_json(), table, seed, rows_a_part, output)
    made = _numbers(spark, len(todo)).mapInArrow(make, "number long, sha256 string").collect()
    hashes = {row.number: row.sha256 for row in made}
    done = tuple(replace(part, sha256=hashes[number]) for number, part in enumerate(todo))
    put(output, INDEX, json.dumps([asdict(part) for part in done], indent=1).encode())
    return done


def _numbers(spark: Any, count: int) -> Any:
    return spark.range(0, count, 1, count)


def _rows(profile_text: str, table: str, seed: int, rows_a_part: int, numbers: Batches) -> Iterator[pa.RecordBatch]:
    profile = Profile.from_json(profile_text)
    todo = parts(profile, table, rows_a_part)
    for number in _ids(numbers):
        yield from batches(profile, table, todo[number].start, todo[number].stop, seed)


def _files(
    profile_text: str, table: str, seed: int, rows_a_part: int, output: str, numbers: Batches
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    profile = Profile.from_json(profile_text)
    todo = parts(profile, table, rows_a_part)
    for number in _ids(numbers):
        body = parquet(profile, table, todo[number], seed)
        put(output, todo[number].name, body)
        digest = hashlib.sha256(body).hexdigest()
        yield pa.RecordBatch.from_pydict({"number": pa.array([number], pa.int64()), "sha256": [digest]})


def _ids(numbers: Batches) -> Iterator[int]:
    for batch in numbers:
        yield from batch.column(0).to_pylist()


def put(folder: str, name: str, body: bytes | memoryview) -> None:
    """Write a file below `folder`, an S3 URL or a path."""
    _at(folder, _put_object, _write_file)(name, body)


def get(url: str) -> bytes:
    """Read the file at `url`."""
    folder, _, name = url.rpartition("/")
    found: bytes = _at(folder, _get_object, _read_file)(name)
    return found


def _at(folder: str, in_s3: Callable[..., Any], in_files: Callable[..., Any]) -> Callable[..., Any]:
    if folder.startswith("s3://"):
        bucket, _, prefix = folder.removeprefix("s3://").rstrip("/").partition("/")
        return partial(in_s3, bucket, f"{prefix}/" if prefix else "")
    return partial(in_files, Path(folder.removeprefix("file://")))


def _put_object(bucket: str, prefix: str, name: str, body: bytes | memoryview) -> None:
    worker_client("s3").put_object(Bucket=bucket, Key=prefix + name, Body=bytes(body))


def _get_object(bucket: str, prefix: str, name: str) -> bytes:
    body: bytes = worker_client("s3").get_object(Bucket=bucket, Key=prefix + name)["Body"].read()
    return body


def _write_file(folder: Path, name: str, body: bytes | memoryview) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(body)


def _read_file(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def main() -> None:
    from pyspark.sql import SparkSession  # type: ignore[import-not-found]

    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("profile", "table", "output"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--rows-a-part", type=int, default=ROWS_A_PART)
    given = arguments.parse_args()
    spark = SparkSession.builder.appName(f"synthesize {given.table}").getOrCreate()
    profile = Profile.from_json(get(given.profile).decode())
    done = write_parts(spark, profile, given.table, given.seed, given.output, given.rows_a_part)
    print(f"synthesize: {given.table}: {sum(part.stop - part.start for part in done)} rows in {len(done)} files")
    spark.stop()


if __name__ == "__main__":
    main()
