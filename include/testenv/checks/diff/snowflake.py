"""A table or view of Snowflake. The warehouse hashes, with HASH and HASH_AGG; few rows travel."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from testenv.backends.errors import snowflake_errors
from testenv.checks.diff.table import KEY, ROW, WHOLE, Sums
from testenv.core.errors import NotFound

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection

    from testenv.checks.diff.table import Hashes, Pairs

_PRIME = (1 << 63) - 25
"""Hashes are taken modulo this where they travel: so they are of 63 bits, and of one sign, whatever HASH gives."""

_DOCUMENTS = ("VARIANT", "OBJECT", "ARRAY", "GEOGRAPHY", "GEOMETRY", "VECTOR")


class SnowflakeTable:
    """`connection` is the caller's; its role reads the table. `name` is `[DATABASE.]SCHEMA.TABLE`, as Snowflake spells.

    HASH itself takes equal numbers for equal, whatever their type; -0.0 and instants in several zones are made equal.
    """

    buckets = 1 << 12
    most_keys = 1 << 14  # of a list, more is refused

    def __init__(self, connection: SnowflakeConnection, name: str) -> None:
        self._connection, self._table = connection, ".".join(map(_quoted, name.split(".")))

    @property
    def method(self) -> str:
        return "Snowflake HASH"

    @functools.cached_property
    def types(self) -> Mapping[str, str]:
        from snowflake.connector import DictCursor

        with snowflake_errors(), self._connection.cursor(DictCursor) as cursor:
            cursor.execute(f"DESCRIBE TABLE {self._table}")
            found = {str(row["name"]): str(row["type"]) for row in cursor.fetchall()}
        if not found:
            raise NotFound(f"Snowflake has no columns of {self._table} that this role sees")
        return found

    def sums(self, columns: Sequence[str], each: Sequence[str]) -> Sums:
        wanted = [f"HASH_AGG({self._values(columns)})", *(f"HASH_AGG({self._value(name)})" for name in each)]
        [[rows, total, *by_column]] = self._rows(f"SELECT COUNT(*), {', '.join(wanted)} FROM {self._table}")
        sums = {name: int(value) % WHOLE for name, value in zip(each, by_column, strict=True)}
        return Sums(int(rows), int(total) % WHOLE, sums)

    def bucket_sums(self, key: Sequence[str], columns: Sequence[str]) -> Mapping[int, tuple[int, int]]:
        wanted = f"{self._bucket(key)}, COUNT(*), HASH_AGG({self._values(columns)})"
        found = self._rows(f"SELECT {wanted} FROM {self._table} GROUP BY 1")
        return {int(bucket): (int(rows), int(total)) for bucket, rows, total in found}

    def hashes(self, key: Sequence[str], columns: Sequence[str], buckets: Sequence[int] | None) -> Iterator[Pairs]:
        import numpy as np

        where = "" if buckets is None else f" WHERE {self._bucket(key)} IN ({', '.join(map(str, buckets))})"
        query = f"SELECT {self._hash(key)} AS K, {self._hash(columns)} AS R FROM {self._table}{where}"
        for batch in self._batches(query):
            key_hash, row_hash = (batch.column(at).cast("int64").to_numpy().astype(np.uint64) for at in (0, 1))
            yield key_hash, row_hash

    def rows(self, key: Sequence[str], columns: Sequence[str], wanted: Hashes) -> Iterator[pl.DataFrame]:
        import polars as pl

        shown = ", ".join(f"{self._shown(name)} AS {_quoted(name)}" for name in columns)
        for batch in self._batches(
            f"SELECT {shown}, {self._hash(key)} AS K, {self._hash(columns)} AS R FROM {self._table} "
            f"WHERE {self._hash(key)} IN ({', '.join(map(str, wanted.tolist()))})"
        ):
            frame = pl.DataFrame(pl.from_arrow(batch))
            named = frame.rename(dict(zip(frame.columns, [*columns, KEY, ROW], strict=True)))
            yield named.with_columns(pl.col(KEY, ROW).cast(pl.UInt64))

    def _batches(self, query: str) -> Iterator[pa.Table]:
        """At least one, which has the columns."""
        self._connection.arrow_number_to_decimal_setter = True  # sic: numbers with a scale would come as floats
        found = False
        with snowflake_errors(), self._connection.cursor() as cursor:
            cursor.execute(query)
            for batch in cursor.fetch_arrow_batches(force_microsecond_precision=True):
                found = True
                yield batch
            if not found:
                yield cursor.fetch_arrow_all(force_return_table=True)

    def _rows(self, query: str) -> list[Any]:
        with snowflake_errors(), self._connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def _bucket(self, key: Sequence[str]) -> str:
        return f"MOD({self._hash(key)}, {self.buckets})"

    def _hash(self, names: Sequence[str]) -> str:
        return f"MOD(ABS(HASH({self._values(names)})), {_PRIME})"

    def _values(self, names: Sequence[str]) -> str:
        return ", ".join(map(self._value, names)) or "0"

    def _value(self, name: str) -> str:
        """One form of equal values."""
        column, kind = _quoted(name), self.types[name].partition("(")[0]
        if kind in ("FLOAT", "DOUBLE", "REAL"):
            return f"IFF({column} = 0, 0::FLOAT, {column})"
        if kind == "TIMESTAMP_TZ":
            return f"CONVERT_TIMEZONE('UTC', {column})"
        return column

    def _shown(self, name: str) -> str:
        kind = self.types[name].partition("(")[0]
        if kind in _DOCUMENTS:
            return f"TO_JSON({_quoted(name)})"
        return self._value(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
