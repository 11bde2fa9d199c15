"""What an environment holds, layer by layer, read with the environment's own credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Access = Mapping[str, Mapping[str, str]]
"""What `bin/testenv connect ENV --json` says: part → setting → value."""

Contents = dict[str, dict[str, tuple[int, str]]]
"""Layer → table, topic or folder → number of rows and a fingerprint of them."""

SNOWFLAKE_LAYERS = ("RAW", "STAGING", "INTERMEDIATE", "MARTS", "SNAPSHOTS")


def contents(access: Access) -> Contents:
    """Rows and fingerprints of every layer of the environment that `access` opens."""
    return {
        "source": _postgres(access["postgres"]),
        "landing": _landing(access["s3"]),
        "topics": _topics(access["kafka"]),
        **_snowflake(access["snowflake"]),
    }


def _postgres(access: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    import psycopg2

    connection = psycopg2.connect(
        host=access["host"],
        port=access["port"],
        dbname=access["database"],
        user=access["user"],
        password=access["password"],
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        found = {}
        for (table,) in cursor.fetchall():
            # Sums of row hashes do not depend on the rows' order.
            cursor.execute(f'SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM "{table}" t')
            found[table] = cursor.fetchone() or (0, "")
    connection.close()
    return found


def _landing(access: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    import boto3

    s3 = boto3.client(
        "s3",
        endpoint_url=access["endpoint_url"] or None,
        region_name=access["region"],
        aws_access_key_id=access["access_key_id"],
        aws_secret_access_key=access["secret_access_key"],
        aws_session_token=access["session_token"],
    )
    bucket, prefix = access["url"].removeprefix("s3://").split("/", 1)
    prefix += "landing/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found: dict[str, list[str]] = {}
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        folder, *rest = entry["Key"].removeprefix(prefix).split("/")
        found.setdefault(folder, []).append("/".join(rest) + entry["ETag"])
    return {folder: (len(files), str(sorted(files))) for folder, files in sorted(found.items())}


def _topics(access: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient, OffsetSpec

    prefix = access["topic_prefix"]
    admin = AdminClient({key: value for key, value in access.items() if key != "topic_prefix"})
    found = {}
    for name, topic in sorted(admin.list_topics(timeout=20).topics.items()):
        partitions = [TopicPartition(name, number) for number in sorted(topic.partitions)]
        first, last = (
            [future.result(20).offset for future in admin.list_offsets(dict.fromkeys(partitions, spec)).values()]
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
        )
        found[name.removeprefix(prefix)] = (sum(last) - sum(first), str([first, last]))
    return found


def _snowflake(access: Mapping[str, str]) -> dict[str, dict[str, tuple[int, str]]]:
    import snowflake.connector

    address: dict[str, Any] = {"host": access["host"], "port": int(access["port"])} if access["host"] else {}
    with snowflake.connector.connect(
        account=access["account"],
        user=access["user"],
        private_key=_der(access["private_key"]),
        role=access["role"],
        database=access["database"],
        warehouse=access["warehouse"],
        **address,
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN "
            f"({', '.join(repr(layer) for layer in SNOWFLAKE_LAYERS)}) ORDER BY 1, 2"
        )
        found: dict[str, dict[str, tuple[int, str]]] = {}
        for schema, table in cursor.fetchall():
            cursor.execute(f'SELECT COUNT(*), HASH_AGG(*) FROM "{schema}"."{table}"')
            count, fingerprint = cursor.fetchone()
            found.setdefault(schema.lower(), {})[table.lower()] = (count, str(fingerprint))
    return found


def _der(pem: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(pem.encode(), password=None)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
