"""What checks look at: the repository under test before and after a change, and what its pipelines left behind.

Everything is there before a check begins, or behind a protocol that answers the same at every call: a pipeline that was
run for one check is not run again for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from testenv.checks.diff.table import Table
from testenv.checks.impact.trees import Tree as Files
from testenv.checks.trial.record import Record
from testenv.core.contract import Contracts, Store
from testenv.core.pipelines import Pipelines
from testenv.datasets.avro import Registry


@dataclass(frozen=True)
class Column:
    """A column of a real table: its type as the store writes it (`NUMBER(38,0)`), and whether it takes NULL."""

    name: str
    type: str
    nullable: bool = True


Columns = tuple[Column, ...]


@dataclass(frozen=True)
class Version:
    """An earlier text of a file, and the commit that it stood in."""

    ref: str
    text: str


class History(Protocol):
    """Earlier texts of the repository's files."""

    def versions(self, path: str) -> Sequence[Version]:
        """Every text that the file has had up to the base, oldest first; empty where there is no history."""
        ...


class Environment(Protocol):
    """What one side's pipelines left in an environment. Checks read it; `emulated` names the stand-ins in it."""

    env_id: str
    emulated: tuple[str, ...]

    def columns(self, dataset: str) -> Columns | None:
        """Columns of a contract's real table; None where the environment has no such table."""
        ...


@dataclass(frozen=True)
class Tree:
    """One side of a change: its files, and what was read from them.

    `contracts_at` is where the contracts' files lie among them. `manifest` is dbt's, of the project in this tree; None
    where it has none. `environment` is None where nothing ran.
    """

    ref: str
    files: Files
    contracts: Contracts = field(default_factory=dict)
    contracts_at: str = "include/catalog/contracts"
    manifest: Mapping[str, Any] | None = None
    environment: Environment | None = None


class Trial(Protocol):
    """What was run for the release, and every state that was recorded meanwhile. Checks read it, and run nothing."""

    record: Record

    def table(self, moment: str, store: Store, name: str) -> Table:
        """An output as it was at a moment, to be compared. Raises `NotFound` where it was not there."""
        ...

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query in the environment's Snowflake, as the environment: it sees what its pipelines may see."""
        ...


Keep = Callable[[str, bytes], None]
"""Keeps a file for people below the environment's artifacts: its path, and its content."""


class Canary(Protocol):
    """Fingerprints of what no release may touch, by name, such as `snowflake FINSIGHT.RAW.PAYMENTS`."""

    @property
    def before(self) -> Mapping[str, str]:
        """Taken before the trial ran."""

    @property
    def after(self) -> Mapping[str, str]:
        """Taken when it had ended."""


def keep_nothing(path: str, content: bytes) -> None:
    """Of a release that has no place for files."""


class NoHistory:
    """Of a plain folder."""

    def versions(self, path: str) -> Sequence[Version]:
        """None."""
        return ()


@dataclass(frozen=True)
class Release:
    """A change from `base` to `head`. `pipelines` are those that it affects; `registry` has production's schemas.

    `trial` is None where nothing was run, and `canary` where nobody looked outside. `production` are names that only
    production has: databases, warehouses, buckets, hosts. `keep` takes what a check leaves for people.
    """

    base: Tree
    head: Tree
    pipelines: Pipelines = field(default_factory=dict)
    registry: Registry = field(default_factory=Registry)
    history: History = NoHistory()
    trial: Trial | None = None
    canary: Canary | None = None
    production: frozenset[str] = frozenset()
    keep: Keep = keep_nothing
