"""How long versions and their evidence stay. A version goes by its manifests first, so that nobody stands on a half."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from testenv.backends.aws import client, translate
from testenv.backends.postgres_server import Server
from testenv.backends.snowflake import Account
from testenv.config import Config
from testenv.core.naming import golden_prefix
from testenv.datasets import golden_postgres, golden_snowflake
from testenv.datasets.store import MANIFEST, DatasetStore

KEPT = 3
"""Whole versions that are kept."""

EVIDENCE_KEPT = timedelta(days=30)

_VERSION = re.compile(r"d\d{8}-[0-9a-f]{6}")


def retire(config: Config, in_use: Collection[str], now: datetime) -> list[str]:
    """Delete what is older than the newest whole versions, and in nobody's use; returns the datasets that are gone.

    What was refused, or given up, stays as long as the whole versions about it. Evidence stays for 30 days from when it
    was signed. `in_use` are the datasets that environments stand on.
    """
    current, found = DatasetStore(config).current(), _listed(config)
    whole = [version for version, written in found.items() if _is_whole(version, written)]
    if len(whole) < KEPT:
        return []
    gone: list[str] = []
    for version, written in found.items():
        tiers = _tiers_of(version, written)
        if version == whole[-KEPT]:
            break
        if version == current or not tiers.isdisjoint(in_use):
            continue
        _drop(config, sorted(tiers), [key for key in written if not key.startswith(golden_prefix(version))])
        evidence = [key for key in written if key.startswith(golden_prefix(version))]
        _delete(config, [key for key in evidence if written[key] < now - EVIDENCE_KEPT])
        gone += sorted(tiers)
    return gone


def _drop(config: Config, names: list[str], files: list[str]) -> None:
    """Files last: by them a later run knows what there is still to drop."""
    manifests = {golden_prefix(name) + MANIFEST for name in names}
    _delete(config, manifests.intersection(files))
    for name in names:
        golden_postgres.drop(Server(config), name)
        golden_snowflake.drop(Account(config), name)
    _delete(config, [key for key in files if key not in manifests])


def _tiers_of(version: str, keys: Iterable[str]) -> set[str]:
    """The datasets that a version's objects belong to."""
    return {key.split("/")[1] for key in keys} - {version}


def _is_whole(version: str, keys: Collection[str]) -> bool:
    """Whether it has tiers, and each its manifest."""
    tiers = _tiers_of(version, keys)
    return bool(tiers) and all(golden_prefix(name) + MANIFEST in keys for name in tiers)


@translate
def _listed(config: Config) -> dict[str, dict[str, datetime]]:
    """Version → its objects, and when each was written; by day, and within it by when they were begun."""
    pages = client("s3", config).get_paginator("list_objects_v2").paginate(Bucket=config.bucket, Prefix="datasets/d")
    found: dict[str, dict[str, datetime]] = {}
    for each in (each for page in pages for each in page.get("Contents", ())):
        if version := _VERSION.match(each["Key"].split("/")[1]):
            found.setdefault(version[0], {})[each["Key"]] = each["LastModified"]
    return dict(sorted(found.items(), key=lambda each: (each[0][:9], min(each[1].values()))))


@translate
def _delete(config: Config, keys: Iterable[str]) -> None:
    for key in keys:
        client("s3", config).delete_object(Bucket=config.bucket, Key=key)
