"""A table or view of Postgres. All hashing is done by the server with its own functions, in parallel if it likes."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from testenv.backends.errors import postgres_errors
from testenv.checks.diff.table import KEY, ROW, WHOLE, Sums, seed
from testenv.core.errors import NotFound

if TYPE_CHECKING:
    import polars as pl
    from psycopg2.extensions import connection as Connection

    from testenv.checks.diff.table import Hashes, Pairs

_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""

_SESSION = """
SET TIME ZONE 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601';
SET enable_sort = off -- the planner takes every row's bucket for a bucket of its own, and would sort them all
"""

_BYTES_SINCE = 180000
"""The first release that hashes bytes to 64 bits from SQL."""

_NULL = 0x2545F4914F6CDD1D
_ROW_SEED = 0x5EED
_FETCH_ROWS = 50_000
_COPIED_ROWS = 1 << 20


class PostgresTable:
    """`connection` is the caller's and stays so; the settings that the comparison needs are those of its session.

    `name` may be qualified by a schema. Values are equal as the server has it: -0 and 0, NaN and NaN, 1.5 and 1.50,
    one instant in two zones, CHAR(n) without its padding. What has no hash of its own is hashed as its text.
    """

    buckets = 1 << 12
    most_keys = 1 << 18

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection, name
        self._release = int(connection.server_version)
        with postgres_errors(), connection.cursor() as cursor:
            cursor.execute(_SESSION)

    @property
    def method(self) -> str:
        return f"PostgreSQL {'bytes' if self._release >= _BYTES_SINCE else 'numbers'}"

    @functools.cached_property
    def types(self) -> Mapping[str, str]:
        found = dict(self._rows(_COLUMNS, self._table))
        if not found:
            raise NotFound(f"Postgres has no table {self._name} that this role sees. Name one, as SCHEMA.TABLE")
        return found

    def sums(self, columns: Sequence[str], each: Sequence[str]) -> Sums:
        wanted = [f"sum({self._row_hash(columns)})", *(f"sum({self._hash(name)})" for name in each)]
        [[rows, total, *by_column]] = self._rows(f"SELECT count(*), {', '.join(wanted)} FROM {self._table}")
        sums = {name: int(value or 0) % WHOLE for name, value in zip(each, by_column, strict=True)}
        return Sums(rows, int(total or 0) % WHOLE, sums)

    def bucket_sums(self, key: Sequence[str], columns: Sequence[str]) -> Mapping[int, tuple[int, int]]:
        query = f"SELECT {self._bucket(key)}, count(*), sum({self._row_hash(columns)}) FROM {self._table} GROUP BY 1"
        return {bucket: (rows, int(total) % WHOLE) for bucket, rows, total in self._rows(query)}

    def hashes(self, key: Sequence[str], columns: Sequence[str], buckets: Sequence[int] | None) -> Iterator[Pairs]:
        where = "" if buckets is None else f" WHERE {self._bucket(key)} = ANY ('{{{','.join(map(str, buckets))}}}')"
        query = f"SELECT {self._row_hash(key)}, {self._row_hash(columns)} FROM {self._table}{where}"
        with tempfile.TemporaryFile(prefix="testenv-diff-") as sent:
            with postgres_errors(), self._connection.cursor() as cursor:
                cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", sent)
            yield from _pairs(sent)

    def rows(self, key: Sequence[str], columns: Sequence[str], wanted: Hashes) -> Iterator[pl.DataFrame]:
        import numpy as np
        import polars as pl

        keys = ",".join(map(str, wanted.view(np.int64).tolist()))
        shown = ", ".join(f"{self._shown(name)} AS {_quoted(name)}" for name in columns)
        query = (
            f"SELECT {shown}, {self._row_hash(key)}, {self._row_hash(columns)} FROM {self._table} "
            f"WHERE {self._row_hash(key)} IN (SELECT unnest('{{{keys}}}'::bigint[]))"
        )
        names = [*columns, KEY, ROW]
        types = {name: _polars(self.types[name]) for name in columns} | {KEY: pl.Int64, ROW: pl.Int64}
        found = self._rows(query)
        for at in range(0, max(len(found), 1), _FETCH_ROWS):
            frame = pl.DataFrame(found[at : at + _FETCH_ROWS], [(name, types[name]) for name in names], orient="row")
            yield frame.with_columns(pl.col(KEY, ROW).reinterpret(signed=False))

    @property
    def _table(self) -> str:
        return ".".join(map(_quoted, self._name.split(".")))

    def _rows(self, query: str, *arguments: Any) -> list[Any]:
        with postgres_errors(), self._connection.cursor() as cursor:
            cursor.execute(query, arguments or None)
            return list(cursor.fetchall())

    def _bucket(self, key: Sequence[str]) -> str:
        return f"({self._row_hash(key)} & {self.buckets - 1})"

    def _row_hash(self, names: Sequence[str]) -> str:
        """Hashed once more: a sum of what is merely combined would not always see values that changed rows."""
        each = " # ".join(f"coalesce({self._hash(name)}, {_NULL ^ seed(name)})" for name in names)
        return self._whole(f"({each or '0::bigint'})", "int8send", _ROW_SEED)

    def _whole(self, value: str, send: str, number: int) -> str:
        """A hash of all 64 bits: Postgres's own hash of bigint folds them to 32 first."""
        if self._release >= _BYTES_SINCE:
            return f"hashbyteaextended({send}({value}), {number})"
        if send == "int8send":
            return f"hash_numeric_extended({value}::numeric, {number})"
        kind = send.removesuffix("_send")
        return f"({kind}_hash_extended({value}, {number}) # hashfloat8extended(date_part('epoch', {value}), {number}))"

    def _hash(self, name: str) -> str:
        """The hash of a column's value, null of null."""
        column, number = _quoted(name), seed(name)
        match self.types[name].partition("(")[0]:
            case "bigint":
                return self._whole(column, "int8send", number)
            case "integer" | "smallint" | "boolean":
                return f"hashint4extended({column}::integer, {number})"
            case "double precision" | "real":
                return f"hashfloat8extended({column}::float8, {number})"
            case "numeric":
                return f"hash_numeric_extended({column}, {number})"
            case "timestamp with time zone":
                return self._whole(column, "timestamptz_send", number)
            case "timestamp without time zone" | "date":
                return self._whole(f"{column}::timestamp", "timestamp_send", number)
            case "uuid":
                return f"uuid_hash_extended({column}, {number})"
            case "jsonb":
                return f"jsonb_hash_extended({column}, {number})"
            case "bytea":
                return f"hashtextextended(encode({column}, 'hex'), {number})"
        return f'hashtextextended({column}::text COLLATE "C", {number})'

    def _shown(self, name: str) -> str:
        """A value as Python takes it: times and what has no type there as text, bytes as their digits."""
        kind = self.types[name].partition("(")[0]
        if kind == "bytea":
            return f"encode({_quoted(name)}, 'hex')"
        if kind in ("bigint", "integer", "smallint", "boolean", "double precision", "real", *_DATED):
            return f"CASE WHEN isfinite({_quoted(name)}) THEN {_quoted(name)} END" if kind in _DATED else _quoted(name)
        return f"{_quoted(name)}::text"


_DATED = ("timestamp with time zone", "timestamp without time zone", "date")


def _polars(declared: str) -> Any:
    """What a column becomes. Numbers of any precision are text in full; tolerances read it as a number."""
    import polars as pl

    plain: dict[str, Any] = {
        "bigint": pl.Int64,
        "integer": pl.Int64,
        "smallint": pl.Int64,
        "boolean": pl.Boolean,
        "double precision": pl.Float64,
        "real": pl.Float64,
        "date": pl.Date,
    }
    if declared.startswith("timestamp"):
        return pl.Datetime("us", "UTC" if declared.endswith("with time zone") else None)
    return plain.get(declared, pl.String)


def _pairs(sent: IO[bytes]) -> Iterator[Pairs]:
    """What COPY sends in binary: a header of 19 bytes, rows of two bigints with their lengths, a trailer of 2."""
    import numpy as np

    row = np.dtype([("fields", ">i2"), ("size", ">i4"), (KEY, ">u8"), ("other size", ">i4"), (ROW, ">u8")])
    left = (sent.tell() - 21) // row.itemsize
    sent.seek(19)
    while left > 0:
        found = np.frombuffer(sent.read(min(left, _COPIED_ROWS) * row.itemsize), row)
        left -= len(found)
        yield found[KEY].astype(np.uint64), found[ROW].astype(np.uint64)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
