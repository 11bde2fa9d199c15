"""Parquet, ORC, Avro, CSV and JSON files, in a folder or below an S3 prefix, as one table."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from testenv.checks.diff.arrow import ArrowTable, FrameTable
from testenv.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

FORMATS = ("parquet", "orc", "avro", "csv", "json")

_TEXTS, _PACKED = (".csv", ".json"), (".gz", ".bz2")
"""Formats of text, and how such a file may be compressed: that stands after its format."""

_BATCH_ROWS = 1 << 17


def files(url: str, kind: str, session: Any = None) -> FrameTable:
    """The files below `url` (`s3://BUCKET/PREFIX/`, or a path) of one format, by their names, as one table.

    `kind` is one of `FORMATS`; JSON is one object a line. Values of CSV files are compared as they are written.
    `session` is the boto3 session to read S3 as; this process's own credentials without. What begins with `_` or `.`
    is no data, as Spark has it, nor is an empty file. Raises `NotFound` if there is no such file, `Invalid` for an Avro
    file that has a map, once it is read.
    """
    from pyarrow import fs

    if kind not in FORMATS:
        raise Invalid(f"files: kind: must be one of {list(FORMATS)}, got {kind!r}")
    system = _s3(session) if url.startswith("s3://") else fs.LocalFileSystem()
    root = url.removeprefix("s3://").rstrip("/")
    if system.get_file_info(root).type == fs.FileType.File:
        found = [system.get_file_info(root)]
    else:
        found = system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    filled = [each.path for each in found if each.type == fs.FileType.File and each.size]  # Spark writes empty ones too
    paths = sorted(path for path in filled if _is_data(path, root, kind))
    if not paths:
        raise NotFound(f"{url} has no file that ends with .{kind}. Name the prefix that the pipeline writes to")
    if kind == "parquet":
        return ParquetTable(paths, _settings(session) if url.startswith("s3://") else None)
    if kind == "avro":
        return AvroTable(paths, system)
    return _table(paths, kind, system)


class ParquetTable(FrameTable):
    """Parquet files, read as a stream: columns that nobody asks for, and rows that a filter leaves out, not at all."""

    def __init__(self, paths: list[str], s3: dict[str, str] | None) -> None:
        names = {"access_key": "aws_access_key_id", "secret_key": "aws_secret_access_key"}
        names |= {"session_token": "aws_session_token", "endpoint_override": "aws_endpoint_url", "region": "aws_region"}
        self._paths = paths if s3 is None else [f"s3://{path}" for path in paths]
        self._options = {"aws_allow_http": "true", **{names[name]: value for name, value in (s3 or {}).items()}}

    def _lazy(self) -> pl.LazyFrame:
        import polars as pl

        return pl.scan_parquet(self._paths, storage_options=self._options, missing_columns="insert")

    @functools.cached_property
    def _schema(self) -> pl.Schema:
        return self._lazy().collect_schema()

    def _scan(self, columns: Sequence[str]) -> Iterator[pl.LazyFrame]:
        yield self._lazy()


class AvroTable(FrameTable):
    """Avro files, one in memory at a time. They may be of several versions of a schema: what one has not is null."""

    def __init__(self, paths: list[str], system: Any) -> None:
        self._paths, self._system = paths, system

    @functools.cached_property
    def _schema(self) -> pl.Schema:
        import polars as pl

        first = (self._read(path, rows=1) for path in self._paths)
        return pl.concat([each.clear() for each in first], how="diagonal_relaxed").schema

    def _scan(self, columns: Sequence[str]) -> Iterator[pl.LazyFrame]:
        import polars as pl

        for path in self._paths:
            found = self._read(path)
            each = ((name, pl.col(name) if name in found.columns else pl.lit(None)) for name in columns)
            yield found.lazy().select(value.cast(self._schema[name]).alias(name) for name, value in each)

    def _read(self, path: str, rows: int | None = None) -> pl.DataFrame:
        import polars as pl

        with self._system.open_input_file(path) as file:
            content = io.BytesIO(file.read())
        try:
            return pl.read_avro(content, n_rows=rows)
        except (pl.exceptions.ComputeError, pl.exceptions.PanicException) as error:  # the latter is no Exception
            raise Invalid(f"{path}: cannot be read row by row: {error}") from None


def form_of(path: str) -> str:
    """The format of a file, by its name: its ending, or that of a text before the one that says how it is packed."""
    *_, before, last = ("", "", *PurePosixPath(path).suffixes)
    return (before if last in _PACKED and before in _TEXTS else last)[1:]


def _is_data(path: str, root: str, kind: str) -> bool:
    inside = path.removeprefix(root).strip("/").split("/")
    return form_of(path) == kind and not any(part.startswith(("_", ".")) for part in inside)


def _table(paths: list[str], kind: str, system: Any) -> ArrowTable:
    import pyarrow.dataset as ds

    form: Any = kind
    if kind == "csv":
        form = ds.CsvFileFormat(convert_options=_texts(paths, system))
    found = ds.dataset(paths, format=form, filesystem=system, exclude_invalid_files=False)

    def read(columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        # Reading ahead is what costs memory: two batches of one file are enough to keep the processor busy.
        names = None if columns is None else [*columns]
        yield from found.to_batches(names, batch_size=_BATCH_ROWS, batch_readahead=2, fragment_readahead=1)

    return ArrowTable(found.schema, read)


def _texts(paths: list[str], system: Any) -> Any:
    """Every column as text: types that are guessed from some rows would differ from file to file."""
    import pyarrow as pa
    from pyarrow import csv

    names: dict[str, Any] = {}
    for path in paths:
        with system.open_input_stream(path) as stream, csv.open_csv(stream) as first:
            names |= dict.fromkeys(first.schema.names, pa.string())
    return csv.ConvertOptions(column_types=names, strings_can_be_null=True, quoted_strings_can_be_null=False)


def _s3(session: Any) -> Any:
    from pyarrow import fs

    return fs.S3FileSystem(**_settings(session))


def _settings(session: Any) -> dict[str, str]:
    """How to reach S3, as Arrow names it. What is not said the libraries read from the environment themselves."""
    settings = {"endpoint_override": os.environ.get("AWS_ENDPOINT_URL", "")}
    if session is not None:
        login = session.get_credentials().get_frozen_credentials()
        settings |= {"access_key": login.access_key, "secret_key": login.secret_key, "session_token": login.token or ""}
        settings |= {"region": session.region_name or ""}
    return {name: value for name, value in settings.items() if value}
