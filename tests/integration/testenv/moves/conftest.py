"""Two published dataset versions, and sandboxes that their users have changed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
import snowflake.connector
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from tests.conftest import REPO

from testenv.backends.aws import client
from testenv.backends.postgres_server import Server
from testenv.backends.registry import connect_engine
from testenv.backends.snowflake import Account, identifier
from testenv.backends.snowflake import run as run_snowflake
from testenv.config import Config
from testenv.core.lifecycle import ENDED
from testenv.core.naming import EnvId, Names, golden_prefix
from testenv.core.resources import System
from testenv.datasets import golden_postgres, golden_snowflake
from testenv.datasets import seed as seeds
from testenv.datasets.store import POINTER, DatasetStore
from testenv.engine import Engine
from testenv.moves import Mover
from testenv.reaper import destroy_wholly

NEWCOMER = "999,Newcomer,5812,SE,,2026-01-01T00:00:00+00:00,2026-01-01T00:00:00+00:00\n"
"""A merchant that only the second version has."""

RECORD = '{"partition": 0, "timestamp_ms": 1767225600000, "key": "1", "value": "{}", "headers": {}}\n'


@dataclass(frozen=True)
class Versions:
    first: str
    second: str


@pytest.fixture(scope="session")
def versions(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versions]:
    """The repository's seed, and another with one merchant, one record and one file more."""
    store = DatasetStore(config)
    first, repo = store.resolve("latest"), tmp_path_factory.mktemp("repo")
    estate = repo / seeds.ESTATE
    for folder in ("schema", "seed"):
        shutil.copytree(REPO / seeds.ESTATE / folder, estate / folder)
    append(estate / "schema/postgres.sql", f"-- {repo}\n")  # a version of this session alone, which takes it away again
    append(estate / "seed/postgres/merchants.csv", NEWCOMER)
    append(estate / "seed/snowflake/RAW.MERCHANTS.csv", NEWCOMER.replace("T00:00:00+00:00", " 00:00:00.000000"))
    append(estate / "seed/kafka/account_events.jsonl", RECORD)
    (estate / "seed/landing/settlements/second.jsonl").write_text("{}\n")
    own = replace(config, repo=repo)
    seeds.publish_seed(own)
    second = seeds.read_seed(repo).dataset.version
    put(config, POINTER, first)
    yield Versions(first, second)
    golden_postgres.drop(Server(config), second)
    golden_snowflake.drop(Account(config), second)
    s3 = client("s3", config)
    for entry in s3.list_objects_v2(Bucket=config.bucket, Prefix=golden_prefix(second)).get("Contents", []):
        s3.delete_object(Bucket=config.bucket, Key=entry["Key"])


def append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)


def put(config: Config, key: str, text: str) -> None:
    client("s3", config).put_object(Bucket=config.bucket, Key=key, Body=text.encode())


@pytest.fixture(scope="session")
def engine(config: Config) -> Engine:
    return connect_engine(config)


@pytest.fixture(scope="session")
def mover(engine: Engine) -> Mover:
    return Mover(engine)


@pytest.fixture
def sandbox(engine: Engine, versions: Versions) -> Iterator[Callable[[], EnvId]]:
    """Makes sandboxes on the first version, that are gone after the test."""
    made: list[EnvId] = []

    def new() -> EnvId:
        name = f"m{secrets.token_hex(4)}"
        conf = {"name": name, "owner": "a test", "dataset": versions.first}
        env_id = engine.request(conf, run_id=f"run of {name}", fallback_name=name).env_id
        made.append(env_id)
        engine.admit(env_id)
        engine.ensure(env_id, set(System))
        engine.verify(env_id)
        engine.ready(env_id)
        return env_id

    yield new
    for env_id in made:
        if engine.ledger.environment(env_id).state not in ENDED:
            destroy_wholly(engine, env_id)


@dataclass(frozen=True)
class User:
    """Who uses an environment, by what `Engine.connections` shows and nothing else."""

    logins: dict[str, dict[str, str]]

    def postgres(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in one transaction; rows of the last."""
        with closing(psycopg2.connect(**self.logins["postgres"])) as connection, connection:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def snowflake(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; rows of the last."""
        login = self.logins["snowflake"]
        key = load_pem_private_key(login["private_key"].encode(), password=None)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        settings = {name: login[name] for name in ("account", "host", "user", "role", "database", "warehouse")}
        with snowflake.connector.connect(**settings, port=int(login["port"]), private_key=der) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def land(self, path: str, text: str) -> None:
        self._s3.put_object(Bucket=self._place[0], Key=f"{self._place[1]}landing/{path}", Body=text.encode())

    def landed(self) -> dict[str, str]:
        """Path → text of what lies in landing/."""
        bucket, prefix = self._place
        found = self._s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}landing/").get("Contents", [])
        return {
            each["Key"].removeprefix(f"{prefix}landing/"): self._s3.get_object(Bucket=bucket, Key=each["Key"])["Body"]
            .read()
            .decode()
            for each in found
        }

    def produce(self, topic: str, value: str) -> None:
        from confluent_kafka import Producer

        login = dict(self.logins["kafka"])
        name, errors = login.pop("topic_prefix") + topic, []
        producer = Producer(login)
        producer.produce(name, value.encode(), on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(20) == 0
        assert errors == [None]

    def records(self, topic: str) -> int:
        from confluent_kafka import Consumer, TopicPartition

        login = dict(self.logins["kafka"])
        prefix = login.pop("topic_prefix")
        consumer = Consumer({**login, "group.id": f"{prefix}looks"})
        partitions = consumer.list_topics(prefix + topic, timeout=20).topics[prefix + topic].partitions
        marks = [consumer.get_watermark_offsets(TopicPartition(prefix + topic, n), timeout=20) for n in partitions]
        consumer.close()
        return sum(high - low for low, high in marks)

    @property
    def _place(self) -> tuple[str, str]:
        bucket, prefix = self.logins["s3"]["url"].removeprefix("s3://").split("/", 1)
        return bucket, prefix

    @property
    def _s3(self) -> Any:
        login = self.logins["s3"]
        return boto3.client(
            "s3",
            region_name=login["region"],
            endpoint_url=login["endpoint_url"] or None,
            aws_access_key_id=login["access_key_id"],
            aws_secret_access_key=login["secret_access_key"],
            aws_session_token=login["session_token"],
        )


@pytest.fixture
def user_of(engine: Engine) -> Callable[[EnvId], User]:
    return lambda env_id: User(engine.connections(env_id))


@dataclass(frozen=True)
class Walls:
    """What holds an environment apart, as the systems say: who may do what in its databases, and who owns what."""

    postgres: Any
    owners: Any
    snowflake: Any
    acls: Any


def walls(config: Config, engine: Engine, env_id: EnvId) -> Walls:
    names = Names(env_id)
    with Server(config).control() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname, datacl::text, datallowconn, rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba "
            "WHERE datname LIKE %s ORDER BY 1",
            [names.postgres_role.replace("_", r"\_") + r"\_%"],
        )
        databases = cursor.fetchall()
    with Server(config).control(names.postgres_source) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        owners = cursor.fetchall()
    with Account(config).control() as connection:
        database = identifier(names.snowflake_database)
        grants = run_snowflake(connection, f"SHOW GRANTS ON DATABASE {database}")
        role = run_snowflake(connection, f"SHOW GRANTS TO ROLE {identifier(names.snowflake_role)}")
        holders = run_snowflake(connection, f"SHOW GRANTS OF ROLE {identifier(names.snowflake_role)}")
    kafka: Any = engine.backends[System.KAFKA]
    return Walls(
        databases,
        owners,
        (
            {  # a repository without dbt gives its version no views
                (each["privilege"], each["granted_on"], each["name"].split(".")[0], each["grantee_name"])
                for each in [*grants, *role]
                if each["granted_on"] != "VIEW"
            },
            {each["grantee_name"] for each in holders},
        ),
        sorted(map(str, kafka._acls(names))),
    )
