"""The environment's role does in its clone all that pipelines and dbt do, and nothing elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from snowflake.connector.errors import DatabaseError, ProgrammingError
from tests.integration.testenv.conftest import World

from testenv.backends.aws import client
from testenv.backends.protocol import Site
from testenv.backends.snowflake import Account, run
from testenv.core.errors import Denied
from testenv.core.naming import golden_snowflake
from testenv.core.resources import System


@contextmanager
def enter(world: World, site: Site) -> Iterator[Any]:
    """A session as the environment's user, in its role, warehouse and database."""
    login, names = world.vault.credentials(site.spec.env_id, System.SNOWFLAKE), site.names
    where = {
        "role": names.snowflake_role,
        "warehouse": site.spec.warehouse,
        "database": names.snowflake_database,
        "schema": "RAW",
    }
    with Account(world.config).connect(login, str(site.spec.env_id), **where) as connection:
        yield connection


def number(connection: Any, query: str) -> int:
    [row] = run(connection, query)
    return int(next(iter(row.values())))


def test_pipelines_and_dbt_work_in_it(world: World, site: Site) -> None:
    """Replace, alter and merge what was cloned; make schemas, tables and views."""
    world.ensure(site, System.SNOWFLAKE)
    with enter(world, site) as connection:
        before = number(connection, "SELECT COUNT(*) FROM RAW.MERCHANTS")
        for statement in (
            "CREATE OR REPLACE TABLE RAW.FX_RATES AS SELECT * FROM RAW.FX_RATES",
            "ALTER TABLE RAW.CARDS ADD COLUMN TRIED VARCHAR",
            "CREATE SCHEMA IF NOT EXISTS MARTS",
            "CREATE TABLE MARTS.M AS SELECT MERCHANT_ID FROM RAW.MERCHANTS",
            "CREATE VIEW MARTS.V AS SELECT * FROM MARTS.M",
            "CREATE TEMPORARY TABLE RAW.ARRIVED AS SELECT * FROM RAW.MERCHANTS",
            "MERGE INTO RAW.MERCHANTS T USING RAW.ARRIVED A ON T.MERCHANT_ID = A.MERCHANT_ID "
            "WHEN MATCHED THEN UPDATE SET NAME = A.NAME",
            "DELETE FROM RAW.PAYMENTS",
        ):
            run(connection, statement)
        assert number(connection, "SELECT COUNT(*) FROM MARTS.V") == before
        assert number(connection, "SELECT COUNT(*) FROM RAW.PAYMENTS") == 0


def test_its_stage_is_its_own_lake(world: World, site: Site) -> None:
    world.ensure(site, System.SNOWFLAKE)
    s3, key = client("s3", world.config), f"{site.names.prefix}lake/fx/rates.csv"
    s3.put_object(Bucket=world.config.bucket, Key=key, Body=b"CHF,0.95,2026-01-02\n")
    with enter(world, site) as connection:
        rows = number(connection, "SELECT COUNT(*) FROM RAW.FX_RATES")
        run(connection, "COPY INTO RAW.FX_RATES FROM @RAW.LAKE/fx/ FILE_FORMAT = (TYPE = CSV)")
        assert number(connection, "SELECT COUNT(*) FROM RAW.FX_RATES") == rows + 1


def test_a_clone_and_its_golden_database_are_two(world: World, site: Site) -> None:
    world.ensure(site, System.SNOWFLAKE)
    with enter(world, site) as connection:
        run(connection, "DELETE FROM RAW.PAYMENTS")
    golden = golden_snowflake(site.dataset.version)
    with Account(world.config).control() as connection:
        run(connection, f"USE WAREHOUSE {site.spec.warehouse}")
        count = number(connection, f"SELECT COUNT(*) FROM {golden}.RAW.PAYMENTS")
    assert count == site.dataset.snowflake["RAW.PAYMENTS"]


def test_it_is_shut_out_of_everything_else(world: World, new_site: Callable[[], Site]) -> None:
    one, other = new_site(), new_site()
    world.ensure(one, System.SNOWFLAKE)
    world.ensure(other, System.SNOWFLAKE)
    foreign = other.names.snowflake_database
    with enter(world, one) as connection:
        for statement in (
            f"SELECT COUNT(*) FROM {foreign}.RAW.PAYMENTS",
            f"DELETE FROM {foreign}.RAW.PAYMENTS",
            f"CREATE SCHEMA {foreign}.MORE",
            f"DROP DATABASE {foreign}",
            f"SELECT COUNT(*) FROM {golden_snowflake(one.dataset.version)}.RAW.PAYMENTS",
            "SELECT COUNT(*) FROM FINSIGHT.RAW.PAYMENTS",
            "CREATE DATABASE TE_SBX_MORE",
            f"DROP DATABASE {one.names.snowflake_database}",
            "CREATE ROLE MORE",
            f"USE ROLE {other.names.snowflake_role}",
            "USE ROLE TESTENV_CONTROL",
            "USE ROLE ACCOUNTADMIN",
            f"GRANT ROLE {other.names.snowflake_role} TO USER {one.names.snowflake_user}",
            f"ALTER USER {other.names.snowflake_user} SET RSA_PUBLIC_KEY = ''",
            "CREATE OR REPLACE STAGE RAW.LAKE URL = 's3://finsight-production/lake/' STORAGE_INTEGRATION = TESTENV_S3",
        ):
            with pytest.raises((ProgrammingError, DatabaseError), match="(?i)not authorized|privileges|not assigned"):
                run(connection, statement)
    assert world.backends[System.SNOWFLAKE].probe(other)


def test_a_user_that_is_gone_is_denied(world: World, site: Site) -> None:
    world.ensure(site, System.SNOWFLAKE)
    with Account(world.config).control() as connection:
        run(connection, f"DROP USER {site.names.snowflake_user}")
    with pytest.raises(Denied):
        world.backends[System.SNOWFLAKE].probe(site)


def test_the_user_is_a_service_with_a_key_and_no_password(world: World, site: Site) -> None:
    world.ensure(site, System.SNOWFLAKE)
    with Account(world.config).control() as connection:
        [user] = run(connection, f"SHOW USERS LIKE '{site.names.snowflake_user}'")
    assert (user["type"], user["has_password"], user["has_rsa_public_key"]) == ("SERVICE", "false", "true")
    assert user["default_role"] == site.names.snowflake_role
    assert user["default_warehouse"] == site.spec.warehouse


def test_the_clone_is_transient_and_says_what_it_is_of(world: World, site: Site) -> None:
    """A transient database without retention costs nothing once it is dropped."""
    world.ensure(site, System.SNOWFLAKE)
    with Account(world.config).control() as connection:
        [database] = run(connection, f"SHOW DATABASES LIKE '{site.names.snowflake_database}'")
    assert "TRANSIENT" in database["options"]
    assert database["retention_time"] == "0"
    assert json.loads(database["comment"]) == {
        "clone": golden_snowflake(site.dataset.version),
        "env": str(site.spec.env_id),
    }


def test_an_interrupted_clone_is_there_but_of_nothing(world: World, site: Site) -> None:
    world.ensure(site, System.SNOWFLAKE)
    with Account(world.config).control() as connection:
        run(connection, f"COMMENT ON DATABASE {site.names.snowflake_database} IS ''")
    found = {part.kind: part.setting for part in world.backends[System.SNOWFLAKE].observe(site.spec.env_id)}
    assert found["database"] == {}


def test_sessions_carry_the_environments_tag(world: World, site: Site) -> None:
    world.ensure(site, System.SNOWFLAKE)
    with enter(world, site) as connection:
        [row] = run(connection, "SHOW PARAMETERS LIKE 'QUERY_TAG'")
    assert json.loads(row["value"]) == {"app": "testenv", "env": str(site.spec.env_id)}
