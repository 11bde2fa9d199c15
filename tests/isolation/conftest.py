"""Two living environments whose ids begin alike, and production; who owns them; and canaries in each of their systems.

Both are of one kind, so that they share all that environments ever share: warehouse, EMR application, cluster, bucket.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from snowflake.connector import SnowflakeConnection
from sqlalchemy.engine import make_url
from tests.conftest import RunningStack
from tests.isolation.on_kafka import produce, results
from tests.isolation.parties import Login, Target, of_environment, of_production

from testenv.backends.registry import connect_engine
from testenv.config import Config
from testenv.core.naming import EnvId, Names
from testenv.core.resources import System
from testenv.engine import Engine

OWN, OTHER, PRODUCTION = "own", "other", "production"


@pytest.fixture(scope="package")
def engine(stack: RunningStack) -> Iterator[Engine]:
    before = dict(os.environ)
    os.environ.update(stack.env)  # boto3 and the TLS libraries read theirs from there alone
    yield connect_engine(Config.from_environ(stack.env))
    for kept in gc.get_objects():
        if isinstance(kept, SnowflakeConnection) and not kept.is_closed():
            kept.close()
    os.environ.clear()
    os.environ.update(before)


def provision(engine: Engine, name: str) -> EnvId:
    env_id = engine.request({"name": name, "owner": "a test"}, run_id=secrets.token_hex(8), fallback_name=name).env_id
    engine.admit(env_id)
    engine.ensure(env_id, set(System))
    engine.verify(env_id)
    engine.ready(env_id)
    return env_id


def destroy(engine: Engine, env_id: EnvId) -> None:
    engine.drain(env_id)
    engine.destroy(env_id, set(System))
    engine.verify_gone(env_id)


def login_of(engine: Engine, stack: RunningStack, env_id: EnvId) -> Login:
    """All that the environment's user and its pipelines are given."""
    names, vault = Names(env_id), engine.vault
    postgres, kafka, snowflake, airflow = (
        vault.find(env_id, system) or {}
        for system in (System.POSTGRES, System.KAFKA, System.SNOWFLAKE, System.ORCHESTRATOR)
    )
    shown = engine.connections(env_id)
    return Login(
        stack=stack,
        postgres_user=postgres["user"],
        postgres_password=postgres["password"],
        kafka_user=kafka["user"],
        kafka_password=kafka["password"],
        snowflake_user=snowflake["user"],
        snowflake_key=snowflake["private_key"],
        snowflake_role=names.snowflake_role,
        warehouse=shown["snowflake"]["warehouse"],
        aws_keys={
            "aws_access_key_id": shown["s3"]["access_key_id"],
            "aws_secret_access_key": shown["s3"]["secret_access_key"],
            "aws_session_token": shown["s3"]["session_token"],
        },
        home_database=names.postgres_source,
        airflow=airflow,
    )


def production_login(stack: RunningStack) -> Login:
    """Who may write production."""
    given = stack.production
    postgres = make_url(given["PRODUCTION_POSTGRES_URL"])
    return Login(
        stack=stack,
        postgres_user=str(postgres.username),
        postgres_password=str(postgres.password),
        kafka_user=given["PRODUCTION_KAFKA_USER"],
        kafka_password=given["PRODUCTION_KAFKA_PASSWORD"],
        snowflake_user=given["PRODUCTION_SNOWFLAKE_USER"],
        snowflake_key=given["PRODUCTION_SNOWFLAKE_PRIVATE_KEY"],
        snowflake_role=given["PRODUCTION_SNOWFLAKE_ROLE"],
        warehouse=given["PRODUCTION_SNOWFLAKE_WAREHOUSE"],
        aws_keys={
            "aws_access_key_id": given["PRODUCTION_AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": given["PRODUCTION_AWS_SECRET_ACCESS_KEY"],
        },
        home_database=str(postgres.database),
    )


def control_login(stack: RunningStack) -> Login:
    """The control plane, but PostgreSQL's superuser and the AWS account's root: who may look at everything."""
    env, made = stack.env, json.loads((stack.home / "secrets.json").read_text())
    root = json.loads((stack.home / "conf" / "aws.json").read_text())["account_root"]
    return Login(
        stack=stack,
        postgres_user="stack_admin",
        postgres_password=made["postgres_stack_admin"],
        kafka_user=env["TESTENV_KAFKA_USER"],
        kafka_password=env["TESTENV_KAFKA_PASSWORD"],
        snowflake_user=env["TESTENV_SNOWFLAKE_USER"],
        snowflake_key=env["TESTENV_SNOWFLAKE_PRIVATE_KEY"],
        snowflake_role=env["TESTENV_SNOWFLAKE_ROLE"],
        warehouse="TE_WH_SANDBOX",
        aws_keys={
            "aws_access_key_id": root["access_key_id"],
            "aws_secret_access_key": root["secret_access_key"],
        },
        home_database="postgres",
    )


@dataclass(frozen=True)
class World:
    """Whose things there are, and who owns them: `own` is A's, `other` B's; and who may look at everything."""

    targets: dict[str, Target]
    owners: dict[str, Login] = field(repr=False)
    control: Login = field(repr=False)
    ids: tuple[EnvId, EnvId]

    @property
    def a(self) -> Login:
        return self.owners[OWN]


@pytest.fixture(scope="package")
def world(engine: Engine, stack: RunningStack) -> Iterator[World]:
    name, control = f"iso{secrets.token_hex(3)}", control_login(stack)
    account = str(control.aws("sts").get_caller_identity()["Account"])
    production = of_production(stack, account)
    with contextlib.ExitStack() as ends:
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(lambda each: provision(engine, each), (name, f"{name}-b"))
        ends.callback(_destroy_all, engine, one, other)
        made = World(
            targets={
                OWN: of_environment(Names(one), stack, account, "TE_WH_SANDBOX"),
                OTHER: of_environment(Names(other), stack, account, "TE_WH_CI"),
                PRODUCTION: production,
            },
            owners={
                OWN: login_of(engine, stack, one),
                OTHER: login_of(engine, stack, other),
                PRODUCTION: production_login(stack),
            },
            control=control,
            ids=(one, other),
        )
        victims = [made.a, made.owners[OTHER]]
        ends.callback(_remove_from_production, made.owners[PRODUCTION], production, control)
        for whose, target in made.targets.items():
            _set_canaries(made.owners[whose], target, victims, control)
        yield made


def _destroy_all(engine: Engine, *env_ids: EnvId) -> None:
    with ThreadPoolExecutor(len(env_ids)) as pool:
        list(pool.map(lambda each: destroy(engine, each), env_ids))


def _set_canaries(owner: Login, target: Target, victims: list[Login], control: Login) -> None:
    with owner.postgres(target.postgres_database) as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS isolation_canary (a int); INSERT INTO isolation_canary VALUES (1)")
    with owner.snowflake(database=target.database, schema="RAW") as cursor:
        cursor.execute("CREATE OR REPLACE TABLE CANARY (A NUMBER)")
        cursor.execute("INSERT INTO CANARY VALUES (1)")
        for table in ("TRUNCATED", "LOADED", *(f"VICTIM_{each.snowflake_user}" for each in victims)):
            cursor.execute(f"CREATE OR REPLACE TABLE {table} (A NUMBER)")
        if target.stage != "LAKE":
            url = f"s3://{target.bucket}/{target.prefix}"
            cursor.execute(f"CREATE OR REPLACE STAGE {target.stage} URL = '{url}' STORAGE_INTEGRATION = TESTENV_S3")
    topics = ["canary", "emptied", *(f"victim.{each.kafka_user}" for each in victims)]
    admin = AdminClient(control.kafka())
    results(admin.create_topics([NewTopic(target.topic_prefix + name, 1) for name in topics]))
    produce(owner, target)
    for group in (target.group, target.topic_prefix + "victims"):
        consumer = Consumer(control.kafka(**{"group.id": group}))
        consumer.commit(offsets=[TopicPartition(target.topic, 0, 1)], asynchronous=False)
        consumer.close()
    s3 = owner.aws("s3")
    for key in (target.key, target.artifacts + "canary", target.prefix + "victim", target.prefix + "overwritten"):
        s3.put_object(Bucket=target.bucket, Key=key, Body=b"1\n")


def _remove_from_production(owner: Login, target: Target, control: Login) -> None:
    with owner.postgres(target.postgres_database) as cursor:
        cursor.execute("DROP TABLE isolation_canary")
    with owner.snowflake(database=target.database, schema="RAW") as cursor:
        cursor.execute("SHOW TABLES IN SCHEMA RAW")
        names = [row[1] for row in cursor.fetchall()]
        for name in names:
            if name in ("CANARY", "TRUNCATED", "LOADED") or name.startswith("VICTIM_TE_"):
                cursor.execute(f"DROP TABLE {name}")
        cursor.execute(f"DROP STAGE {target.stage}")
    admin = AdminClient(control.kafka())
    results(admin.delete_consumer_groups([target.group, target.topic_prefix + "victims"]))
    topics = [name for name in admin.list_topics(timeout=20).topics if name.startswith(target.topic_prefix)]
    results(admin.delete_topics(topics))
    s3 = owner.aws("s3")
    for prefix in (target.prefix, target.artifacts):
        for entry in s3.list_objects_v2(Bucket=target.bucket, Prefix=prefix)["Contents"]:
            s3.delete_object(Bucket=target.bucket, Key=entry["Key"])


def fingerprint(owner: Login, target: Target, control: Login) -> dict[str, Any]:
    """Rows, objects, offsets, groups, rights: all that an attempt could have changed of a target."""
    return {
        "postgres": _postgres(owner, target, control),
        "snowflake": _snowflake(owner, target),
        "kafka": _kafka(target, control),
        **_aws(target, control),
    }


def _postgres(owner: Login, target: Target, control: Login) -> list[Any]:
    found: list[Any] = []
    with owner.postgres(target.postgres_database) as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*), sum(hashtextextended(t::text, 0)) FROM "{table}" t')
            found.append((table, cursor.fetchone()))
    with control.postgres() as cursor:
        cursor.execute(
            "SELECT datname, datacl::text, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database') "
            "FROM pg_database WHERE datname IN (%s, %s) ORDER BY 1",
            [target.postgres_database, target.postgres_airflow],
        )
        found += cursor.fetchall()
        cursor.execute(
            "SELECT rolname, rolpassword, rolsuper, rolcreatedb, rolcreaterole, ARRAY(SELECT roleid::regrole::text "
            "FROM pg_auth_members WHERE member = oid ORDER BY 1) FROM pg_authid WHERE rolname = %s",
            [target.postgres_role],
        )
        found += cursor.fetchall()
    return found


def _snowflake(owner: Login, target: Target) -> list[Any]:
    found: list[Any] = []
    with owner.snowflake(database=target.database) as cursor:
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
            "AND table_schema <> 'INFORMATION_SCHEMA' ORDER BY 1, 2"
        )
        for schema, table in cursor.fetchall():
            cursor.execute(f'SELECT COUNT(*), HASH_AGG(*) FROM "{schema}"."{table}"')
            found.append((schema, table, cursor.fetchone()))
        for shown in (f"GRANTS TO ROLE {target.snowflake_role}", "SCHEMAS", "STAGES IN SCHEMA RAW"):
            cursor.execute(f"SHOW {shown}")
            found.append(sorted(str([v for v in row if not isinstance(v, datetime)]) for row in cursor.fetchall()))
    return found


def _kafka(target: Target, control: Login) -> list[Any]:
    admin = AdminClient(control.kafka())
    topics = [name for name in admin.list_topics(timeout=20).topics if name.startswith(target.topic_prefix)]
    consumer = Consumer(control.kafka(**{"group.id": "isolation"}))
    ends = {}
    for name in sorted(topics):
        partitions = admin.list_topics(name, timeout=20).topics[name].partitions
        ends[name] = [consumer.get_watermark_offsets(TopicPartition(name, number), 10) for number in partitions]
    consumer.close()
    groups = [group.group_id for group in admin.list_consumer_groups().result(20).valid]
    mine = sorted(group for group in groups if group.startswith(target.topic_prefix))
    asked = [ConsumerGroupTopicPartitions(group) for group in mine]
    committed = [
        [
            (p.topic, p.partition, p.offset)
            for p in results(admin.list_consumer_group_offsets([each]))[0].topic_partitions
        ]
        for each in asked
    ]
    return [*ends.items(), *zip(mine, committed, strict=True)]


def _aws(target: Target, control: Login) -> dict[str, Any]:
    s3, iam, ssm = control.aws("s3"), control.aws("iam"), control.aws("ssm")
    objects = []
    for prefix in (target.prefix.split("lake/")[0] or target.prefix, target.artifacts):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=target.bucket, Prefix=prefix)
        objects += [(e["Key"], e["ETag"]) for page in pages for e in page.get("Versions", [])]
    role = target.iam_role.rsplit("/", 1)[1]
    policies = iam.list_role_policies(RoleName=role)["PolicyNames"]
    pages = ssm.get_paginator("describe_parameters").paginate(
        ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": [target.parameters]}]
    )
    return {
        "s3": sorted(objects),
        "iam": [
            iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"],
            *(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in policies),
        ],
        "ssm": sorted((entry["Name"], entry["Version"]) for page in pages for entry in page["Parameters"]),
    }


@contextlib.contextmanager
def untouched(world: World, *whose: str) -> Iterator[None]:
    """Fails if what is done within changed anything of whose things they are."""
    before = {each: fingerprint(world.owners[each], world.targets[each], world.control) for each in whose}
    yield
    for each, was in before.items():
        now = fingerprint(world.owners[each], world.targets[each], world.control)
        changed = [(part, _only(was[part], now[part]), _only(now[part], was[part])) for part in was]
        assert [change for change in changed if change[1:] != ([], [])] == [], f"{each}: part, was, is now"


def _only(one: list[Any], other: list[Any]) -> list[Any]:
    return [entry for entry in one if entry not in other]
