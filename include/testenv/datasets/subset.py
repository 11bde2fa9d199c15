"""Which rows of production a dataset tier holds: entities by keyed hash, and whatever their rows refer to.

The planner sees tables as frames of key columns, one row a record, a column for each path of the contract; a path that
occurs several times in a record (`lines[].payment_id`) is a list. Where the frames come from (PostgreSQL, Parquet, a
topic) does not matter to it. docs/synthesis.md says what is guaranteed.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationInfo, field_validator

from testenv.core.catalog import CATALOG, read, validated
from testenv.core.contract import Contracts, Store
from testenv.core.errors import Invalid, InvalidCatalog

if TYPE_CHECKING:
    import polars as pl

    Keys = Mapping[str, pl.DataFrame]
    """Dataset (`postgres.payments`) → its key columns, one row a record."""


class Tiers(BaseModel):
    """Which entity the tiers are chosen by, and the part of it that each holds. Data in catalog/tiers.yaml.

    `generated` has the tiers of rows that are of nobody, and how many entities each of them has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entity: str
    fractions: dict[str, Fraction]
    generated: dict[str, PositiveInt] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All tiers of a version."""
        return (*self.fractions, *self.generated)

    @field_validator("fractions")
    @classmethod
    def _between(cls, fractions: dict[str, Fraction], _: ValidationInfo) -> dict[str, Fraction]:
        if not fractions or not all(0 < fraction <= 1 for fraction in fractions.values()):
            raise ValueError("every fraction must lie above 0 and at most at 1")
        return fractions

    @field_validator("generated")
    @classmethod
    def _apart(cls, generated: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        if twice := sorted(generated.keys() & info.data.get("fractions", {}).keys()):
            raise ValueError(f"{', '.join(twice)} is a tier of production's rows already; give it another name")
        return generated


def load_tiers(file: Path = CATALOG / "tiers.yaml") -> Tiers:
    """The catalogue's tiers. Raises `InvalidCatalog`."""
    return validated(Tiers, read(file), file)


@dataclass(frozen=True, order=True)
class Relation:
    """`column` of the dataset `child` refers to `parent_column` of the dataset `parent`.

    Where a key of another store refers to the key of a table (`RAW.CUSTOMERS` of the warehouse to `customers`), the
    child is a `copy`: its rows are kept with the rows that they are copies of.
    """

    child: str
    column: str
    parent: str
    parent_column: str
    copy: bool = False

    def __str__(self) -> str:
        return f"{self.child}.{self.column} → {self.parent}.{self.parent_column}"


@dataclass(frozen=True)
class Plan:
    """How a subset is taken.

    `columns` has the columns that the planner needs of each dataset. A dataset in `paths` is taken by its entity: the
    path's first step is a column of its own, each other one the relation to follow and the column to go on from.
    Datasets in `whole` are reference data. All others belong to another entity and come as far as they are referred to.
    """

    entity: str
    columns: Mapping[str, tuple[str, ...]]
    relations: tuple[Relation, ...]
    paths: Mapping[str, tuple[str, tuple[tuple[Relation, str], ...]]]
    whole: frozenset[str]


def plan(contracts: Contracts, entity: str) -> Plan:
    """What the contracts say of a subset by `entity`. Raises `InvalidCatalog` for a path without relations."""
    relations = tuple(sorted(_relations(contracts)))
    paths = {
        contract.id: _path(contract.id, contract.entity_path, relations)
        for contract in contracts.values()
        if contract.entity == entity and contract.entity_path
    }
    columns = {contract.id: dict.fromkeys(contract.key) for contract in contracts.values()}
    for each in relations:
        columns[each.child][each.column] = None
        columns[each.parent][each.parent_column] = None
    for dataset, (first, steps) in paths.items():
        columns[dataset][first] = None
        for relation, column in steps:
            columns[relation.parent][column] = None
    return Plan(
        entity=entity,
        columns={dataset: tuple(names) for dataset, names in columns.items()},
        relations=relations,
        paths=paths,
        whole=frozenset(contract.id for contract in contracts.values() if not contract.entity),
    )


def subset(plan: Plan, keys: Keys, fraction: Fraction, secret: bytes) -> dict[str, pl.DataFrame]:
    """The rows of `keys` that a tier of `fraction` holds: those of the chosen entities, closed over the relations.

    A smaller fraction gives a subset of what a larger one gives, as long as `secret` is the same.
    """
    return close(keys, plan.relations, choose(plan, keys, fraction, secret))


def choose(plan: Plan, keys: Keys, fraction: Fraction, secret: bytes) -> dict[str, pl.Series]:
    """Dataset → which of its rows are taken for their own sake (booleans, in the order of the frame)."""
    import polars as pl

    chosen: dict[str, pl.Series] = {}
    for dataset, frame in keys.items():
        if dataset in plan.whole:
            chosen[dataset] = pl.repeat(True, frame.height, eager=True)
        elif dataset in plan.paths:
            rows = entities(plan, keys, dataset)
            different = rows.get_column("_entity").unique()
            taken = different.filter(_below(different, fraction, plan.entity, secret))
            hits = rows.filter(pl.col("_entity").is_in(taken.implode())).get_column("_row").unique()
            chosen[dataset] = pl.int_range(frame.height, eager=True, dtype=pl.UInt32).is_in(hits.implode())
    return chosen


def close(keys: Keys, relations: tuple[Relation, ...], chosen: Mapping[str, pl.Series]) -> dict[str, pl.DataFrame]:
    """The smallest set of rows that holds the chosen ones and, with a row, all rows that it refers to.

    A row that refers to nothing in `keys` is left out, chosen or not, and with it whatever refers to it: such rows are
    counted by `orphans` of the whole of `keys`. Cycles and references of a table to itself are followed to their end.
    With a row its copies are kept. The rows keep their order. Work: one join for each relation, then once over all
    references.
    """
    import numpy as np
    import polars as pl
    from scipy.sparse import csr_array  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import breadth_first_order  # type: ignore[import-untyped]

    datasets = sorted(keys)
    starts = dict(zip(datasets, np.cumsum([0, *(keys[name].height for name in datasets)]), strict=False))
    total = sum(frame.height for frame in keys.values())
    edges: list[Any] = [np.empty((2, 0), dtype=np.int64)]
    copies: list[Any] = [np.empty((2, 0), dtype=np.int64)]
    broken = np.zeros(total, dtype=bool)
    for relation in relations:
        if relation.child not in keys:
            continue
        references = _references(keys, relation)
        found = references.join(_targets(keys, relation), on="_to", how="left", maintain_order="left")
        lost = found.filter(pl.col("_target").is_null()).get_column("_row").to_numpy()
        broken[starts[relation.child] + lost.astype(np.int64)] = True
        found = found.drop_nulls("_target")
        if found.height:
            child, parent = (found.get_column(name).to_numpy().astype(np.int64) for name in ("_row", "_target"))
            edges.append(np.stack([starts[relation.child] + child, starts[relation.parent] + parent]))
            if relation.copy:
                copies.append(edges[-1][::-1])
    sources, targets = np.concatenate(edges, axis=1)

    def reached(begin: Any, sources: Any, targets: Any) -> Any:
        """Which nodes can be reached from `begin`: searched from one more node, which refers to all of those."""
        ends = np.concatenate([targets, begin])
        graph = csr_array(
            (np.ones(len(ends), dtype=np.int8), (np.concatenate([sources, np.full(len(begin), total)]), ends)),
            shape=(total + 1, total + 1),
        )
        seen = np.zeros(total + 1, dtype=bool)
        seen[breadth_first_order(graph, total, return_predecessors=False)] = True
        return seen[:total]

    unsound = reached(np.flatnonzero(broken), targets, sources)
    wanted = np.zeros(total, dtype=bool)
    for name, mask in chosen.items():
        wanted[starts[name] : starts[name] + len(mask)] = mask.to_numpy()
    sources, targets = np.concatenate([*edges, *copies], axis=1)
    kept = reached(np.flatnonzero(wanted & ~unsound), *(ends[~unsound[targets]] for ends in (sources, targets)))
    return {
        name: frame.filter(pl.Series(kept[starts[name] : starts[name] + frame.height])) for name, frame in keys.items()
    }


def orphans(tables: Keys, relations: tuple[Relation, ...]) -> dict[Relation, int]:
    """Relation → how many rows of its child refer to nothing, by an anti-join, for relations whose child is there."""
    return {
        relation: _references(tables, relation)
        .join(_targets(tables, relation), on="_to", how="anti")
        .get_column("_row")
        .n_unique()
        for relation in relations
        if relation.child in tables
    }


def orphan_queries(relations: tuple[Relation, ...], tables: Mapping[str, str]) -> Iterator[tuple[Relation, str]]:
    """The same by query, in SQL that PostgreSQL and Snowflake read alike: one number, which must be 0.

    `tables` maps datasets to the names that they have in one database (`postgres.payments` → `RAW.PAYMENTS`);
    relations with an end elsewhere are left out.
    """
    for relation in relations:
        if relation.child in tables and relation.parent in tables:
            child, parent = _quoted(relation.column), _quoted(relation.parent_column)
            yield (
                relation,
                f"SELECT count(*) FROM {_quoted(tables[relation.child])} AS child "
                f"WHERE child.{child} IS NOT NULL AND NOT EXISTS "
                f"(SELECT 1 FROM {_quoted(tables[relation.parent])} AS parent WHERE parent.{parent} = child.{child})",
            )


def _relations(contracts: Contracts) -> Iterator[Relation]:
    for contract in contracts.values():
        for field in contract.fields:
            if field.references:
                table, _, column = field.references.rpartition(".")
                parent = f"{Store.POSTGRES}.{table}"
                if parent not in contracts:
                    raise InvalidCatalog(
                        f"{contract.id}: {field.path}: refers to {field.references}, of which there is no contract. "
                        f"Write contracts/{parent}.yaml, or mend the relationship"
                    )
                copy = contract.store is not Store.POSTGRES
                copy &= contract.key == (field.path,) and contracts[parent].key == (column,)
                yield Relation(contract.id, field.path, parent, column, copy)


def _path(
    dataset: str, steps: tuple[str, ...], relations: tuple[Relation, ...]
) -> tuple[str, tuple[tuple[Relation, str], ...]]:
    first, *rest = steps
    at, column = dataset, first
    followed = []
    for step in rest:
        table, _, following = step.rpartition(".")
        parent = f"{Store.POSTGRES}.{table}"
        along = [each for each in relations if (each.child, each.column, each.parent) == (at, column, parent)]
        if not along:
            raise InvalidCatalog(
                f"{dataset}: entityPath: no relationship leads from {at}.{column} to {parent}. "
                "Declare it where the column stands, or mend the path"
            )
        followed.append((along[0], following))
        at, column = parent, following
    return first, tuple(followed)


def entities(plan: Plan, keys: Keys, dataset: str) -> pl.DataFrame:
    """`_row`, `_entity` (text) of a dataset's rows: none for a row whose path ends early, several for a list."""
    import polars as pl

    first, steps = plan.paths[dataset]
    rows = _exploded(keys[dataset], first)
    for relation, column in steps:
        parent = keys[relation.parent].select(
            _to=relation.parent_column, _next=column if column != relation.parent_column else pl.col(column)
        )
        rows = (
            rows.with_columns(pl.col("_to").cast(parent.schema["_to"], strict=False))
            .join(parent.unique(), on="_to")
            .select("_row", _to="_next")
            .drop_nulls()
        )
    return rows.select("_row", _entity=pl.col("_to").cast(pl.String)).unique(maintain_order=True)


def _below(entities: pl.Series, fraction: Fraction, entity: str, secret: bytes) -> pl.Series:
    """Whether the first 64 bits of HMAC-SHA256(secret, `subset` ‖ 0 ‖ entity ‖ 0 ‖ key) are below `fraction`.

    By the standard library: there is one value for each entity, and so no secret stands in a query plan.
    """
    import polars as pl

    if fraction <= 0 or not secret:
        raise Invalid(f"a subset needs a fraction above 0 and a secret, got {fraction} and {len(secret)} bytes")
    limit = fraction * 2**64
    prefix = b"subset\0" + entity.encode() + b"\0"
    return pl.Series(
        [
            int.from_bytes(hmac.digest(secret, prefix + key.encode(), "sha256")[:8], "big") < limit
            for key in entities.to_list()
        ],
        dtype=pl.Boolean,
    )


def _exploded(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """`_row` and the value `_to` of a column, without nulls; a list gives a line for each of its items."""
    import polars as pl

    pairs = frame.select(_to=column).with_row_index("_row")
    if isinstance(frame.schema[column], pl.List):
        pairs = pairs.explode("_to")
    return pairs.drop_nulls("_to")


def _references(keys: Keys, relation: Relation) -> pl.DataFrame:
    """`_row` of the child and the value `_to` that it refers to, in the parent's type: null if it is none of that."""
    import polars as pl

    pairs = _exploded(keys[relation.child], relation.column)
    if relation.parent in keys:
        kind = keys[relation.parent].schema[relation.parent_column]
        pairs = pairs.with_columns(pl.col("_to").cast(kind, strict=False))
    return pairs


def _targets(keys: Keys, relation: Relation) -> pl.DataFrame:
    """The value `_to` and the row `_target` of the parent; a parent that is not there has none."""
    import polars as pl

    if relation.parent in keys:
        return keys[relation.parent].select(_to=relation.parent_column).with_row_index("_target")
    kind = _exploded(keys[relation.child], relation.column).schema["_to"]
    return pl.DataFrame(schema={"_target": pl.UInt32, "_to": kind})


def _quoted(name: str) -> str:
    """A name as it stands if both databases read it so, quoted otherwise; a schema's dot separates."""
    parts = name.split(".")
    return ".".join(
        part if part.isascii() and part.isidentifier() else f'"{part.replace(chr(34), chr(34) * 2)}"' for part in parts
    )
