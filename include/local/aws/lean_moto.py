"""Takes out of moto what it does for its users' tests and a server has no use for, and mends what threads trip over."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from moto.core import serialize
from moto.core.common_models import BaseModel
from moto.iam.models import IAMBackend, Role
from moto.moto_server import werkzeug_app
from moto.s3.models import FakeBucket, FakeKey, S3Backend
from moto.s3.utils import _VersionedKeyStore
from moto.ssm.models import Parameter, ParameterDict, SimpleSystemManagerBackend

_parse = serialize.parse_to_aware_datetime
_list_objects = S3Backend.list_objects
_list_versions = S3Backend.list_object_versions
_match_filters = SimpleSystemManagerBackend._match_filters


def install() -> None:
    """Once, before anything is created."""
    BaseModel.__new__ = _untracked  # type: ignore[method-assign,assignment]
    IAMBackend.get_roles = _roles  # type: ignore[method-assign]
    ParameterDict.__iter__ = _names  # type: ignore[method-assign]
    S3Backend.list_objects = _objects  # type: ignore[method-assign]
    S3Backend.list_object_versions = _versions  # type: ignore[method-assign]
    SimpleSystemManagerBackend._match_filters = _matches  # type: ignore[method-assign]
    werkzeug_app.DISABLE_GLOBAL_CORS = True  # no browser is a client
    serialize.parse_to_aware_datetime = _moment  # type: ignore[attr-defined]


def _untracked(cls: Any, *_arguments: Any, **_options: Any) -> Any:
    """moto keeps every object it ever made, for tests to look at: with their bodies, until the process ends."""
    return object.__new__(cls)


def _roles(self: IAMBackend) -> Iterable[Role]:
    """A list, not the dictionary itself, which another thread may change while it is gone through."""
    return list(self.roles.values())


def _names(self: ParameterDict) -> Iterator[str]:
    return iter(list(self.keys()))


def _objects(self: S3Backend, bucket: FakeBucket, prefix: str | None, *arguments: Any, **options: Any) -> Any:
    """moto looks closely at every object of the bucket; here at those below the prefix."""
    return _list_objects(self, _below(bucket, prefix or ""), prefix, *arguments, **options)


def _versions(self: S3Backend, bucket_name: str, *arguments: Any, prefix: str = "", **options: Any) -> Any:
    """moto copies every version in the bucket, with its body, while others write; here the heads below the prefix."""
    bucket = _below(self.get_bucket(bucket_name), prefix)
    for versions in dict.values(bucket.keys):
        versions[:] = [_Head(each) if isinstance(each, FakeKey) else each for each in versions]
    return _list_versions(_OneBucket(bucket), bucket_name, *arguments, prefix=prefix, **options)


def _below(bucket: FakeBucket, prefix: str) -> FakeBucket:
    """The bucket as it is now, with the objects below the prefix."""
    held: dict[str, list[Any]] = dict(bucket.keys)  # at once, as another thread may put or delete
    bucket = copy.copy(bucket)
    bucket.keys = _VersionedKeyStore()
    dict.update(bucket.keys, {name: list(versions) for name, versions in held.items() if name.startswith(prefix)})
    return bucket


@dataclass(frozen=True)
class _OneBucket:
    """All that a list asks of moto's backend."""

    bucket: FakeBucket

    def get_bucket(self, name: str) -> FakeBucket:
        return self.bucket


class _Head(FakeKey):
    """What a list tells of an object. It has no body, so there is none to copy, or to close when it goes."""

    def __init__(self, key: FakeKey) -> None:
        known = {"_etag": key.etag.strip('"')}  # which moto reads the body for, the first time
        self.__dict__.update({**vars(key), **known, "_value_buffer": None})

    def __deepcopy__(self, memo: dict[int, Any]) -> _Head:
        return self

    def dispose(self, garbage: bool = False) -> None:
        """Nothing is held."""


def _matches(
    self: SimpleSystemManagerBackend, parameter: Parameter, filters: list[dict[str, Any]] | None = None
) -> bool:
    """moto looks up each parameter's tags before it asks whether it lies below the path."""
    name = f"/{parameter.name.lstrip('/')}"
    for each in filters or []:
        if each["Key"] == "Path" and not name.startswith(tuple(f"/{v.strip('/')}" for v in each.get("Values", []))):
            return False
    return not filters or _match_filters(self, parameter, filters)


def _moment(value: Any) -> datetime:
    """moto's own texts are of ISO 8601; guessing at the format took most of the time of a long list."""
    if isinstance(value, str) and value.endswith("Z"):
        return datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return _parse(value)


class Dispatcher(werkzeug_app.DomainDispatcherApplication):
    """moto's, which looks at all its folders and tries hundreds of patterns to find out which service a request is for;
    a third of the time of a small request.
    """

    def __init__(self) -> None:
        super().__init__(werkzeug_app.create_backend_app)
        self.get_backend_for_host = lru_cache(maxsize=1024)(self.get_backend_for_host)  # type: ignore[method-assign]
