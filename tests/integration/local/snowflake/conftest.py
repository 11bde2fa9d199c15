"""A local Snowflake and an S3 (moto) of this test run's own, on free ports, with a CA of their own."""

import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from snowflake.connector import SnowflakeConnection
from tests.integration.local.snowflake.support import (
    AWS,
    BUCKET,
    PYTHON,
    KeyPair,
    Server,
    Sql,
    User,
    free_port,
    running_server,
    wait_for,
)


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto server."""
    port, log = free_port(), tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([str(PYTHON.with_name("moto_server")), "-p", str(port)], stdout=out, stderr=out)
    try:
        wait_for(lambda: httpx.get(f"http://localhost:{port}/moto-api/").is_success, process, log)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, s3_endpoint: str) -> Iterator[Server]:
    """The server that the tests share."""
    with pytest.MonkeyPatch.context() as patch, running_server(tmp_path_factory.mktemp("snowflake"), s3_endpoint) as s:
        patch.setenv("REQUESTS_CA_BUNDLE", str(s.ca))
        yield s


@pytest.fixture(scope="session")
def bucket(s3_endpoint: str) -> Any:
    """A bucket of the moto server."""
    resource = boto3.resource("s3", endpoint_url=s3_endpoint, **AWS)
    return resource.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": AWS["region_name"]}
    )  # fmt: skip


@pytest.fixture(scope="session")
def admin_connection(server: Server) -> Iterator[SnowflakeConnection]:
    with server.connect(role="ACCOUNTADMIN") as connection:
        yield connection


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the objects of this test, unlike any other test's."""
    return (
        re.sub(r"\W+", "_", request.node.name.removeprefix("test_"))[:40].strip("_").upper()
        + f"_{time.time_ns() % 10**6}"
    )


@pytest.fixture
def admin(admin_connection: SnowflakeConnection) -> Sql:
    """SQL as ACCOUNTADMIN, with no current database."""
    sql = Sql(admin_connection)
    sql("USE ROLE ACCOUNTADMIN")
    return sql


@pytest.fixture
def db(admin: Sql, name: str) -> Iterator[str]:
    """A database of this test's own, current in ``admin``."""
    admin(f"CREATE DATABASE {name}")
    yield name
    admin("USE ROLE ACCOUNTADMIN")
    admin(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture(scope="session")
def shared_key() -> KeyPair:
    """Keys take long to make; tests whose point is not the key share this one."""
    return KeyPair()


@pytest.fixture
def user(server: Server, admin: Sql, name: str, shared_key: KeyPair) -> Iterator[User]:
    """A user who may nothing yet."""
    login, role = f"U_{name}", f"R_{name}"
    admin(f"CREATE ROLE {role}")
    admin(f"CREATE USER {login} TYPE = SERVICE DEFAULT_ROLE = {role} RSA_PUBLIC_KEY = '{shared_key.public}'")
    admin(f"GRANT ROLE {role} TO USER {login}")
    with server.connect(login, shared_key) as connection:
        yield User(login, role, shared_key, Sql(connection))
    admin("USE ROLE ACCOUNTADMIN")
    admin(f"DROP USER IF EXISTS {login}")
    admin(f"DROP ROLE IF EXISTS {role}")
