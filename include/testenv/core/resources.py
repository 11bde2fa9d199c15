"""What an environment is made of, and the steps that change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class System(StrEnum):
    """The systems an environment has a part in; one backend each."""

    SECRETS = "secrets"
    S3 = "s3"
    POSTGRES = "postgres"
    SNOWFLAKE = "snowflake"
    KAFKA = "kafka"
    SPARK = "spark"
    ORCHESTRATOR = "orchestrator"


@dataclass(frozen=True, order=True)
class Resource:
    """One thing in one system, identified by `system`, `kind` and physical `name`.

    `settings` say what it is made from, where the system can tell it again: a backend observes them when the resource
    is whole, and leaves them out when it is not. They take part in `plan`, not in identity.
    """

    system: System
    kind: str
    name: str
    settings: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def setting(self) -> Mapping[str, str]:
        return dict(self.settings)

    def __str__(self) -> str:
        return f"{self.system} {self.kind} {self.name}"


class Action(StrEnum):
    ENSURE = "ensure"
    DESTROY = "destroy"


@dataclass(frozen=True)
class Step:
    """One idempotent change to one resource."""

    action: Action
    resource: Resource

    def __str__(self) -> str:
        return f"{self.action} {self.resource}"
