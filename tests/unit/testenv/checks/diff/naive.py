"""What a diff is, by definition and row by row in plain Python: what the library is held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from testenv.checks.diff import ArrowTable

Row = tuple[Any, ...]


def table(rows: Sequence[Row], schema: pa.Schema, batch_rows: int = 3) -> ArrowTable:
    """A table that comes in small batches."""
    columns = [pa.array([row[at] for row in rows], each.type) for at, each in enumerate(schema)]
    whole = pa.table(columns, schema=schema)

    def read(names: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        yield from (whole if names is None else whole.select([*names])).to_batches(max_chunksize=batch_rows)

    return ArrowTable(schema, read)


def counts(base: list[Row], head: list[Row], key: Sequence[int]) -> dict[str, Any]:
    """Equal rows are set aside; what is left of a key is paired."""
    left = [Counter(base) - Counter(head), Counter(head) - Counter(base)]
    by_key = [Counter[Row]() for _ in left]
    for side, found in zip(left, by_key, strict=True):
        for row, number in side.items():
            found[tuple(row[at] for at in key)] += number
    changed = sum((by_key[0] & by_key[1]).values())
    differing = {*by_key[0], *by_key[1]}
    repeated = [
        sum(n > 1 and k in differing for k, n in Counter(tuple(row[at] for at in key) for row in side).items())
        for side in (base, head)
    ]
    return {
        "only_in_base": sum(by_key[0].values()) - changed,
        "only_in_head": sum(by_key[1].values()) - changed,
        "changed": changed,
        "duplicates": tuple(repeated),
    }
