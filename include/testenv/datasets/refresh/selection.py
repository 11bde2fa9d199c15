"""Which rows each tier takes: the key columns of every store, read once, and what `datasets.subset` makes of them.

A dataset's rows are counted in the order in which a snapshot gives them; files of a feed follow one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testenv.core.contract import Contract, Store
from testenv.datasets.avro import NotAvro
from testenv.datasets.feeds import parsed, records_of
from testenv.datasets.refresh.snapshot import Snapshot
from testenv.datasets.subset import Plan, Tiers, entities, orphans, plan, subset

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Rows = NDArray[np.bool_]

_ROW = "__row__"


@dataclass(frozen=True)
class Selection:
    """Tier → dataset → which of its rows are taken; the key of each row's entity (text, or None); rows that are broken.

    `orphans` counts rows of production that refer to nothing, by relation: no tier takes them.
    """

    rows: Mapping[str, Mapping[str, Rows]]
    entities: Mapping[str, list[str | None]]
    orphans: Mapping[str, int]


def select(snapshot: Snapshot, tiers: Tiers, secret: bytes) -> Selection:
    """Choose the rows of every tier. Memory: the key columns of all datasets."""
    import numpy as np

    wanted = plan(snapshot.contracts, tiers.entity)
    keys = {id_: _keys(snapshot, contract, wanted.columns[id_]) for id_, contract in snapshot.contracts.items()}
    rows: dict[str, dict[str, Rows]] = {}
    for tier, fraction in tiers.fractions.items():
        rows[tier] = {}
        for id_, kept in subset(wanted, keys, fraction, secret).items():
            rows[tier][id_] = np.zeros(keys[id_].height, dtype=bool)
            rows[tier][id_][kept.get_column(_ROW).to_numpy()] = True
    return Selection(
        rows=rows,
        entities={id_: _entity_of_each(wanted, keys, id_) for id_ in wanted.paths},
        orphans={str(relation): count for relation, count in orphans(keys, wanted.relations).items() if count},
    )


def _entity_of_each(wanted: Plan, keys: Mapping[str, pl.DataFrame], id_: str) -> list[str | None]:
    """The first entity of each row."""
    found: list[str | None] = [None] * keys[id_].height
    rows = entities(wanted, keys, id_)
    for row, entity in zip(rows.get_column("_row"), rows.get_column("_entity"), strict=True):
        found[row] = found[row] or entity
    return found


def _keys(snapshot: Snapshot, contract: Contract, columns: tuple[str, ...]) -> pl.DataFrame:
    """The key columns of all rows, and the number of each row: there are rows also where no column is a key."""
    import polars as pl

    if contract.store is Store.POSTGRES:
        batches = [batch.select(list(columns)) for batch in snapshot.batches(contract)]
        rows = pl.concat([pl.DataFrame(batch) for batch in batches])
        return rows.with_columns(pl.int_range(sum(map(len, batches))).alias(_ROW))
    count = 0
    found: dict[str, list[Any]] = {column: [] for column in columns}
    for record in _documents(snapshot, contract, {column.replace("[]", "").split(".")[0] for column in columns}):
        count += 1
        for column in columns:
            found[column].append(at(record, column))
    return pl.DataFrame({_ROW: range(count)} | {column: _series(values) for column, values in found.items()})


def _series(values: list[Any]) -> pl.Series:
    """Keys as text, which every other type can be cast to and from; lists of them where a record has several."""
    import polars as pl

    if any(isinstance(value, list) for value in values):
        texts = [[str(each) for each in value if each is not None] if value else [] for value in values]
        return pl.Series(texts, dtype=pl.List(pl.String))
    return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)


def at(record: Any, path: str) -> Any:
    """What stands at a contract's path in a decoded record: a list where the path leads through one."""
    name, _, rest = path.partition(".")
    if name.endswith("[]"):
        items = (record or {}).get(name[:-2]) if isinstance(record, dict) else None
        found = [at(item, rest) if rest else item for item in items] if isinstance(items, list) else []
        return [each for inner in found for each in (inner if isinstance(inner, list) else [inner])]
    value = record.get(name) if isinstance(record, dict) else None
    return at(value, rest) if rest else value


def _documents(snapshot: Snapshot, contract: Contract, names: set[str]) -> Iterator[Any]:
    """The records of a dataset as Python has them; what cannot be read is an empty one."""
    if contract.store is Store.S3:
        for path in snapshot.files[contract.id]:
            yield from (
                record if isinstance(record, dict) else {} for record in records_of(contract, snapshot.file(path))
            )
        return
    nested = {field.column for field in contract.fields if field.path != field.column}
    for batch in snapshot.batches(contract):
        there = [name for name in batch.schema.names if name in names]
        for row in batch.select(there).to_pylist():
            if contract.store is Store.KAFKA:
                yield _decoded(snapshot, contract, row)
            else:
                yield {name: _document(value) if name in nested else value for name, value in row.items()}


def _decoded(snapshot: Snapshot, contract: Contract, row: dict[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    if "key" in row:
        key = row["key"]
        plain = any(field.path == "key" for field in contract.fields)
        decoded["key"] = (None if key is None else key.decode("utf-8", "replace")) if plain else _document(key)
    if row.get("value") is not None:
        if contract.options.get("format") == "avro":
            try:
                decoded["value"] = snapshot.registry.read(row["value"])
            except NotAvro:
                decoded["value"] = None
        else:
            decoded["value"] = _document(row["value"])
    return decoded


def _document(text: Any) -> Any:
    return None if text is None else parsed(text)
