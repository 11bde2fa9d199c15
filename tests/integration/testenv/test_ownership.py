"""Reaping on the real systems: what only looks like ours is told, and is there afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest
from tests.integration.testenv.conftest import World

from testenv.backends.aws import client
from testenv.backends.postgres_server import Server, execute, query
from testenv.backends.registry import connect_reaper
from testenv.backends.snowflake import Account, run
from testenv.config import Config
from testenv.core.errors import Conflict
from testenv.core.naming import EnvId, Names
from testenv.core.reap import Why
from testenv.core.resources import System
from testenv.reaper import Reaper


@pytest.fixture(scope="module")
def reaper(world: World, config: Config) -> Reaper:
    return connect_reaper(config)


@dataclass(frozen=True)
class LookAlike:
    """Things in the systems that bear an environment's names and were made by someone else."""

    env_id: EnvId
    config: Config

    @property
    def names(self) -> Names:
        return Names(self.env_id)

    def make(self) -> None:
        with Account(self.config).control() as connection:
            run(connection, f"CREATE DATABASE {self.names.snowflake_database} COMMENT = 'payments of finance'")
            run(connection, f"CREATE ROLE {self.names.snowflake_role}")
        with Server(self.config).control() as connection:
            execute(connection, "CREATE ROLE {}", self.names.postgres_role)
            execute(connection, "CREATE DATABASE {}", self.names.postgres_source)
            execute(connection, "COMMENT ON DATABASE {} IS 'of finance'", self.names.postgres_source)
        client("iam", self.config).create_role(
            RoleName=self.names.iam_role,
            AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}',
            Tags=[{"Key": "testenv:env", "Value": "sbx-another"}],
        )

    def there(self) -> set[str]:
        with Account(self.config).control() as connection:
            names = [row["name"] for kind in ("DATABASES", "ROLES") for row in run(connection, f"SHOW {kind}")]
        with Server(self.config).control() as connection:
            names += [
                n for (n,) in query(connection, "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles")
            ]
        pages = client("iam", self.config).get_paginator("list_roles").paginate()
        names += [role["RoleName"] for page in pages for role in page["Roles"]]
        return {name for name in names if name in self.all}

    @property
    def all(self) -> set[str]:
        n = self.names
        return {n.snowflake_database, n.snowflake_role, n.postgres_role, n.postgres_source, n.iam_role}

    def remove(self) -> None:
        with Account(self.config).control() as connection:
            run(connection, f"DROP DATABASE IF EXISTS {self.names.snowflake_database}")
            run(connection, f"DROP ROLE IF EXISTS {self.names.snowflake_role}")
        with Server(self.config).control() as connection:
            execute(connection, "DROP DATABASE IF EXISTS {}", self.names.postgres_source)
            execute(connection, "DROP ROLE IF EXISTS {}", self.names.postgres_role)
        iam = client("iam", self.config)
        with suppress(iam.exceptions.NoSuchEntityException):
            iam.delete_role(RoleName=self.names.iam_role)


@pytest.fixture
def look_alike(world: World, config: Config) -> Iterator[LookAlike]:
    found = LookAlike(EnvId(f"sbx-l{secrets.token_hex(4)}"), config)
    try:
        found.make()
        yield found
    finally:
        found.remove()


def test_what_has_our_names_and_not_our_marks_is_told_and_never_touched(
    reaper: Reaper, look_alike: LookAlike, world: World
) -> None:
    """And what is ours of the same name, here a Kafka user, goes."""
    site = world.site(str(look_alike.env_id))
    user = world.parts(site, System.KAFKA)[0]
    world.backends[System.KAFKA].ensure(user, site)
    found = {finding.why: finding for finding in reaper.findings(look_alike.env_id)}
    try:
        assert {resource.name for resource in found[Why.FOREIGN].resources} == look_alike.all
        assert all(said in found[Why.FOREIGN].proof for said in ("payments of finance", "of finance", "sbx-another"))
        assert not found[Why.FOREIGN].ends
        assert (site.names.kafka_user, Why.ORPHAN) in {(r.name, f.why) for f in found.values() for r in f.resources}
    finally:
        reaper.reap(look_alike.env_id)
    assert look_alike.there() == look_alike.all
    assert [finding.why for finding in reaper.findings(look_alike.env_id)] == [Why.FOREIGN]
    with pytest.raises(Conflict, match="nothing of .* is to end"):
        reaper.reap(look_alike.env_id)
    assert look_alike.there() == look_alike.all


def test_what_died_before_its_database_was_marked_is_ours_once_the_ledger_made_it(
    reaper: Reaper, world: World, config: Config
) -> None:
    """Ended by the ledger, and left by a worker that came back: without a mark only the ledger's word makes it ours."""
    name = f"d{secrets.token_hex(4)}"
    engine = reaper.engine
    env_id = engine.request({"name": name}, run_id=name, fallback_name=name).env_id
    database = Names(env_id).postgres_source
    with Server(config).control() as connection:
        execute(connection, "CREATE DATABASE {}", database)
    try:
        engine.drain(env_id)  # withdrawn: the ledger never began to make it
        [finding] = reaper.findings(env_id)
        assert finding.why is Why.FOREIGN

        engine.request({"name": name}, run_id=f"{name} again", fallback_name=name)
        engine.admit(env_id)
        record = next(r for r in engine.ledger.steps(env_id) if r.step.resource.name == database)
        engine.ledger.started(record.id, engine.clock())
        engine.drain(env_id)
        engine.destroy(env_id, [System.POSTGRES])
        engine.verify_gone(env_id)
        with Server(config).control() as connection:
            execute(connection, "CREATE DATABASE {}", database)
        [finding] = reaper.findings(env_id)
        assert (finding.why, finding.proof) == (Why.ORPHAN, "by name, and the ledger made it")
        reaper.reap(env_id)
        assert engine.observe(env_id) == frozenset()
    finally:
        with Server(config).control() as connection, suppress(psycopg2.Error):
            execute(connection, "DROP DATABASE IF EXISTS {}", database)


KEYS = [
    "env/NOT-AN-ID/lake/x",
    "env/x",
    "artifacts/reports/x",
    "artifacts/NOT-AN-ID/x",
    "datasets/not-a-version/landing/x",
]
"""Keys that no environment owns."""


def test_artifacts_older_than_thirty_days_go_and_no_key_that_is_not_ours(reaper: Reaper, config: Config) -> None:
    """The clock stands at a moment in 31 days; what was written in the last month is looked at then from now."""
    s3: Any = client("s3", config)
    old = EnvId(f"sbx-a{secrets.token_hex(4)}")
    mine = [f"{Names(old).artifacts}runs/x/{number}.txt" for number in range(3)]
    for key in [*KEYS, *mine]:
        s3.put_object(Bucket=config.bucket, Key=key, Body=b"x")
    written: datetime = s3.head_object(Bucket=config.bucket, Key=mine[-1])["LastModified"]

    def there() -> set[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=config.bucket)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}

    try:
        store, before = reaper.artifacts, there()
        assert store.older(written - timedelta(seconds=60)).get(old) is None
        later = written + timedelta(seconds=1)
        assert store.older(later)[old] == 3
        assert there() == before, "to look changes nothing"
        assert store.delete_older(later)[old] == 3
        gone = before - there()
        assert set(mine) <= gone and all(key.startswith("artifacts/") for key in gone)
        assert set(KEYS) <= there()
    finally:
        for key in KEYS:
            s3.delete_object(Bucket=config.bucket, Key=key)


def test_nothing_of_production_or_of_datasets_is_ever_found(reaper: Reaper, world: World) -> None:
    """The systems hold production, golden databases, templates and the control plane's own things."""
    every = replace(reaper).findings()
    named = [resource.name.lower() for finding in every for resource in finding.resources]
    for word in ("finsight", "golden", "template", "ledger", "airflow_management", "datasets/", "testenv-"):
        assert [name for name in named if word in name] == []
