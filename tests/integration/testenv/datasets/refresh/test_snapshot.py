"""Production is read and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from snowflake.connector.errors import ProgrammingError
from tests.integration.testenv.datasets.refresh.conftest import Made

from testenv.backends.aws import session_client
from testenv.backends.snowflake import Account
from testenv.datasets.refresh.stages import Refresh


def test_a_refresh_leaves_production_as_it_was(made: Made) -> None:
    assert made.after == made.before
    assert len(made.before) > 60


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM cards",
        "UPDATE cards SET network = 'x'",
        "INSERT INTO branches SELECT * FROM branches",
        "CREATE TABLE t ()",
        "DROP TABLE cards",
        "TRUNCATE cards",
    ],
)
def test_its_postgres_cannot_be_written(refresh: Refresh, statement: str) -> None:
    """Not by a session that asks for no read-only transaction either."""
    with closing(psycopg2.connect(refresh.production.postgres_url)) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)


def test_its_bucket_cannot_be_written(refresh: Refresh) -> None:
    s3, bucket = session_client("s3", refresh.config, refresh.production.aws), refresh.production.bucket
    key = s3.list_objects_v2(Bucket=bucket, Prefix="landing/")["Contents"][0]["Key"]
    for call in (
        lambda: s3.put_object(Bucket=bucket, Key="landing/x", Body=b""),
        lambda: s3.put_object(Bucket=bucket, Key=key, Body=b""),
        lambda: s3.delete_object(Bucket=bucket, Key=key),
        lambda: s3.copy_object(Bucket=bucket, Key="landing/x", CopySource={"Bucket": bucket, "Key": key}),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


def test_its_topics_cannot_be_written(refresh: Refresh) -> None:
    kafka = refresh.production.kafka
    login, errors = kafka.client(kafka.user, kafka.password), []
    producer = Producer(login)
    producer.produce("card_events", b"x", on_delivery=lambda error, _: errors.append(error.code()))
    assert producer.flush(20) == 0
    assert errors == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    admin = AdminClient(login)
    for futures in (
        admin.create_topics([NewTopic("t", 1, 1)]),
        admin.delete_topics(["card_events"]),
    ):
        with pytest.raises(KafkaException, match="AUTHORIZATION_FAILED"):
            [future.result(20) for future in futures.values()]


@pytest.fixture(scope="module")
def warehouse(refresh: Refresh) -> Iterator[object]:
    with Account(replace(refresh.config, snowflake=refresh.production.snowflake)).control() as connection:
        yield connection.cursor().execute(f"USE DATABASE {refresh.production.snowflake_database}")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO RAW.BRANCHES SELECT * FROM RAW.BRANCHES",
        "DELETE FROM RAW.CARDS",
        "UPDATE RAW.CARDS SET NETWORK = 'x'",
        "CREATE TABLE RAW.T (A INT)",
        "DROP TABLE RAW.CARDS",
        "CREATE SCHEMA S",
    ],
)
def test_its_snowflake_cannot_be_written(warehouse: object, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="(?i)insufficient privileges|not authorized"):
        warehouse.execute(statement)  # type: ignore[attr-defined]
