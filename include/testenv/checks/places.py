"""Where in their topic the records of an output come from: partition and offset, told as a person reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from testenv.checks.diff.table import Table

NAMES = (("kafka_partition", "kafka_offset"), ("partition", "offset"))
"""How an output may call them, in whatever case."""

Place = tuple[int, int]
MOST_TOLD = 10


def columns(types: Iterable[str]) -> tuple[str, str] | None:
    """The columns that hold partition and offset, as the table spells them; None if it has no such."""
    spelled = {name.lower(): name for name in types}
    for partition, offset in NAMES:
        if partition in spelled and offset in spelled:
            return spelled[partition], spelled[offset]
    return None


def places(table: Table) -> set[Place] | None:
    """The places of all rows; None if the table does not have them. Two passes, and all of them in memory."""
    import numpy as np

    key = columns(table.types)
    if key is None:
        return None
    parts = [keys for keys, _ in table.hashes(key, key, None)]
    wanted = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
    found: set[Place] = set()
    for at in range(0, len(wanted), table.most_keys):
        for frame in table.rows(key, key, wanted[at : at + table.most_keys]):
            pairs = zip(frame[key[0]].to_list(), frame[key[1]].to_list(), strict=True)
            found |= {(int(one), int(other)) for one, other in pairs if one is not None and other is not None}
    return found


def rows_of(found: Iterable[Place]) -> tuple[dict[str, JsonValue], ...]:
    """As a finding names rows."""
    return tuple({"kafka_partition": partition, "kafka_offset": offset} for partition, offset in sorted(found))


def told(rows: Iterable[Mapping[str, Any]]) -> str:
    """`partition 0 offsets 3, 4; partition 2 offset 7`, or other keys as they are; empty for none."""
    by_partition: dict[Any, list[Any]] = defaultdict(list)
    others = []
    for row in rows:
        key = columns(row)
        if key:
            by_partition[row[key[0]]].append(row[key[1]])
        else:
            others.append(", ".join(f"{name} {value}" for name, value in row.items()))
    return "; ".join([*_partitions(by_partition), *others[:MOST_TOLD]])


def _partitions(found: Mapping[Any, list[Any]]) -> Iterator[str]:
    for partition, offsets in sorted(found.items()):
        listed = ", ".join(map(str, sorted(offsets)[:MOST_TOLD])) + (", …" if len(offsets) > MOST_TOLD else "")
        yield f"partition {partition} offset{'s' if len(offsets) > 1 else ''} {listed}"
