"""What an environment is asked to be: the request as it comes in, and the specification it becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from testenv.core.errors import Invalid, UnknownKey
from testenv.core.kinds import Kinds
from testenv.core.naming import MAX_LENGTH, EnvId, shown

WORKING_TREE = "working-tree"
"""The `ref` that means: the files of the repository under test as they stand."""

LATEST = "latest"
"""The `dataset` that means: the version the published pointer names."""

CURRENT = "current"
"""The `tapes` that mean: the set the pointer of tape sets names."""


class OnFailure(StrEnum):
    """What becomes of an environment whose provisioning fails."""

    DESTROY = "destroy"
    KEEP = "keep"


class Models(StrEnum):
    """Which models of dbt an environment has when it is ready."""

    CODE = "code"
    """Those of its code."""
    DATASET = "dataset"
    """Those that its dataset brings along, as production has before a release; its code's where that brings none."""


class Request(BaseModel):
    """The conf of `provision_env`, as JSON schema says it. Every key has a default that works."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ci", "sandbox", "integration"] = "sandbox"
    name: str | None = Field(None, max_length=MAX_LENGTH)
    owner: str | None = Field(None, max_length=64)
    ref: str = Field(WORKING_TREE, max_length=200)
    dataset: str = Field(LATEST, max_length=40)
    tapes: str | None = Field(None, max_length=40)
    ttl_hours: int | None = Field(None, ge=1)
    on_failure: OnFailure = OnFailure.DESTROY
    follow: bool = False
    models: Models = Models.CODE


class EnvironmentSpec(BaseModel):
    """A request that was found good: every name resolved, nothing left to guess."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    env_id: EnvId
    kind: str
    owner: str
    ref: str
    dataset: str
    ttl_hours: int | None
    on_failure: OnFailure
    warehouse: str
    tapes: str = ""
    """The tape set that topics are filled from; empty: from the dataset."""
    follow: bool = False
    models: Models = Models.CODE


def parse_request(conf: Mapping[str, Any]) -> Request:
    """The request in `conf`. Raises `UnknownKey` naming the keys there are, `Invalid` naming key, value and rule."""
    if unknown := sorted(set(conf) - set(Request.model_fields)):
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise UnknownKey(
            f"provision_env does not know {', '.join(map(shown, unknown[:5]))}{more}. Allowed keys are "
            f"{', '.join(Request.model_fields)}"
        )
    try:
        return Request.model_validate(dict(conf))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise Invalid(f"{key}: {first['msg']}, got {shown(first['input'])}") from error


def specify(
    request: Request, kinds: Kinds, *, ref: str, dataset: str, tapes: str = "", fallback_name: str
) -> EnvironmentSpec:
    """The specification of `request`, with `ref`, `dataset` and `tapes` already resolved to what exists.

    `fallback_name` names the environment where the request does not. Raises `Invalid`, `InvalidName`.
    """
    kind = kinds[request.kind]
    if request.ttl_hours is not None and kind.lives is not None and request.ttl_hours > kind.lives:
        raise Invalid(
            f"ttl_hours: a {request.kind} environment lives {kind.lives} hours at most, got {request.ttl_hours}. "
            "Ask for less, and extend it when it is needed longer"
        )
    if request.follow and kind.follows == "never":
        raise Invalid(
            f"follow: a {request.kind} environment stays on its dataset version, so that its verdict is of one; got "
            "true. Ask for a sandbox, or leave it out"
        )
    if request.owner and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]*", request.owner):
        raise Invalid(f"owner: {shown(request.owner)} has characters other than letters, digits, space and . _ @ + -")
    return EnvironmentSpec(
        env_id=EnvId.of(request.kind, request.name or fallback_name),
        kind=request.kind,
        owner=request.owner or "unknown",
        ref=ref,
        dataset=dataset,
        ttl_hours=request.ttl_hours,
        on_failure=request.on_failure,
        warehouse=kind.warehouse,
        tapes=tapes,
        follow=request.follow or kind.follows == "always",
        models=request.models,
    )
