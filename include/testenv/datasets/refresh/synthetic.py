"""A tier of rows that are of nobody: which tables are generated, and the files of the tier, from a profile alone."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from testenv.core.contract import Contract, Contracts, Store
from testenv.datasets.mask.parquet import read_parquet, write_parquet
from testenv.datasets.subset import Tiers, plan
from testenv.datasets.synthesize import documents
from testenv.datasets.synthesize.disclosure import disclosed
from testenv.datasets.synthesize.generate import generate
from testenv.datasets.synthesize.model import Profile
from testenv.datasets.synthesize.profile import profile_table
from testenv.datasets.synthesize.write import batches

if TYPE_CHECKING:
    from testenv.datasets.refresh.selection import Selection
    from testenv.datasets.refresh.snapshot import Snapshot


@dataclass(frozen=True)
class Synthesis:
    """Where a tier's rows come from, by dataset.

    `generated` tables are made from the profile, `mirrors` of the warehouse have the rows of those that they are copies
    of. `copied` tables are the same in every tier, as they tell of nobody. `left` is what holds the seed alone.
    """

    generated: tuple[str, ...]
    mirrors: Mapping[str, str]
    copied: tuple[str, ...]
    left: tuple[str, ...]


def synthesis(contracts: Contracts, tiers: Tiers) -> Synthesis:
    """Decide it, by what the contracts say.

    Generated are tables of the operational database with a key of one column, no lists within lists, and no reference
    to a table that is not generated.
    """
    generated = {
        contract.id
        for contract in contracts.values()
        if contract.store is Store.POSTGRES and len(contract.key) == 1 and documents.can_be_told(contract)
    }
    relations = plan(contracts, tiers.entity).relations
    while lost := {each.child for each in relations if each.child in generated and each.parent not in generated}:
        generated -= lost
    mirrors = {
        each.child: each.parent
        for each in relations
        if each.copy
        and each.parent in generated
        and _columns(contracts[each.child]) == _columns(contracts[each.parent])
    }
    copied = {
        contract.id
        for contract in contracts.values()
        if contract.store is Store.SNOWFLAKE and not contract.entity and contract.id not in mirrors
        if not any(field.is_sensitive or field.references for field in contract.fields)
    }
    left = contracts.keys() - generated - mirrors.keys() - copied
    return Synthesis(tuple(sorted(generated)), mirrors, tuple(sorted(copied)), tuple(sorted(left)))


def _columns(contract: Contract) -> set[str]:
    return {field.column.lower() for field in contract.fields}


def profiled(snapshot: Snapshot, selection: Selection, tables: tuple[str, ...]) -> tuple[Profile, list[str]]:
    """The profile of whole tables of production, one in memory at a time; and what it tells of too few rows.

    Each told value is looked up again in the rows that the profile was made of.
    """
    counts = {name: len(rows) for name, rows in next(iter(selection.rows.values())).items() if name in tables}
    found, told = {}, []
    for name in tables:
        contract = snapshot.contracts[name]
        leaves = documents.leaves(contract, pa.Table.from_batches(snapshot.batches(contract)))
        found[name] = profile_table(contract, leaves, counts)
        told += disclosed(contract, found[name], leaves)
    return Profile(found), told


@dataclass(frozen=True)
class Generation:
    """Writes the files of a tier. The same profile, version and number of entities give the same bytes."""

    contracts: Contracts
    profile: Profile
    version: str

    def sized(self, tiers: Tiers, tier: str) -> Generation:
        """With as many entities as the tier has; reference tables stay as they are."""
        (entity,) = (
            each.id
            for each in self.contracts.values()
            if each.store is Store.POSTGRES and each.entity == tiers.entity and each.entity_path == each.key
        )
        factor = tiers.generated[tier] / max(1, self.profile.tables[entity].rows)
        reference = [name for name in self.profile.tables if not self.contracts[name].entity]
        return Generation(self.contracts, self.profile.scaled(factor, reference), self.version)

    def write(self, todo: Synthesis, folder: Path, masked: Callable[[str], bytes]) -> None:
        """Write all tables below `folder`; `masked` gives the file of a tier of masked rows, by its name.

        Of those files only `copied` tables' rows are taken; of tables that hold the seed alone, the columns.
        """
        for name in todo.generated:
            write_parquet(_file(folder, self.contracts[name]), self._rows(name))
        for name, original in todo.mirrors.items():
            rows = read_parquet(_file(folder, self.contracts[original]))
            write_parquet(_file(folder, self.contracts[name]), map(_as_in_warehouse, rows))
        for name in (*todo.copied, *todo.left):
            contract = self.contracts[name]
            if contract.store in (Store.POSTGRES, Store.SNOWFLAKE):
                table = pq.read_table(pa.BufferReader(masked(f"{contract.store}/{contract.name}.parquet")))
                kept = table if name in todo.copied else table.schema.empty_table()
                write_parquet(_file(folder, contract), iter(kept.to_batches() or [_no_rows(kept.schema)]))

    def _rows(self, name: str) -> Iterator[pa.RecordBatch]:
        seed = int.from_bytes(hashlib.sha256(f"synthesize\0{self.version}".encode()).digest()[:8], "big")
        made = batches(self.profile, name, 0, self.profile.tables[name].rows, seed)
        for batch in itertools.chain([generate(self.profile, name, 0, 0, seed)], made):  # written also without rows
            yield documents.nested(self.contracts[name], batch)


def about(todo: Synthesis, version: str, entity: str, entities: int) -> str:
    """What people are told of such a tier."""
    return (
        f"Rows of nobody, generated from the profile of {version} for {entities:,} of entity {entity}. "
        f"The seed alone stands in {', '.join(todo.left)}"
    )


def _file(folder: Path, contract: Contract) -> Path:
    file = folder / contract.store / f"{contract.name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def _as_in_warehouse(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Names in capitals, and times in UTC without a zone, as pipelines load them."""
    columns = [
        pc.local_timestamp(column) if pa.types.is_timestamp(column.type) and column.type.tz else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=[name.upper() for name in batch.schema.names])
