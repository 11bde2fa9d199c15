"""Using an environment as its own: each system is left with something that no plan of ours has."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import boto3
import psycopg2
import snowflake.connector
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

Logins = Mapping[str, Mapping[str, str]]


def leave_things(logins: Logins) -> None:
    """Make a table, a schema, a file, a record and a consumer group with what `Engine.connections` shows."""
    mark = f"left_{secrets.token_hex(3)}"
    in_postgres(logins["postgres"], mark)
    in_snowflake(logins["snowflake"], mark)
    in_s3(logins["s3"], mark)
    in_kafka(dict(logins["kafka"]), mark)


def in_postgres(login: Mapping[str, str], mark: str) -> None:
    connection = psycopg2.connect(**login)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {mark} AS SELECT 1 AS one")
    connection.close()


def in_snowflake(login: Mapping[str, str], mark: str) -> None:
    key = load_pem_private_key(login["private_key"].encode(), password=None)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    settings = {name: login[name] for name in ("account", "host", "user", "role", "database", "warehouse")}
    with snowflake.connector.connect(**settings, port=int(login["port"]), private_key=der) as connection:
        connection.cursor().execute(f"CREATE SCHEMA {mark}")
        connection.cursor().execute(f"CREATE TABLE {mark}.T AS SELECT 1 AS ONE")


def in_s3(login: Mapping[str, str], mark: str) -> None:
    bucket, prefix = login["url"].removeprefix("s3://").split("/", 1)
    s3 = boto3.client(
        "s3",
        region_name=login["region"],
        endpoint_url=login["endpoint_url"] or None,
        aws_access_key_id=login["access_key_id"],
        aws_secret_access_key=login["secret_access_key"],
        aws_session_token=login["session_token"],
    )
    s3.put_object(Bucket=bucket, Key=f"{prefix}lake/{mark}", Body=b"x")


def in_kafka(login: dict[str, str], mark: str) -> None:
    from confluent_kafka import Consumer, Producer, TopicPartition

    prefix = login.pop("topic_prefix")
    producer = Producer(login)
    errors: list[object] = []
    producer.produce(f"{prefix}card_events", b"x", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors == [None]
    consumer = Consumer({**login, "group.id": f"{prefix}{mark}"})
    consumer.commit(offsets=[TopicPartition(f"{prefix}card_events", 0, 1)], asynchronous=False)
    consumer.close()
