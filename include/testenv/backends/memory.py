"""A backend that keeps its resources in memory: for unit tests, held to the same contract as the real ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from testenv.backends.protocol import Credentials, Site
from testenv.core.errors import TestenvError
from testenv.core.naming import EnvId, owner_of, require_owned
from testenv.core.resources import Resource, System


@dataclass
class MemoryBackend:
    """One system. `faults` maps a resource's name to the error that the next change to it raises, once.

    `on_change` is called in the middle of each change. `things` are what can be kept of an environment, `at_work` the
    DAG runs of its Airflow.
    """

    system: System
    resources: set[Resource] = field(default_factory=set)
    faults: dict[str, TestenvError] = field(default_factory=dict)
    on_change: Callable[[], None] | None = None
    things: set[str] = field(default_factory=set)
    at_work: list[str] = field(default_factory=list)

    def ensure(self, resource: Resource, site: Site) -> None:
        require_owned(resource.name)
        self._fail_if_asked(resource)
        self.resources.discard(resource)  # it may be made from something else by now
        self.resources.add(resource)

    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        owned = ((owner_of(resource.name), resource) for resource in self.resources)
        return frozenset(resource for owner, resource in owned if owner and env_id in (None, owner))

    def destroy(self, resource: Resource) -> None:
        require_owned(resource.name)
        self._fail_if_asked(resource)
        self.resources.discard(resource)

    def probe(self, site: Site) -> Mapping[str, int]:
        return {resource.name: 1 for resource in self.observe(site.spec.env_id)}

    def holds(self, env_id: EnvId, name: str) -> bool:
        return name in self.things

    def dag_runs(self, env_id: EnvId) -> list[str]:
        return self.at_work

    def _fail_if_asked(self, resource: Resource) -> None:
        if self.on_change:
            self.on_change()
        if error := self.faults.pop(resource.name, None):
            raise error


@dataclass
class MemoryVault:
    """Credentials in memory."""

    kept: dict[tuple[EnvId, System], Credentials] = field(default_factory=dict)

    def credentials(self, env_id: EnvId, system: System) -> Credentials:
        return self.kept.setdefault((env_id, system), {"user": f"te-{env_id}", "password": f"{env_id}/{system}"})

    def find(self, env_id: EnvId, system: System) -> Credentials | None:
        return self.kept.get((env_id, system))


@dataclass
class MemoryMarks:
    """Marks in memory: what `said` has no entry for has no room for one."""

    said: dict[Resource, str] = field(default_factory=dict)

    def of(self, resources: Collection[Resource]) -> Mapping[Resource, str]:
        return {resource: self.said[resource] for resource in resources if resource in self.said}


@dataclass
class MemoryArtifacts:
    """Artifacts in memory, by environment and path."""

    kept: dict[tuple[EnvId, str], bytes] = field(default_factory=dict)

    def put(self, env_id: EnvId, path: str, body: bytes, content_type: str = "application/json") -> None:
        self.kept[env_id, path] = body

    def get(self, env_id: EnvId, path: str) -> bytes | None:
        return self.kept.get((env_id, path))
