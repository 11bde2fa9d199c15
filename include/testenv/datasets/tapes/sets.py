"""Tape sets: what one recording has sealed of several topics, and which set is the current one.

A set is `tYYYYMMDD-RUN`. Below `tapes/SET/` stand `plan.json` (what the run set out to record), the tapes themselves,
`evidence/TOPIC.json`, and `manifest.json`, without which there is no set. `tapes/current` names the newest whole one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from testenv.backends.aws import client, translate
from testenv.config import Config
from testenv.core.dataset import Topic
from testenv.core.errors import InvalidName, UnknownDataset
from testenv.core.naming import shown
from testenv.core.spec import CURRENT

ROOT = "tapes/"
POINTER = f"{ROOT}current"
KEPT = timedelta(days=30)
"""How long a set is kept that nobody refers to, counted from its day."""

_NAME = re.compile(r"t(?P<day>\d{8})-[0-9a-f]{8}")


class TapeSet(BaseModel):
    """The manifest of a set. A topic's `tape` is the prefix that its tape is sealed below."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    recorded_at: datetime
    policy: str
    key_epoch: str
    topics: tuple[Topic, ...]


def set_name(run_id: str, at: datetime) -> str:
    """The set that a run records which begins at `at`."""
    return f"t{at.astimezone(UTC):%Y%m%d}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def set_prefix(name: str) -> str:
    """Key prefix of a set. Raises `InvalidName`."""
    if not _NAME.fullmatch(name):
        raise InvalidName(f"{shown(name)} is not a tape set, such as t20260102-1a2b3c4d")
    return f"{ROOT}{name}/"


def tape_prefix(name: str, topic: str) -> str:
    """Key prefix of a topic's tape in a set."""
    return f"{set_prefix(name)}{topic}/"


def outdated(names: Iterable[str], current: str | None, in_use: Collection[str], now: datetime) -> list[str]:
    """The sets that may go: older than they are kept, not the current one, and in nobody's use."""
    last = f"{now.astimezone(UTC) - KEPT:%Y%m%d}"
    return sorted(
        name
        for name in names
        if (found := _NAME.fullmatch(name)) and found["day"] < last and name != current and name not in in_use
    )


def in_order_of_deletion(keys: Iterable[str]) -> list[str]:
    """The set's manifest first, so that no half is found; then each tape's before its files; evidence at the end."""

    def place(key: str) -> tuple[bool, bool, bool, str]:
        return "/evidence/" in key, key.count("/") > 2, not key.endswith("manifest.json"), key

    return sorted(keys, key=place)


class TapeStore:
    """The sets in S3."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def of_run(self, run_id: str, at: datetime) -> str:
        """The set that a run has begun, if it was days ago; else the one it begins at `at`."""
        name = set_name(run_id, at)
        _, _, run = name.partition("-")
        return next((each for each in self.names() if _NAME.fullmatch(each) and each.endswith(f"-{run}")), name)

    def resolve(self, name: str) -> str:
        """The set that `name` means; `current` is the pointer's. Raises `UnknownDataset`."""
        if name != CURRENT:
            return self.get(name).name
        if (current := self.current()) is None:
            raise UnknownDataset("tapes: 'current' names none, as none is whole yet. Trigger record_tapes first")
        return current

    def get(self, name: str) -> TapeSet:
        """The manifest of a set. Raises `UnknownDataset` naming those there are."""
        found = self.find(name)
        if found is None:
            there = ", ".join(each.name for each in self.sets()) or "none yet (trigger record_tapes)"
            raise UnknownDataset(
                f"tapes: {shown(name)} is no tape set; there are {there}. {CURRENT!r} names the newest"
            )
        return found

    def find(self, name: str) -> TapeSet | None:
        """The manifest of a set, or None if it is not whole, or no set at all."""
        try:
            body = self.read(f"{set_prefix(name)}manifest.json")
        except InvalidName:
            return None
        return None if body is None else TapeSet.model_validate_json(body)

    def current(self) -> str | None:
        """The newest set that has all topics."""
        body = self.read(POINTER)
        return body.decode().strip() if body else None

    def sets(self) -> list[TapeSet]:
        """The sets that are whole, newest first."""
        found = [self.find(name) for name in self.names()]
        return sorted((each for each in found if each), key=lambda each: each.recorded_at, reverse=True)

    @translate
    def names(self) -> list[str]:
        """All that there is something of, whole or not."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._config.bucket, Prefix=ROOT, Delimiter="/"
        )
        return [each["Prefix"].split("/")[1] for page in pages for each in page.get("CommonPrefixes", ())]

    @translate
    def read(self, key: str) -> bytes | None:
        try:
            return bytes(self._s3.get_object(Bucket=self._config.bucket, Key=key)["Body"].read())
        except self._s3.exceptions.NoSuchKey:
            return None

    @translate
    def write(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._config.bucket, Key=key, Body=body)

    @translate
    def delete(self, name: str) -> None:
        """Delete all of a set. What is begun and dies is finished by the next who asks."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._config.bucket, Prefix=set_prefix(name))
        for key in in_order_of_deletion(each["Key"] for page in pages for each in page.get("Contents", ())):
            self._s3.delete_object(Bucket=self._config.bucket, Key=key)

    @property
    def _s3(self) -> Any:
        return client("s3", self._config)
