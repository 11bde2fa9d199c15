"""Profiles of tables: how much of what they hold, without a value that fewer than eleven rows have.

Sensitive columns carry no value at all: the contract's semantic type says what stands in for them. A profile is made
inside the production boundary, from whole tables, as the fan-out of a sample is not the table's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from testenv.core.contract import Contract, Contracts, Field, Store
from testenv.core.errors import Invalid
from testenv.datasets.synthesize import small_cells
from testenv.datasets.synthesize.arrow import Whole, arrow_type, whole
from testenv.datasets.synthesize.model import (
    After,
    Categories,
    Column,
    Draw,
    Key,
    Profile,
    Quantiles,
    Reference,
    Semantic,
    Table,
    Text,
)

FIRST_KEY = 1_000_000_000
"""Generated keys count from here, far above those of hand-made rows; in columns of 32 bits from a thousandth of it."""

_MOST_CATEGORIES = 2000
_NAMED_TEXTS = 0.5
"""A column of texts is one of categories if so much of it may be named; the rest is spread over them."""
_NAMED_NUMBERS = 0.95


def profile(contracts: Contracts, tables: Mapping[str, Iterable[pa.RecordBatch]]) -> Profile:
    """Profile `tables` (dataset → its rows), which must hold what they refer to. Raises `Invalid`.

    All columns must be flat, and in the contract. Memory: the columns of all tables, as references are counted.
    """
    whole_tables = {name: _table(contracts, name, rows) for name, rows in tables.items()}
    return Profile({name: _profiled(contracts[name], whole_tables) for name in sorted(whole_tables)})


def _table(contracts: Contracts, name: str, rows: Iterable[pa.RecordBatch]) -> pa.Table:
    if name not in contracts:
        raise Invalid(f"{name} has no contract. Write contracts/{name}.yaml, or leave the table out")
    table = pa.Table.from_batches(rows).combine_chunks()
    fields = {field.path for field in contracts[name].fields}
    if unknown := sorted(set(table.column_names) - fields):
        raise Invalid(f"{name}: the contract has no {', '.join(unknown)}. Classify it there, or leave the column out")
    return table


def _profiled(contract: Contract, tables: Mapping[str, pa.Table]) -> Table:
    table = tables[contract.id]
    columns: list[Column] = []
    for name in table.column_names:
        field = contract.field(name)
        found = _column(contract, field, tables)
        missing = small_cells.share(table.column(name).null_count, table.num_rows)
        columns.append(replace(found, nulls=0.0 if field.required else missing))
    return Table(table.num_rows, _after(table, columns))


def _column(contract: Contract, field: Field, tables: Mapping[str, pa.Table]) -> Column:
    values = _array(tables[contract.id].column(field.path))
    kind = str(values.type)
    arrow_type(kind)  # raises if it cannot be synthesised
    return Column(field.path, kind, _draw(contract, field, values, tables))


def _draw(contract: Contract, field: Field, values: pa.Array, tables: Mapping[str, pa.Table]) -> Draw:
    is_key = contract.key == (field.path,)
    unique = field.unique and (is_key or not field.primary_key)  # not a part of a longer key
    if field.references:
        table, _, column = field.references.rpartition(".")
        to = f"{Store.POSTGRES}.{table}"
        if to not in tables:
            raise Invalid(f"{contract.id}: {field.path} refers to {to}, which is not profiled. Add its rows")
        return Reference(f"{to}.{column}", _fan_out(values, tables[to].num_rows), unique)
    if is_key and not pa.types.is_temporal(values.type):
        return Key(FIRST_KEY if _is_wide(values.type) else FIRST_KEY // 1000)
    if field.classification is None or field.classification.is_sensitive:
        return Semantic(field.semantic_type, unique)
    there = values.drop_null()
    if pa.types.is_string(values.type):
        return _texts(there, unique, field.allowed)
    return Semantic("", unique=True) if unique else _numbers(there)


def _is_wide(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_decimal(kind) or kind.bit_width > 32)


def _fan_out(values: pa.Array, parents: int) -> tuple[tuple[float, float], ...]:
    counted = pc.value_counts(values.drop_null()).field("counts").to_numpy()
    return small_cells.fan_out(counted, max(parents, len(counted))) if len(counted) else ((1.0, 1.0),)


def _texts(values: pa.Array, unique: bool, allowed: tuple[Any, ...]) -> Draw:
    if unique:
        return _letters(values, unique=True)
    counted = pc.value_counts(values)
    named, other = small_cells.categories(
        counted.field("values").to_pylist(), counted.field("counts").to_numpy().astype(np.int64)
    )
    if rest := sorted({str(value) for value in allowed} - {value for value, _ in named}):
        # The contract names them; how many rows each has is not told.
        named = sorted([*named, *((value, other / len(rest)) for value in rest)])
    if named and len(named) <= _MOST_CATEGORIES and sum(count for _, count in named) >= _NAMED_TEXTS * len(values):
        return _categories(named, other, len(values))
    return _letters(values)


def _letters(values: pa.Array, unique: bool = False) -> Text:
    lengths = small_cells.edges(np.asarray(pc.utf8_length(values).to_numpy(), dtype=np.int64)) or (8,)
    return Text(max(0, lengths[0]), max(1, lengths[-1]), unique)


def _numbers(values: pa.Array) -> Draw:
    if pa.types.is_floating(values.type):
        values = values.filter(pc.is_finite(values))
    scale = _scale(values)
    numbers = whole(values, scale)
    distinct, counts = np.unique(numbers, return_counts=True)
    named, other = small_cells.categories(distinct, counts)
    if scale == 1 and named and len(named) <= _MOST_CATEGORIES and other <= (1 - _NAMED_NUMBERS) * len(numbers):
        return _categories(named, other, len(numbers))
    found = _quantiles(numbers)
    return replace(found, scale=scale) if found else Semantic("")


def _scale(values: pa.Array) -> int:
    """What a float is multiplied by to be whole: millionths, or less where that is beyond 64 bits."""
    if not pa.types.is_floating(values.type):
        return 1
    largest = pc.max(pc.abs(values)).as_py() or 1.0
    return int(10 ** max(0, min(6, int(17 - np.log10(max(largest, 1.0))))))


def _quantiles(numbers: Whole) -> Quantiles | None:
    grain = small_cells.grain(numbers)
    edges = small_cells.edges(numbers // grain)
    return Quantiles(edges, grain) if edges else None


def _categories(named: Sequence[tuple[str | int, float]], other: int, total: int) -> Categories:
    counts = sum(count for _, count in named) or 1
    return Categories(
        tuple(value for value, _ in named),
        tuple(round(count / counts, 6) for _, count in named),
        small_cells.share(other, total),
    )


def _after(table: pa.Table, columns: list[Column]) -> tuple[Column, ...]:
    """Times that are never before those of a column before them stay so: they are drawn as the time since."""
    found: list[Column] = []
    times: list[Column] = []
    for column in columns:
        if isinstance(column.draw, Quantiles) and pa.types.is_timestamp(arrow_type(column.type)):
            # The nearest such column: created after booked, changed after created.
            for before in reversed([each for each in times if each.type == column.type]):
                if distance := _distance(table, before, column):
                    column = replace(column, draw=After(before.name, distance))
                    break
            times.append(column)
        found.append(column)
    return tuple(found)


def _distance(table: pa.Table, before: Column, column: Column) -> Quantiles | None:
    pair = table.select([before.name, column.name]).drop_null()
    first, then = (whole(_array(pair.column(name))) for name in (before.name, column.name))
    return _quantiles(then - first) if len(first) and (then >= first).all() else None


def _array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    if isinstance(found, pa.ChunkedArray):
        found = found.chunk(0) if found.num_chunks else pa.array([], found.type)
    return found.cast(pa.string()) if pa.types.is_large_string(found.type) else found
