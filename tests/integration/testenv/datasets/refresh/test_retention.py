"""How long versions stay. These hold little, in real databases and objects: what they hold makes no difference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.testenv.datasets.refresh.conftest import Versions, make, put

from testenv.backends.postgres_server import Server
from testenv.backends.snowflake import Account
from testenv.config import Config
from testenv.datasets import golden_postgres, golden_snowflake
from testenv.datasets.refresh.retention import EVIDENCE_KEPT, retire
from testenv.datasets.store import POINTER, DatasetStore


@pytest.fixture
def own(config: Config) -> Versions:
    versions = Versions(config)
    yield versions
    versions.forget()


def is_there(versions: Versions, version: str) -> set[bool]:
    """What each system says of its part."""
    name = f"{version}-ci"
    return {
        golden_postgres.is_whole(Server(versions.config), name),
        golden_snowflake.is_whole(Account(versions.config), name),
        DatasetStore(versions.config).find(name) is not None,
        bool(versions.objects(name)),
    }


def test_three_whole_versions_stay_and_what_was_refused_pushes_none_out(config: Config, own: Versions) -> None:
    others = set(DatasetStore(config).versions())
    first, pinned, refused_early = make(own), make(own), make(own, whole=False)
    kept = [make(own), make(own), make(own)]
    refused_late = [make(own, whole=False) for _ in range(3)]
    now = datetime.now(UTC)
    gone = retire(config, {f"{pinned}-ci", *others}, now)
    assert [name for name in gone if name.startswith(tuple(own.made))] == [f"{first}-ci", f"{refused_early}-ci"]
    assert is_there(own, first) == {False}
    assert [is_there(own, version) for version in (pinned, *kept)] == [{True}] * 4
    assert all(own.objects(f"{version}-ci") for version in refused_late)
    assert own.objects(first).keys() == {"evidence/evidence.json"}
    retire(config, {f"{pinned}-ci", *others}, now + EVIDENCE_KEPT - timedelta(minutes=5))
    assert own.objects(first).keys() == {"evidence/evidence.json"}
    retire(config, {f"{pinned}-ci", *others}, now + EVIDENCE_KEPT + timedelta(minutes=5))
    assert own.objects(first) == {}


def test_the_published_version_stays_however_old(config: Config, own: Versions) -> None:
    others, before = set(DatasetStore(config).versions()), DatasetStore(config).current()
    old = make(own)
    for _ in range(3):
        make(own)
    try:
        put(config, POINTER, old.encode())
        assert f"{old}-ci" not in retire(config, others, datetime.now(UTC))
    finally:
        put(config, POINTER, str(before).encode())
    assert is_there(own, old) == {True}
