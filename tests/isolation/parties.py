"""Who tries, and whose things are tried: logins by the vendors' own clients, and what there is to go for."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import psycopg2
import snowflake.connector
from botocore.config import Config as BotoSettings
from botocore.exceptions import ClientError
from confluent_kafka import KafkaException
from snowflake.connector.errors import Error as SnowflakeError
from tests.conftest import RunningStack

from testenv.core.naming import Names

VENDOR_ERRORS = (psycopg2.Error, SnowflakeError, KafkaException, ClientError)


@dataclass(frozen=True)
class Login:
    """Someone's credentials in every system, and the vendors' own clients to use them with."""

    stack: RunningStack = field(repr=False)
    postgres_user: str
    postgres_password: str = field(repr=False)
    kafka_user: str
    kafka_password: str = field(repr=False)
    snowflake_user: str
    snowflake_key: str = field(repr=False)
    """Base64 of the PKCS#8 DER."""
    snowflake_role: str
    warehouse: str
    aws_keys: Mapping[str, str] = field(repr=False)
    """`aws_access_key_id` and its kin, as boto3 takes them."""
    home_database: str
    """Postgres database that it may connect to."""
    airflow: Mapping[str, str] = field(default_factory=dict, repr=False)

    @contextlib.contextmanager
    def postgres(self, database: str = "") -> Iterator[Any]:
        """A cursor, autocommit."""
        connection = psycopg2.connect(
            host=self.stack.env["TESTENV_POSTGRES_HOST"],
            port=self.stack.env["TESTENV_POSTGRES_PORT"],
            dbname=database or self.home_database,
            user=self.postgres_user,
            password=self.postgres_password,
            connect_timeout=10,
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def kafka(self, **settings: Any) -> dict[str, Any]:
        """librdkafka's configuration."""
        env = self.stack.env
        return {
            "bootstrap.servers": env["TESTENV_KAFKA_BOOTSTRAP"],
            "security.protocol": env["TESTENV_KAFKA_SECURITY_PROTOCOL"],
            "sasl.mechanism": env["TESTENV_KAFKA_SASL_MECHANISM"],
            "sasl.username": self.kafka_user,
            "sasl.password": self.kafka_password,
            "log_level": 0,
            **settings,
        }

    @contextlib.contextmanager
    def snowflake(self, **where: str) -> Iterator[Any]:
        """A cursor. `where` names another user or role, a database or a schema."""
        env = self.stack.env
        connection = snowflake.connector.connect(
            account=env["TESTENV_SNOWFLAKE_ACCOUNT"],
            host=env["TESTENV_SNOWFLAKE_HOST"],
            port=int(env["TESTENV_SNOWFLAKE_PORT"]),
            private_key=base64.b64decode(self.snowflake_key),
            login_timeout=10,
            network_timeout=60,
            **{"user": self.snowflake_user, "role": self.snowflake_role, "warehouse": self.warehouse, **where},
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def aws(self, service: str) -> Any:
        """A boto3 client that asks once."""
        return boto3.client(
            service,
            endpoint_url=self.stack.env["AWS_ENDPOINT_URL"],
            region_name=self.stack.env["AWS_REGION"],
            config=BotoSettings(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            **self.aws_keys,
        )


@dataclass(frozen=True)
class Target:
    """What is gone for: things of one environment, or of production, by their physical names."""

    postgres_database: str
    postgres_airflow: str
    postgres_role: str
    topic_prefix: str
    database: str
    """In Snowflake, with the schema RAW."""
    stage: str
    snowflake_role: str
    snowflake_user: str
    warehouse: str
    bucket: str
    prefix: str
    artifacts: str
    iam_role: str
    """ARN."""
    parameters: str

    @property
    def topic(self) -> str:
        return self.topic_prefix + "canary"

    @property
    def group(self) -> str:
        return self.topic_prefix + "readers"

    @property
    def table(self) -> str:
        """In Snowflake."""
        return f"{self.database}.RAW.CANARY"

    @property
    def key(self) -> str:
        return self.prefix + "canary"


def of_environment(names: Names, stack: RunningStack, account: str, warehouse: str) -> Target:
    return Target(
        postgres_database=names.postgres_source,
        postgres_airflow=names.postgres_airflow,
        postgres_role=names.postgres_role,
        topic_prefix=names.topic_prefix,
        database=names.snowflake_database,
        stage="LAKE",
        snowflake_role=names.snowflake_role,
        snowflake_user=names.snowflake_user,
        warehouse=warehouse,
        bucket=stack.env["TESTENV_BUCKET"],
        prefix=names.prefix + "lake/",
        artifacts=names.artifacts,
        iam_role=f"arn:aws:iam::{account}:role/{names.iam_role}",
        parameters=names.parameters,
    )


def of_production(stack: RunningStack, account: str) -> Target:
    given = stack.production
    return Target(
        postgres_database="finsight",
        postgres_airflow="airflow_management",
        postgres_role="finsight_writer",
        topic_prefix=f"{given['PRODUCTION_KAFKA_USER']}.isolation{secrets.token_hex(3)}.",
        database=given["PRODUCTION_SNOWFLAKE_DATABASE"],
        stage="ISOLATION_LAKE",
        snowflake_role=given["PRODUCTION_SNOWFLAKE_ROLE"],
        snowflake_user=given["PRODUCTION_SNOWFLAKE_USER"],
        warehouse=given["PRODUCTION_SNOWFLAKE_WAREHOUSE"],
        bucket=given["PRODUCTION_BUCKET"],
        prefix="lake/isolation/",
        artifacts="artifacts/isolation/",
        iam_role=f"arn:aws:iam::{account}:role/finsight-spark",
        parameters="/finsight/",
    )


def code_of(error: BaseException) -> str:
    """A vendor's own code: SQLSTATE, Snowflake's number, Kafka's name, AWS's code.

    libpq gives no SQLSTATE for a refused connection, so its words are told apart.
    """
    if isinstance(error, psycopg2.Error):
        words = str(error)
        if error.pgcode is None and "User does not have CONNECT privilege" in words:
            return "no CONNECT"
        if error.pgcode is None and "authentication failed" in words:
            return "no login"
        return error.pgcode or words
    if isinstance(error, SnowflakeError):
        return str(error.errno)
    if isinstance(error, KafkaException):
        return str(error.args[0].name())
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__
