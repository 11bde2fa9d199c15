"""Profiles of tables: how much of what they hold, without a value that fewer than eleven rows have.

Sensitive columns carry no value at all: the contract's semantic type says what stands in for them. A profile is made
inside the production boundary, from whole tables, as the fan-out of a sample is not the table's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from testenv.core.contract import Contract, Contracts, Field, Store
from testenv.core.errors import Invalid
from testenv.datasets.synthesize import documents, small_cells
from testenv.datasets.synthesize.arrow import Whole, arrow_type, whole
from testenv.datasets.synthesize.documents import Leaves
from testenv.datasets.synthesize.model import (
    AT_ONCE,
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

_SIZE = re.compile(r"char\w*\((\d+)\)", re.IGNORECASE)
_MOST_CATEGORIES = 2000
_NAMED_TEXTS = 0.5
"""A column of texts is one of categories if so much of it may be named; the rest is spread over them."""
_NAMED_NUMBERS = 0.95


def profile(contracts: Contracts, tables: Mapping[str, Iterable[pa.RecordBatch]]) -> Profile:
    """Profile `tables` (dataset → its rows), which must hold what they refer to. Raises `Invalid`.

    Memory: all tables; `profile_table` takes one at a time, where the numbers of rows are known before.
    """
    if strangers := sorted(set(tables) - set(contracts)):
        raise Invalid(f"{strangers[0]} has no contract. Write contracts/{strangers[0]}.yaml, or leave the table out")
    found = {name: documents.leaves(contracts[name], pa.Table.from_batches(rows)) for name, rows in tables.items()}
    counts = {name: leaves.rows for name, leaves in found.items()}
    return Profile({name: profile_table(contracts[name], found[name], counts) for name in sorted(found)})


def profile_table(contract: Contract, leaves: Leaves, counts: Mapping[str, int]) -> Table:
    """Profile one table; `counts` has the rows of each table that is profiled. Raises `Invalid`."""
    columns: list[Column] = []
    for path, values in leaves.flat.items():
        field = contract.field(path)
        found = _column(contract, field, values, counts)
        if field.required and path == field.column:
            found = replace(found, nulls=0.0)
        elif isinstance(found.draw, Reference) and found.draw.to.rpartition(".")[0] == contract.id:
            found = replace(found, nulls=max(found.nulls, 1 / max(1, leaves.rows)))  # somebody is at the top
        columns.append(found)
    columns = list(_after(leaves, columns))
    for path, items in leaves.lists.items():
        lengths = Column(documents.length_of(path), "int32", _numbers(items.lengths.drop_null()), _nulls(items.lengths))
        columns.append(lengths)
        each = [_column(contract, contract.field(leaf), values, counts) for leaf, values in items.leaves.items()]
        columns += [
            replace(column, name=documents.slot(column.name, number))
            for number in range(_most(lengths.draw))
            for column in each
        ]
    return Table(leaves.rows, tuple(columns))


def _nulls(values: pa.Array) -> float:
    return small_cells.share(values.null_count, len(values))


def _most(draw: Draw) -> int:
    """How many items a list of such lengths has at most."""
    match draw:
        case Categories():
            return min(int(max(draw.values)), documents.MOST_ITEMS)
        case Quantiles():
            return min(draw.edges[-1] * draw.grain, documents.MOST_ITEMS)
    return 0


def _column(contract: Contract, field: Field, values: pa.Array, counts: Mapping[str, int]) -> Column:
    kind = str(values.type)
    arrow_type(kind)  # raises if it cannot be synthesised
    return Column(field.path, kind, _draw(contract, field, values, counts), _nulls(values))


def _draw(contract: Contract, field: Field, values: pa.Array, counts: Mapping[str, int]) -> Draw:
    is_key = contract.key == (field.path,)
    unique = field.unique and (is_key or not field.primary_key)  # not a part of a longer key
    if field.references:
        table, _, column = field.references.rpartition(".")
        to = f"{Store.POSTGRES}.{table}"
        if to not in counts:
            raise Invalid(f"{contract.id}: {field.path} refers to {to}, which is not profiled. Add its rows")
        return Reference(f"{to}.{column}", _fan_out(values, counts[to]), unique)
    if is_key and not pa.types.is_temporal(values.type):
        return Key(FIRST_KEY if _is_wide(values.type) else FIRST_KEY // 1000)
    if field.classification is None or field.classification.is_sensitive:
        return Semantic(field.semantic_type, unique)
    there = values.drop_null()
    if pa.types.is_string(values.type):
        return _texts(there, unique, field)
    return Semantic("", unique=True) if unique else _numbers(there)


def _is_wide(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_decimal(kind) or kind.bit_width > 32)


def _fan_out(values: pa.Array, parents: int) -> tuple[tuple[float, float], ...]:
    counted = pc.value_counts(values.drop_null()).field("counts").to_numpy()
    return small_cells.fan_out(counted, max(parents, len(counted))) if len(counted) else ((1.0, 1.0),)


def _texts(values: pa.Array, unique: bool, field: Field) -> Draw:
    if unique:
        return _letters(values, field, unique=True)
    counted = pc.value_counts(values)
    named, other = small_cells.categories(
        counted.field("values").to_pylist(), counted.field("counts").to_numpy().astype(np.int64)
    )
    if rest := sorted({str(value) for value in field.allowed} - {value for value, _ in named}):
        # The contract names them; how many rows each has is not told.
        named = sorted([*named, *((value, other / len(rest)) for value in rest)])
    if named and len(named) <= _MOST_CATEGORIES and sum(count for _, count in named) >= _NAMED_TEXTS * len(values):
        return _categories(named, other, len(values))
    return _letters(values, field)


def _letters(values: pa.Array, field: Field, unique: bool = False) -> Text:
    """As long as the rows' texts; where nothing may be told of those, eight letters or what the column takes."""
    lengths = small_cells.edges(np.asarray(pc.utf8_length(values).to_numpy(), dtype=np.int64))
    if not lengths:
        declared = _SIZE.search(field.physical_type)
        lengths = (min(8, int(declared[1])) if declared else 8,)
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


def _after(leaves: Leaves, columns: list[Column]) -> tuple[Column, ...]:
    """Times that are never before those of a column before them stay so: they are drawn as the time since.

    Where too few rows tell of it, a time is that of the column before it: whatever changed was made first.
    """
    found: list[Column] = []
    times: list[Column] = []
    for column in columns:
        is_told = isinstance(column.draw, Quantiles)
        if (is_told or column.draw == Semantic("")) and pa.types.is_timestamp(arrow_type(column.type)):
            # The nearest such column: created after booked, changed after created.
            for before in reversed([each for each in times if each.type == column.type]):
                if distance := _distance(leaves, before, column) if is_told else AT_ONCE:
                    column = replace(column, draw=After(before.name, distance))
                    break
            times.append(column)
        found.append(column)
    return tuple(found)


def _distance(leaves: Leaves, before: Column, column: Column) -> Quantiles | None:
    first, then = leaves.pair(before.name, column.name)
    return _quantiles(then - first) if len(first) and (then >= first).all() else None
