"""A refresh that is killed at every stage, or whose services are: what is published is whole, a re-run finishes."""

# ruff: noqa: F811 - fixtures that are imported are used by name
from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from tests.conftest import RunningStack
from tests.crash import refresh_worker
from tests.crash.conftest import Service, Workers, require_transient
from tests.crash.refresh_worker import RefreshJob, Stage
from tests.crash.worker import HeldAt
from tests.integration.testenv.datasets.refresh.conftest import (
    TIERS,
    Versions,
    fill,
    make,
    versions,  # noqa: F401 - a fixture
)

from testenv.backends.postgres_server import Server
from testenv.backends.snowflake import Account
from testenv.config import Config
from testenv.core.spec import LATEST
from testenv.datasets import golden_postgres, golden_snowflake
from testenv.datasets.refresh.stages import EVIDENCE, PREPARED, Refresh
from testenv.datasets.store import DatasetStore
from testenv.datasets.subset import load_tiers

LOADS = tuple(Stage("load", tier) for tier in TIERS)


@dataclass(frozen=True)
class Eye:
    """What the systems themselves have of versions."""

    config: Config
    versions: Versions

    def look(self, version: str) -> None:
        """Whatever is published, and whoever has a manifest, is whole in every system."""
        store = DatasetStore(self.config)
        named = [f"{version}-{tier}" for tier in TIERS]
        there = [name for name in named if store.find(name)]
        assert store.current() != version or there == named
        self.look_at(store.resolve(LATEST))
        for name in there:
            self.look_at(name)
        if Refresh.from_environ(self.config).evidence(version):
            for tier in load_tiers().fractions:
                objects = self.versions.objects(f"{version}-{tier}")
                assert objects.keys() > {PREPARED, "postgres/customers.parquet", "snowflake/RAW.CUSTOMERS.parquet"}

    def look_at(self, name: str) -> None:
        assert golden_postgres.is_whole(Server(self.config), name)
        assert golden_snowflake.is_whole(Account(self.config), name)
        objects, manifest = self.versions.objects(name), DatasetStore(self.config).get(name)
        assert {path: hashlib.sha256(objects[path]).hexdigest() for path in manifest.files} == manifest.files


@pytest.fixture(scope="module")
def eye(stack: RunningStack, config: Config, versions: Versions) -> Eye:
    fill(stack, "0.01")
    return Eye(config, versions)


@pytest.fixture(scope="module")
def refreshers(workers: Workers) -> Workers:
    return replace(workers, work=refresh_worker.work)


@pytest.fixture(scope="module")
def made(eye: Eye, refreshers: Workers) -> Iterator[tuple[str, list[str]]]:
    """A version that was made by one worker after another, each killed at a boundary of its own; and the boundaries."""
    version = eye.versions.new()
    job = RefreshJob(version, (Stage("prepare"), Stage("synthesize"), *LOADS, Stage("publish")))
    yield version, refreshers.walk(job, lambda: eye.look(version))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_whatever_killed_workers_left_the_published_version_is_whole_and_the_next_one_ends_it(
    eye: Eye, made: tuple[str, list[str]]
) -> None:
    version, boundaries = made
    assert set(boundaries) >= {
        "prepare: masked a dataset",
        "prepare: put a file of a tier",
        f"prepare: put {EVIDENCE}",
        "load: postgres: CREATE DATABASE",
        "load: postgres: ALTER DATABASE ALLOW_CONNECTIONS false",
        "load: snowflake: COPY INTO",
        "load: snowflake: COMMENT ON DATABASE",
        "load: built models",
        "load: put a file of a tier",
        "load: put manifest.json",
        "publish: put datasets/current",
    }
    assert DatasetStore(eye.config).current() == version
    eye.look(version)


def test_a_version_that_is_retired_by_workers_that_die_is_nobody_s_half(
    config: Config, versions: Versions, refreshers: Workers
) -> None:
    eye, old = Eye(config, versions), make(versions)
    kept = [make(versions) for _ in range(3)]
    others = {name for name in DatasetStore(config).versions() if not name.startswith(old)}
    job = RefreshJob(old, (Stage("retire"),), in_use=tuple(others))

    def nobody_stands_on_a_half() -> None:
        for name in DatasetStore(config).versions():
            if name.startswith((old, *kept)):
                eye.look_at(name)

    boundaries = refreshers.walk(job, nobody_stands_on_a_half)
    deletions = ("deleted manifests", "dropped in postgres", "dropped in snowflake", "deleted files")
    assert set(boundaries) >= {f"retire: {each}" for each in deletions}
    assert eye.versions.objects(f"{old}-ci") == {}
    assert all(eye.versions.objects(f"{version}-ci") for version in kept)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_service_killed_in_the_middle_of_a_stage_is_waited_for(
    eye: Eye, refreshers: Workers, service: Callable[[str], Service]
) -> None:
    """One refresh, in which every service dies once, where it is in use."""
    version = eye.versions.new()
    for name, stage, boundary in (
        ("kafka", Stage("prepare"), "prepare: masked a dataset"),
        ("postgres", Stage("load", "ci"), "load: postgres: CREATE DATABASE"),
        ("snowflake", Stage("load", "sandbox"), "load: snowflake: COPY INTO"),
        ("aws", Stage("load", "full"), "load: built models"),
    ):
        doomed, job = service(name), RefreshJob(version, (stage,))
        barrier = refreshers.context.Barrier(2, timeout=300)
        with ThreadPoolExecutor(1) as pool:
            end = pool.submit(refreshers.run, replace(job, dies=HeldAt(boundary, barrier)))
            barrier.wait()
            doomed.kill()
            barrier.wait()
            require_transient(end.result())
        assert refreshers.try_as_airflow_does(job)[-1].error is None
        doomed.wait()
        eye.look(version)
    rest = (Stage("synthesize"), *(Stage("load", tier) for tier in load_tiers().generated), Stage("publish"))
    refreshers.finish(RefreshJob(version, rest))
    eye.look(version)
