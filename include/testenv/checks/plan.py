"""A verdict before it is there: what was asked for, and what that was resolved to. All the rest goes by the plan."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from testenv.checks.registry import STATIC
from testenv.checks.report.model import Choice, Side
from testenv.core.errors import Invalid, UnknownKey
from testenv.core.naming import EnvId, shown
from testenv.core.spec import LATEST, WORKING_TREE


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(_Frozen):
    """The conf of `validate_release`, as JSON schema says it. Every key has a default that works.

    Without `checks` all are judged by. `trial_minutes` is how long the pipelines may take to run, all in all.
    """

    base: str = Field("HEAD", min_length=1, max_length=200)
    head: str = Field(WORKING_TREE, min_length=1, max_length=200)
    dataset: str = Field(LATEST, min_length=1, max_length=40)
    checks: tuple[str, ...] = ()
    keep: bool = False
    commit_status: bool = False
    trial_minutes: int = Field(18, ge=1, le=110)


class Plan(_Frozen):
    """A verdict to come. `checks` are the names to judge by, each with the place of its class.

    `contracts_at` is where contracts lie in the trees; empty where there are none. `batches` are head's layout's.
    `reason` is what keeps the release from being judged; empty if nothing does.
    """

    env_id: str
    base: Side
    head: Side
    dataset: str
    checks: dict[str, str]
    choice: Choice = Choice()
    contracts_at: str = ""
    batches: tuple[str, ...] = ()
    reason: str = ""

    @property
    def needs_trial(self) -> bool:
        """Whether anything is to be run: some pipeline is affected, and some check looks at what it does."""
        return not self.reason and bool(self.choice.selected) and bool(self.checks.keys() - STATIC)

    @property
    def static(self) -> tuple[str, ...]:
        """Checks that have something to say before anything ran."""
        return () if self.reason else tuple(name for name in self.checks if name in STATIC)

    @property
    def after_trial(self) -> tuple[str, ...]:
        """Checks to judge by what ran; static ones again, as there are real tables then."""
        return tuple(self.checks) if self.needs_trial else ()


def parse_asked(conf: Mapping[str, Any]) -> Asked:
    """What `conf` asks for. Raises `UnknownKey` naming the keys there are, `Invalid` naming key, value and rule."""
    if unknown := sorted(set(conf) - set(Asked.model_fields)):
        raise UnknownKey(
            f"validate_release does not know {', '.join(map(shown, unknown[:5]))}. Allowed keys are "
            f"{', '.join(Asked.model_fields)}"
        )
    try:
        return Asked.model_validate({key: value for key, value in conf.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise Invalid(f"{key}: {first['msg']}, got {shown(first['input'])}") from error


def verdict_id(run_id: str) -> EnvId:
    """The environment of a verdict's run, which also names the verdict where no environment was needed."""
    return EnvId.of("ci", f"v{hashlib.sha256(run_id.encode()).hexdigest()[:9]}")
