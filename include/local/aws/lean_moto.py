"""Takes out of moto what it does for its users' tests and a server has no use for, and mends what threads trip over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from moto.core.common_models import BaseModel
from moto.iam.models import IAMBackend, Role
from moto.ssm.models import ParameterDict


def install() -> None:
    """Once, before anything is created."""
    BaseModel.__new__ = _untracked  # type: ignore[method-assign,assignment]
    IAMBackend.get_roles = _roles  # type: ignore[method-assign]
    ParameterDict.__iter__ = _names  # type: ignore[method-assign]


def _untracked(cls: Any, *_arguments: Any, **_options: Any) -> Any:
    """moto keeps every object it ever made, for tests to look at: with their bodies, until the process ends."""
    return object.__new__(cls)


def _roles(self: IAMBackend) -> Iterable[Role]:
    """A list, not the dictionary itself, which another thread may change while it is gone through."""
    return list(self.roles.values())


def _names(self: ParameterDict) -> Iterator[str]:
    return iter(list(self.keys()))
