"""What every backend is: one system, three verbs, and a probe with the environment's own credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from testenv.core.dataset import Dataset
from testenv.core.kept import Keeping
from testenv.core.naming import EnvId, Names
from testenv.core.resources import Resource, System
from testenv.core.spec import EnvironmentSpec

Credentials = Mapping[str, str]
"""What it takes to log in to one system: `user`, and `password` or `private_key` (base64 of the PKCS#8 DER)."""


class Vault(Protocol):
    """Where credentials are kept. They exist before what they open does, and are made once."""

    def credentials(self, env_id: EnvId, system: System) -> Credentials:
        """The environment's credentials for `system`; made and kept on first use, by whoever comes first."""

    def find(self, env_id: EnvId, system: System) -> Credentials | None:
        """The environment's credentials for `system`, or `None` if there are none."""


class Source(Protocol):
    """The repository under test."""

    def resolve(self, ref: str) -> str:
        """The commit that `ref` names, or `working-tree`. Raises `UnknownRef`."""

    def archive(self, ref: str) -> bytes:
        """gzipped tar of `include/estate` and `include/dbt` at a resolved `ref`."""


@dataclass(frozen=True)
class Site:
    """All that a backend may know of the environment whose part it makes."""

    spec: EnvironmentSpec
    dataset: Dataset
    vault: Vault
    keeping: Keeping = field(default_factory=Keeping)

    @property
    def names(self) -> Names:
        return Names(self.spec.env_id)


@dataclass(frozen=True)
class TaskStatus:
    """A task of an environment's orchestrator: `state` is pending, running, succeeded or failed."""

    state: str
    command: tuple[str, ...]
    exit_code: int | None = None
    reason: str = ""
    address: str = ""


class Orchestrator(Protocol):
    """Tasks of environments' own Airflows."""

    def start(self, env_id: EnvId, command: tuple[str, ...]) -> str:
        """Start a task; returns its id. `command` is `run DAG_ID LOGICAL_DATE` or `serve`."""

    def status(self, task_id: str) -> TaskStatus | None:
        """How a task stands; `None` when it is forgotten."""

    def tasks(self, env_id: EnvId) -> Mapping[str, TaskStatus]:
        """Every task of the environment that has not stopped, by id."""

    def stop(self, task_id: str) -> None:
        """Stop a task and wait until it has stopped."""

    def artifact(self, env_id: EnvId, path: str) -> str | None:
        """Text of an artifact of the environment, or `None` if there is none."""


class Backend(Protocol):
    """One system. Every verb may be repeated; each raises only errors of `testenv.core.errors`."""

    @property
    def system(self) -> System: ...

    def ensure(self, resource: Resource, site: Site) -> None:
        """Make `resource` be there and be right, whatever of it was there before."""

    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        """What is there of one environment, or of all: every resource whose name `naming.owner_of` gives an owner."""

    def destroy(self, resource: Resource) -> None:
        """Make `resource` be gone. Raises `InvalidName` for a name that is no environment's."""

    def probe(self, site: Site) -> Mapping[str, int]:
        """Log in as the environment and count what it holds: table, topic or file → number.

        Raises `Denied` where the system refuses, `Drifted` where the counts differ from the dataset's. What is kept
        (`site.keeping`) is no longer the dataset's, and not compared.
        """


class Keeper(Protocol):
    """A backend of a system in which things can be kept over a move: Snowflake, Postgres, Kafka, S3."""

    def holds(self, env_id: EnvId, name: str) -> bool:
        """Whether the environment has what `core.kept.Kept` names so."""
