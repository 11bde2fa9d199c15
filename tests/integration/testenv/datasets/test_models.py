"""Golden databases have the project's models; an environment's clone has its own, and builds what its code changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import REPO
from tests.integration.testenv.conftest import World
from tests.integration.testenv.datasets.test_publish import forget

from testenv import dbt
from testenv.backends.aws import client
from testenv.backends.protocol import Site
from testenv.backends.registry import connect_engine
from testenv.backends.snowflake import Account, run
from testenv.build import prepare_build
from testenv.config import Config
from testenv.core.naming import golden_snowflake
from testenv.core.resources import System
from testenv.core.spec import WORKING_TREE
from testenv.datasets.models import read_state
from testenv.datasets.seed import ESTATE, publish_seed
from testenv.datasets.store import POINTER, DatasetStore
from testenv.source import Repository

MART = f"{dbt.PROJECT}/models/marts/fct_payments.sql"


def number(connection: Any, query: str) -> int:
    [row] = run(connection, query)
    return int(next(iter(row.values())))


@contextmanager
def enter(world: World, site: Site) -> Iterator[Any]:
    login = world.vault.credentials(site.spec.env_id, System.SNOWFLAKE)
    where = {"role": site.names.snowflake_role, "warehouse": site.spec.warehouse}
    with Account(world.config).connect(login, database=site.names.snowflake_database, **where) as connection:
        yield connection


@pytest.fixture
def repository(world: World, tmp_path: Path) -> Iterator[Config]:
    """The settings of a deployment whose repository is a copy of this one. What it publishes is taken away."""
    for folder in (f"{ESTATE}/schema", f"{ESTATE}/seed", dbt.PROJECT):
        shutil.copytree(REPO / folder, tmp_path / folder, ignore=shutil.ignore_patterns("target", "logs"))
    with (tmp_path / ESTATE / "schema/postgres.sql").open("a") as file:
        file.write(f"-- {tmp_path}\n")
    before, config = world.store.current(), replace(world.config, repo=tmp_path)
    yield config
    if (published := DatasetStore(config).current()) != before:
        forget(config, str(published))
    client("s3", config).put_object(Bucket=config.bucket, Key=POINTER, Body=str(before).encode())


def test_what_is_published_has_the_models_of_the_repository(world: World) -> None:
    dataset = world.store.get(world.store.resolve("latest"))
    assert dataset.models == dbt.project_digest(Repository(world.config.repo).archive(WORKING_TREE))
    nodes = json.loads(read_state(world.config, dataset.version))["nodes"]
    assert "model.finsight.fct_payments" in nodes
    with Account(world.config).control() as connection:
        run(connection, "USE WAREHOUSE TE_WH_CI")
        assert number(connection, f"SELECT COUNT(*) FROM {golden_snowflake(dataset.version)}.MARTS.FCT_PAYMENTS") > 0


def test_the_views_of_a_clone_read_the_clone(world: World, site: Site) -> None:
    """In Snowflake as here, a cloned view goes on reading the tables that its text names."""
    world.ensure(site, System.SNOWFLAKE)
    with enter(world, site) as connection:
        views = run(connection, f"SHOW VIEWS IN DATABASE {site.names.snowflake_database}")
        assert len(views) >= 8
        assert not [view["name"] for view in views if golden_snowflake(site.dataset.version) in view["text"].upper()]
        assert number(connection, "SELECT COUNT(*) FROM STAGING.STG_PAYMENTS") > 0
        run(connection, "DELETE FROM RAW.PAYMENTS")
        assert number(connection, "SELECT COUNT(*) FROM STAGING.STG_PAYMENTS") == 0


def test_the_models_of_a_clone_may_be_built_anew_by_its_role(world: World, site: Site) -> None:
    world.ensure(site, System.SNOWFLAKE)
    with enter(world, site) as connection:
        for statement in (
            "CREATE OR REPLACE VIEW STAGING.STG_PAYMENTS AS SELECT * FROM RAW.PAYMENTS",
            "CREATE OR REPLACE TABLE MARTS.FCT_PAYMENTS AS SELECT * FROM STAGING.STG_PAYMENTS",
            "INSERT INTO SNAPSHOTS.CUSTOMERS_SNAPSHOT SELECT * FROM SNAPSHOTS.CUSTOMERS_SNAPSHOT LIMIT 0",
        ):
            run(connection, statement)


def test_an_environment_builds_what_its_code_changes_and_what_depends_on_it(repository: Config, tmp_path: Path) -> None:
    publish_seed(repository)
    mart = repository.repo / MART
    engine = connect_engine(repository)
    environment = engine.request({"name": "models", "owner": "a test"}, run_id="models", fallback_name="unused")
    name = environment.env_id
    asked = {"name": "released", "models": "dataset"}
    released = engine.request(asked, run_id="released", fallback_name="unused").env_id
    try:
        engine.admit(name)
        engine.ensure(name, [System.SECRETS, System.S3, System.SNOWFLAKE])
        assert not engine.builds_models(name)
        mart.write_text(mart.read_text() + "\n-- changed\n")
        assert engine.builds_models(name)
        assert not engine.builds_models(released)
        build = prepare_build(engine, repository, name, tmp_path / "code", "{}")
        target = tmp_path / "target"
        dbt.build(repository.dbt, build.project, target, build.environ, *build.arguments)
        results = json.loads((target / "run_results.json").read_text())["results"]
        manifest = json.loads((target / "manifest.json").read_text())
        after = {node for node in manifest["child_map"]["model.finsight.fct_payments"] if node.startswith("model.")}
        assert {result["unique_id"] for result in results} == {"model.finsight.fct_payments", *after}
    finally:
        for each in (name, released):
            engine.drain(each)
            engine.destroy(each, list(System))
            engine.verify_gone(each)


def test_models_that_cannot_be_built_keep_no_dataset_from_being_published(repository: Config) -> None:
    mart = repository.repo / MART
    mart.write_text("select * from no_such_table")
    said = publish_seed(repository)
    assert "its models are not built: dbt build failed: model.finsight.fct_payments: " in said
    dataset = DatasetStore(repository).get(str(DatasetStore(repository).current()))
    assert dataset.models == ""
    with Account(repository).control() as connection:
        schemas = run(connection, f"SHOW SCHEMAS IN DATABASE {golden_snowflake(dataset.version)}")
    assert not {"STAGING", "MARTS"} & {schema["name"] for schema in schemas}
