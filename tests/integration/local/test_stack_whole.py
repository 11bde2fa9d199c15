"""The whole embedded stack, as its clients find it."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager

import boto3
import psutil
import psycopg2
import pytest
import snowflake.connector
from botocore.exceptions import ClientError
from snowflake.connector import SnowflakeConnection
from tests.conftest import RunningStack, local

from local.launch import MARK
from local.secret_store import SecretStore
from testenv.config import Config


def call_airflow(stack: RunningStack, path: str, password: str | None = None) -> int:
    """HTTP status of a GET as the administrator, or as nobody without PASSWORD."""
    request = urllib.request.Request(stack.env["TESTENV_AIRFLOW_URL"] + path)
    if password is not None:
        login = f"{stack.env['TESTENV_AIRFLOW_USER']}:{password}"
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@contextmanager
def connect_snowflake(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch, prefix: str, **changes: str
) -> Iterator[SnowflakeConnection]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", stack.env["REQUESTS_CA_BUNDLE"])
    values = stack.env | stack.production
    arguments = {
        "account": stack.env["TESTENV_SNOWFLAKE_ACCOUNT"],
        "host": stack.env["TESTENV_SNOWFLAKE_HOST"],
        "port": int(stack.env["TESTENV_SNOWFLAKE_PORT"]),
        "user": values[f"{prefix}_USER"],
        "role": values[f"{prefix}_ROLE"],
        "private_key": base64.b64decode(values[f"{prefix}_PRIVATE_KEY"]),
        **changes,
    }
    with closing(snowflake.connector.connect(**arguments, login_timeout=10)) as connection:
        yield connection


class TestStack:
    def test_every_part_is_ready(self, stack: RunningStack) -> None:
        status = local("status", stack.home)
        assert status.returncode == 0, status.stdout
        assert status.stdout.count("ready  pid") >= 8

    def test_stack_env_is_all_that_the_engine_asks_for(self, stack: RunningStack) -> None:
        assert Config.from_environ(stack.env).home == stack.home

    def test_what_may_write_production_is_not_in_stack_env(self, stack: RunningStack) -> None:
        writers = {
            value
            for name, value in stack.production.items()
            if name.endswith(("PASSWORD", "PRIVATE_KEY", "SECRET_ACCESS_KEY", "POSTGRES_URL"))
        }
        assert len(writers) == 4
        assert writers.isdisjoint(stack.env.values())

    def test_no_secret_stands_in_a_command_line_or_a_log(self, stack: RunningStack) -> None:
        values = SecretStore(stack.home / "secrets.json").values()
        lines = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(stack.home):
                    lines.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        assert any("scheduler" in line for line in lines)
        assert [line for line in lines if any(value in line for value in values)] == []
        logs = [path for path in (stack.home / "logs").iterdir() if path.is_file()]
        assert [log for log in logs if any(value in log.read_text(errors="replace") for value in values)] == []


class TestAirflow:
    def test_its_api_asks_for_a_login(self, stack: RunningStack) -> None:
        assert call_airflow(stack, "/api/v1/dags") in (401, 403)
        assert call_airflow(stack, "/api/v1/dags", "wrong") in (401, 403)
        assert call_airflow(stack, "/api/v1/dags", stack.env["TESTENV_AIRFLOW_PASSWORD"]) == 200

    def test_scheduler_and_triggerer_are_healthy(self, stack: RunningStack) -> None:
        with urllib.request.urlopen(f"{stack.env['TESTENV_AIRFLOW_URL']}/health", timeout=30) as answer:
            health = json.load(answer)
        assert {name: health[name]["status"] for name in ("scheduler", "triggerer", "metadatabase")} == {
            "scheduler": "healthy",
            "triggerer": "healthy",
            "metadatabase": "healthy",
        }

    def test_its_databases_template_can_be_copied_and_not_entered(self, stack: RunningStack) -> None:
        """A copy belongs to one role, which may use all tables in it."""
        url = stack.env["TESTENV_LEDGER_URL"].replace("+psycopg2", "")
        with pytest.raises(psycopg2.OperationalError, match="not currently accepting connections"):
            psycopg2.connect(url.replace("testenv_ledger", "te_template_airflow"))
        with closing(psycopg2.connect(url)) as control, control.cursor() as cursor:
            control.autocommit = True
            cursor.execute("CREATE ROLE te_copytest LOGIN PASSWORD 'copytest'")
            try:
                cursor.execute("CREATE DATABASE te_copytest TEMPLATE te_template_airflow STRATEGY FILE_COPY")
                cursor.execute("REVOKE CONNECT ON DATABASE te_copytest FROM PUBLIC")
                cursor.execute("GRANT CONNECT ON DATABASE te_copytest TO te_copytest")
                own = {"user": "te_copytest", "password": "copytest", "dbname": "te_copytest"}
                with closing(psycopg2.connect(url, **own)) as connection, connection.cursor() as tables:
                    tables.execute("INSERT INTO variable (key, val) VALUES ('a', 'b')")
                    tables.execute("SELECT version_num FROM alembic_version")
                    assert tables.fetchone()
            finally:
                cursor.execute("DROP DATABASE IF EXISTS te_copytest")
                cursor.execute("DROP ROLE te_copytest")


class TestSnowflake:
    def test_reader_may_not_write_production(self, stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
        with connect_snowflake(stack, monkeypatch, "PRODUCTION_SNOWFLAKE") as writer:
            writer.cursor().execute("CREATE TABLE IF NOT EXISTS FINSIGHT.RAW.STACK_TEST (ID INT)")
            writer.cursor().execute("INSERT INTO FINSIGHT.RAW.STACK_TEST VALUES (1)")
        with connect_snowflake(stack, monkeypatch, "TESTENV_PRODUCTION_SNOWFLAKE") as reader:
            assert reader.cursor().execute("SELECT ID FROM FINSIGHT.RAW.STACK_TEST").fetchall() == [(1,)]
            for statement in (
                "INSERT INTO FINSIGHT.RAW.STACK_TEST VALUES (2)",
                "DROP TABLE FINSIGHT.RAW.STACK_TEST",
                "CREATE TABLE FINSIGHT.RAW.MINE (ID INT)",
            ):
                with pytest.raises(
                    snowflake.connector.errors.ProgrammingError, match="(?i)insufficient priv|authorized"
                ):
                    reader.cursor().execute(statement)
        with connect_snowflake(stack, monkeypatch, "PRODUCTION_SNOWFLAKE") as writer:
            writer.cursor().execute("DROP TABLE FINSIGHT.RAW.STACK_TEST")

    def test_control_plane_does_not_see_production(self, stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
        with (
            connect_snowflake(stack, monkeypatch, "TESTENV_SNOWFLAKE") as control,
            pytest.raises(snowflake.connector.errors.ProgrammingError, match="does not exist or not authorized"),
        ):
            control.cursor().execute("USE DATABASE FINSIGHT")

    def test_a_foreign_key_is_refused(self, stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
        foreign = {"user": stack.production["PRODUCTION_SNOWFLAKE_USER"]}
        with (
            pytest.raises(snowflake.connector.errors.DatabaseError, match="JWT token is invalid"),
            connect_snowflake(stack, monkeypatch, "TESTENV_SNOWFLAKE", **foreign),
        ):
            pytest.fail("a login with another user's key was let in")


class TestAws:
    def s3(self, values: dict[str, str], prefix: str = "") -> object:
        return boto3.client(
            "s3",
            endpoint_url=values["AWS_ENDPOINT_URL"],
            region_name=values["AWS_REGION"],
            aws_access_key_id=values[f"{prefix}AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=values[f"{prefix}AWS_SECRET_ACCESS_KEY"],
        )

    def test_production_may_be_read_with_its_own_key_and_not_written(self, stack: RunningStack) -> None:
        bucket = stack.env["TESTENV_PRODUCTION_BUCKET"]
        writer = self.s3(stack.production, "PRODUCTION_")
        reader = self.s3(stack.env, "TESTENV_PRODUCTION_")
        writer.put_object(Bucket=bucket, Key="landing/stack-test", Body=b"1")
        assert reader.get_object(Bucket=bucket, Key="landing/stack-test")["Body"].read() == b"1"
        for denied in (reader.put_object, reader.delete_object):
            with pytest.raises(ClientError, match="AccessDenied"):
                denied(Bucket=bucket, Key="landing/stack-test")
        writer.delete_object(Bucket=bucket, Key="landing/stack-test")

    def test_control_plane_has_no_business_in_productions_bucket(self, stack: RunningStack) -> None:
        control = self.s3(stack.env)
        with pytest.raises(ClientError, match="AccessDenied"):
            control.list_objects_v2(Bucket=stack.env["TESTENV_PRODUCTION_BUCKET"])


def test_the_processes_of_the_stack_do_not_inherit_the_users_credentials(stack: RunningStack) -> None:
    for process in psutil.process_iter():
        try:
            environ = process.environ()
        except psutil.Error:
            continue
        if environ.get(MARK) == str(stack.home):
            assert "PYTEST_CURRENT_TEST" not in environ
            assert environ.get("AIRFLOW_HOME") != os.environ["AIRFLOW_HOME"]
