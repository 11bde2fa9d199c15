"""Whether a profile tells a value that too few rows have: looked up in the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from testenv.core.contract import Contract
from testenv.datasets.synthesize.arrow import whole
from testenv.datasets.synthesize.documents import Leaves, leaf_of
from testenv.datasets.synthesize.model import (
    AT_ONCE,
    After,
    Categories,
    Column,
    Key,
    Quantiles,
    Reference,
    Semantic,
    Table,
    Text,
)
from testenv.datasets.synthesize.small_cells import LEAST


def disclosed(contract: Contract, described: Table, leaves: Leaves) -> list[str]:
    """The columns that tell what fewer than `LEAST` rows have, or anything of a sensitive value. Without the values."""
    fields = {field.path: field for field in contract.fields}
    found = []
    for column in described.columns:
        field = fields.get(leaf_of(column.name))
        if field and field.is_sensitive and not isinstance(column.draw, (Key, Reference, Semantic)):
            found.append(f"{contract.id}: {column.name} is {field.classification}, and is told by {column.draw.by}")
        elif any(_few(told, rows) for told, rows in _told(column, leaves, field.allowed if field else ())):
            found.append(f"{contract.id}: {column.name} has a value of fewer than {LEAST} rows")
    return found


def _told(column: Column, leaves: Leaves, allowed: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    """Values that the profile has, and those of the rows."""
    match column.draw:
        case Categories() as draw:
            values = leaves.of(column.name).drop_null()
            is_text = pa.types.is_string(values.type)
            named = [value for value in draw.values if value not in set(map(str, allowed))]
            yield named, np.asarray(values.to_pylist(), dtype=object) if is_text else whole(values)
        case Quantiles() as draw:
            yield draw.edges, whole(_finite(leaves.of(column.name).drop_null()), draw.scale) // draw.grain
        case After() as draw if draw.distance != AT_ONCE:
            first, then = leaves.pair(draw.column, column.name)
            yield draw.distance.edges, (then - first) // draw.distance.grain
        case Text() as draw:
            lengths = pc.utf8_length(leaves.of(column.name).drop_null()).to_numpy()
            if len(lengths) >= LEAST:  # of fewer, the profile has the contract's length, or none that is theirs
                yield (draw.shortest, draw.longest), lengths


def _few(told: Any, rows: Any) -> bool:
    if not len(told):
        return False
    values, counts = np.unique(rows, return_counts=True)
    of = dict(zip(values.tolist(), counts.tolist(), strict=True))
    return any(0 < of.get(value, 0) < LEAST for value in told)


def _finite(values: pa.Array) -> pa.Array:
    return values.filter(pc.is_finite(values)) if pa.types.is_floating(values.type) else values
