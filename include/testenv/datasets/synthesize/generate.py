"""Rows from a profile: on any worker, and in any range, a row has the same values, as they hang on its number alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from testenv.core.errors import Invalid
from testenv.datasets.synthesize.arrow import Whole, arrow_type, column
from testenv.datasets.synthesize.counter import Words, bits, key, permuted
from testenv.datasets.synthesize.examples import Matrix, example, letters, texts
from testenv.datasets.synthesize.fan_out import allocate
from testenv.datasets.synthesize.model import (
    After,
    Categories,
    Column,
    Key,
    Profile,
    Quantiles,
    Reference,
    Semantic,
    Table,
    Text,
)

Mask = npt.NDArray[np.bool_]

BLIND_DAYS = (-10_957, 13_149)
"""Where nothing is known of dates and times, they lie in 1940 … 2005: a time is the beginning of such a day."""

LONGEST_TEXT = 256
"""Letters that a generated text has at most."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_SLOTS = 1 << 16


def schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table's rows."""
    return pa.schema([pa.field(each.name, arrow_type(each.type), each.nulls > 0) for each in table.columns])


def generate(profile: Profile, table: str, start: int, stop: int, seed: int) -> pa.RecordBatch:
    """Rows `start` … `stop` - 1 of `table`.

    The same profile, seed and row give the same values, whatever the range; batches of some ten thousand rows are the
    fastest. Raises `Invalid` for a range outside the table, and for a unique column that has fewer values than rows.
    """
    found = profile.tables.get(table)
    if found is None:
        raise Invalid(f"the profile has no table {table!r}, only {', '.join(sorted(profile.tables))}")
    if not 0 <= start <= stop <= found.rows:
        raise Invalid(f"{table} has rows 0 to {found.rows}, asked were {start} to {stop}")
    rows = np.arange(start, stop, dtype=np.uint64)
    made = _Rows(profile, table, found, rows, seed)
    return pa.RecordBatch.from_arrays([made.column(each) for each in found.columns], schema=schema(found))


@dataclass
class _Rows:
    """Some rows of a table, made column by column."""

    profile: Profile
    name: str
    table: Table
    rows: Words
    seed: int

    def stream(self, column: str, use: str) -> int:
        return key(self.seed, self.name, column, use)

    def column(self, made: Column) -> pa.Array:
        kind = arrow_type(made.type)
        match made.draw:
            case Reference() as draw:
                keys, missing = self.references(made, draw)
                return _keys(self.seed, draw.to, _key_of(self.profile, draw.to), keys, kind, missing)
            case Key() as draw:
                return _keys(self.seed, f"{self.name}.{made.name}", draw, self.rows, kind, None)
        missing = self.missing(made)
        if pa.types.is_string(kind):
            return self.text(made, missing)
        scale = made.draw.scale if isinstance(made.draw, Quantiles) else 1
        return column(self.numbers(made, kind), kind, missing, scale)

    def missing(self, made: Column) -> Mask | None:
        if not made.nulls:
            return None
        drawn = bits(self.stream(made.name, "null"), self.rows) >> _HALF
        return np.asarray(drawn < np.uint64(min(round(made.nulls * 2**32), 2**32)))

    def references(self, made: Column, draw: Reference) -> tuple[Words, Mask | None]:
        """The row of the parent for each row, and which rows have none.

        Children are dealt to parents in a random order of both. Within a table they are dealt in the order of the rows,
        so that a row refers to an earlier one and no cycle comes of it.
        """
        total, stream = self.table.rows, self.stream(made.name, "reference")
        parents = self.profile.tables[draw.to.rpartition(".")[0]].rows
        is_own = draw.to.rpartition(".")[0] == self.name
        children = total - (ceil(made.nulls * total) if is_own else round(made.nulls * total))
        if not children:
            return self.rows, np.ones(len(self.rows), dtype=bool)
        if not parents:
            raise Invalid(f"{self.name}.{made.name}: {children:,} rows must refer to {draw.to}, which has none")
        if draw.unique and children > parents:
            raise Invalid(
                f"{self.name}.{made.name}: {children:,} rows must refer to different rows of {draw.to}, "
                f"of which there are {parents:,}. Scale both tables alike"
            )
        if is_own and not draw.unique:
            missing = self.rows < np.uint64(total - children)
            places = np.where(missing, np.uint64(0), self.rows - np.uint64(total - children))
            found = allocate(draw.fan_out, parents, children).parent(places)
            return found, missing if children < total else None
        places = permuted(stream, self.rows, total)
        missing = places >= np.uint64(children)
        if missing.any():
            places = np.where(missing, np.uint64(0), places)
        if not draw.unique:
            places = allocate(draw.fan_out, parents, children).parent(places)
        return permuted(self.stream(made.name, "parent"), places, parents), missing if children < total else None

    def text(self, made: Column, missing: Mask | None) -> pa.Array:
        stream = self.stream(made.name, "value")
        match made.draw:
            case Categories() as draw:
                picked = pa.array(self.picked(draw, stream), mask=missing)
                return _dictionary(draw.values).take(picked)
            case Semantic() as draw:
                found = example(draw.kind, stream, self.rows, self.table.rows, draw.unique)
            case Text() as draw if draw.unique:
                found = self.unique_letters(made.name, draw, stream)
            case Text() as draw:
                found = self.letters(made.name, draw)
            case _:
                raise Invalid(f"{self.name}.{made.name}: texts are not drawn by {made.draw.by}. Make the profile anew")
        return _without(found, missing)

    def letters(self, name: str, draw: Text) -> pa.Array:
        longest = min(draw.longest, LONGEST_TEXT)
        blocks = [letters(bits(self.stream(name, f"text {at}"), self.rows)) for at in range(0, longest, 16)]
        return _cut(np.hstack(blocks)[:, :longest], draw.shortest, bits(self.stream(name, "length"), self.rows))

    def unique_letters(self, name: str, draw: Text, stream: int) -> pa.Array:
        width = min(draw.longest, 15)
        if 16**width < self.table.rows:
            raise Invalid(
                f"{self.name}.{name}: {draw.longest} letters are not enough for {self.table.rows:,} different texts"
            )
        return texts(np.ascontiguousarray(letters(permuted(stream, self.rows, 16**width))[:, :width]))

    def numbers(self, made: Column, kind: pa.DataType) -> Whole:
        stream = self.stream(made.name, "value")
        match made.draw:
            case Categories() as draw:
                return np.asarray(np.array(draw.values, dtype=np.int64)[self.picked(draw, stream)])
            case Quantiles() as draw:
                return between(draw, bits(stream, self.rows))
            case After() as draw:
                before = self.numbers(self.table.column(draw.column), kind)
                return np.asarray(before + between(draw.distance, bits(stream, self.rows)))
            case Semantic() | Text() as draw:
                return self.blind(kind, stream, draw.unique)
            case _:
                raise Invalid(f"{self.name}.{made.name}: numbers are not drawn by {made.draw.by}")

    def picked(self, draw: Categories, stream: int) -> npt.NDArray[np.uint16]:
        return np.asarray(_slots(draw.shares)[bits(stream, self.rows) >> np.uint64(48)])

    def blind(self, kind: pa.DataType, stream: int, unique: bool) -> Whole:
        """Numbers of a column of which nothing may be known."""
        if pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
            first, last = BLIND_DAYS
            day = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
            unit = day[kind.unit] if pa.types.is_timestamp(kind) else 1
            days = bits(stream, self.rows) % np.uint64(last - first)
            return (days.astype(np.int64) + first) * unit
        size = min(self.largest(kind), 10**9)
        if unique and self.table.rows > size:
            raise Invalid(f"{self.name}: a column of type {kind} has no {self.table.rows:,} different values")
        return (permuted(stream, self.rows, size) if unique else bits(stream, self.rows) % np.uint64(size)).astype(
            np.int64
        )

    def largest(self, kind: pa.DataType) -> int:
        if pa.types.is_boolean(kind):
            return 2
        if pa.types.is_decimal(kind):
            return int(10 ** min(kind.precision, 18))
        return int(2 ** (kind.bit_width - 1))


def between(draw: Quantiles, words: Words) -> Whole:
    """Between two neighbouring edges: the upper half of the bits says which, the lower half how far."""
    edges = np.array(draw.edges, dtype=np.int64)
    if len(edges) == 1:
        return np.full(len(words), edges[0] * draw.grain)
    steps = np.uint64(len(edges) - 1)
    at = ((words >> _HALF) * steps) >> _HALF
    span = np.diff(edges).astype(np.uint64)[at]
    part = words & _LOW
    # The upper 64 of span × part / 2³², which does not fit into 64 bits as one product.
    moved = (span >> _HALF) * part + (((span & _LOW) * part) >> _HALF)
    found = edges[at] + moved.astype(np.int64)
    return np.asarray(found * draw.grain if draw.grain != 1 else found)


def _key_of(profile: Profile, to: str) -> Key:
    table, _, name = to.rpartition(".")
    draw = profile.tables[table].column(name).draw
    if not isinstance(draw, Key):
        raise Invalid(f"{to} is referred to and must be a key, the profile says {draw.by}")
    return draw


def _keys(seed: int, name: str, draw: Key, rows: Words, kind: pa.DataType, missing: Mask | None) -> pa.Array:
    """The keys of rows: what a table's own key is, and what refers to it."""
    if pa.types.is_string(kind):
        return _without(texts(letters(bits(key(seed, name), rows))), missing)
    return column(rows.astype(np.int64) + draw.first, kind, missing)


def _without(found: pa.Array, missing: Mask | None) -> pa.Array:
    if missing is None or not missing.any():
        return found
    return pc.if_else(pa.array(missing), pa.scalar(None, found.type), found)


def _cut(matrix: Matrix, shortest: int, words: Words) -> pa.Array:
    """Texts of the first letters of each row, as many as the bits say: all of them, or fewer down to the shortest."""
    longest = matrix.shape[1]
    if shortest >= longest:
        return texts(matrix)
    lengths = shortest + (words % np.uint64(longest - shortest + 1)).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    body = matrix[np.arange(longest) < lengths[:, None]]
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(body))


@lru_cache(maxsize=256)
def _dictionary(values: tuple[str, ...]) -> pa.Array:
    return pa.array(values, pa.string())


@lru_cache(maxsize=256)
def _slots(shares: tuple[float, ...]) -> npt.NDArray[np.uint16]:
    """Which category each value of 16 bits stands for. Every category has a slot, however small its share."""
    weights = np.array(shares, dtype=np.float64)
    ends = np.rint(np.cumsum(weights) / weights.sum() * (_SLOTS - len(weights))).astype(np.int64)
    counts = np.diff(np.concatenate([[0], ends])) + 1
    return np.repeat(np.arange(len(weights), dtype=np.uint16), counts)
