"""A small production, and one refresh of it that many tests look at: each costs more than all that is asserted."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import psycopg2
import pytest
from tests.conftest import REPO, RunningStack

from testenv.backends.aws import client, session_client
from testenv.backends.postgres_server import Server, query
from testenv.backends.snowflake import Account
from testenv.config import Config
from testenv.core.contract import Store
from testenv.core.dataset import Dataset
from testenv.core.naming import golden_prefix
from testenv.datasets import golden_postgres, golden_snowflake
from testenv.datasets.evidence.evidence import Evidence
from testenv.datasets.observe import reader
from testenv.datasets.refresh.snapshot import Snapshot
from testenv.datasets.refresh.stages import Refresh
from testenv.datasets.store import MANIFEST, POINTER, DatasetStore
from testenv.datasets.subset import load_tiers
from testenv.datasets.tapes import clients
from testenv.production import Production

SCALE = "0.02"
TIERS = load_tiers().names


@dataclass(frozen=True)
class Versions:
    """Names that no refresh had before. Whatever was made under them is taken away by `forget`."""

    config: Config
    made: list[str] = field(default_factory=list)

    def new(self) -> str:
        """Later than all before, and than any that a refresh of today makes."""
        self.made.append(f"d2999{len(self.made) + 101:04d}-{secrets.token_hex(3)}")
        return self.made[-1]

    def objects(self, name: str) -> dict[str, bytes]:
        """What lies below the prefix of a version, or of one of its tiers, by path."""
        s3, prefix = client("s3", self.config), golden_prefix(name)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.config.bucket, Prefix=prefix)
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return {
            key.removeprefix(prefix): s3.get_object(Bucket=self.config.bucket, Key=key)["Body"].read() for key in keys
        }

    def forget(self) -> None:
        s3 = client("s3", self.config)
        for version in self.made:
            for name in (version, *(f"{version}-{tier}" for tier in TIERS)):
                golden_postgres.drop(Server(self.config), name)
                golden_snowflake.drop(Account(self.config), name)
                for path in self.objects(name):
                    s3.delete_object(Bucket=self.config.bucket, Key=golden_prefix(name) + path)


@dataclass(frozen=True)
class Made:
    """A version that was made from beginning to end, and production's fingerprints before and after.

    `pointed_to`: the published version, once it was published. Other tests stand on the seed, so it is no more.
    """

    version: str
    pointed_to: str | None
    evidence: Evidence
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="session")
def refresh(stack: RunningStack, config: Config) -> Refresh:
    fill(stack)
    found = Refresh.from_environ(config)
    return replace(found, production=Production.from_environ(config, stack.env))


def fill(stack: RunningStack, scale: str = SCALE) -> None:
    """Make production what it is at first."""
    command = [sys.executable, "-m", "estate.production", "fill", "--scale", scale, "--home", str(stack.home)]
    environ = {**os.environ, **stack.env, "PYTHONPATH": str(REPO / "include")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def versions(config: Config) -> Iterator[Versions]:
    made = Versions(config)
    yield made
    made.forget()


@pytest.fixture(scope="session")
def made(refresh: Refresh, versions: Versions) -> Made:
    """A whole refresh, stage by stage as the DAG has them."""
    version, before = versions.new(), fingerprints(refresh)
    refresh.check()
    evidence = refresh.prepare(version)
    assert evidence.reasons == ()
    refresh.synthesize(version)
    for tier in TIERS:
        refresh.load(version, tier)
    store = DatasetStore(refresh.config)
    seed = store.current()
    refresh.publish(version)
    published = store.current()
    put(refresh.config, POINTER, str(seed).encode())
    return Made(version, published, evidence, before, fingerprints(refresh))


@pytest.fixture(scope="session")
def again(refresh: Refresh, versions: Versions, made: Made) -> str:
    """Another refresh of the same production under the same key, of which one tier is loaded."""
    version = versions.new()
    refresh.prepare(version)
    return version


def in_production(stack: RunningStack, statement: str) -> str:
    """Run SQL as production's own pipelines do; returns the one value that it selects, as text."""
    url = stack.production["PRODUCTION_POSTGRES_URL"].replace("postgresql+psycopg2://", "postgresql://")
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0]) if cursor.description else ""


def fingerprints(refresh: Refresh) -> dict[str, str]:
    """What production holds, by place: every row, record, file and object, and the names of all there is."""
    production = refresh.production
    with Snapshot(refresh.config, production, refresh.contracts) as snapshot:
        found = {
            id_: _digest(batch.to_pylist() for batch in snapshot.batches(contract))
            for id_, contract in refresh.contracts.items()
            if contract.store is not Store.S3
        }
    s3 = session_client("s3", refresh.config, production.aws)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=production.bucket)
    found["s3"] = _digest((each["Key"], each["ETag"]) for page in pages for each in page.get("Contents", ()))
    with closing(reader(production)) as connection:
        found["postgres"] = _digest(query(connection, "SELECT relname, relkind, relacl::text FROM pg_class ORDER BY 1"))
    with Account(replace(refresh.config, snowflake=production.snowflake)).control() as connection:
        for kind in ("TABLES", "STAGES"):
            cursor = connection.cursor().execute(f"SHOW {kind} IN DATABASE {production.snowflake_database}")
            found[kind] = _digest(sorted(row[1] for row in cursor))
    topics = clients.admin(production.kafka).topics()
    found["topics"] = _digest(sorted(item for item in topics.items() if not item[0].startswith("te.")))
    return found


def _digest(parts: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
    return digest.hexdigest()


def make(versions: Versions, *, whole: bool = True) -> str:
    """A version of one tier; one that is not whole was refused: it has files and evidence, and no database."""
    version = versions.new()
    put(versions.config, golden_prefix(version) + "evidence/evidence.json", b"{}")
    name = f"{version}-ci"
    put(versions.config, golden_prefix(name) + "kafka/t.jsonl", b"{}\n")
    if whole:
        golden_postgres.build(Server(versions.config), name, "CREATE TABLE t (a int)", {})
        golden_snowflake.build(Account(versions.config), name, "TE_WH_CI", "CREATE SCHEMA S", {})
        manifest = Dataset(version=name, files={}, postgres={}, snowflake={}, topics=(), models="")
        put(versions.config, golden_prefix(name) + MANIFEST, manifest.model_dump_json().encode())
    return version


def put(config: Config, key: str, body: bytes) -> None:
    client("s3", config).put_object(Bucket=config.bucket, Key=key, Body=body)
