"""What the systems themselves say exists of test environments, asked without the engine that made it.

The proof that nothing leaks must not come from the code that cleans up. Runs in `.venv/airflow`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

Environ = Mapping[str, str]

ENVIRONMENT_KINDS = ("ci", "sbx", "int")


def inventory(environ: Environ, env_id: str = "") -> dict[str, list[str]]:
    """System → sorted names of what it has of `env_id`, or of any environment; ENVIRON is `stack.env`."""
    ids = [env_id] if env_id else [f"{kind}-" for kind in ENVIRONMENT_KINDS]
    return {
        "snowflake": _snowflake(environ, ids),
        "postgres": _postgres(environ, ids),
        "kafka": _kafka(environ, ids),
        **_aws(environ, ids),
    }


def _snowflake(environ: Environ, ids: list[str]) -> list[str]:
    with snowflake(environ) as connection:
        found = [
            f"{kind} {name}"
            for kind in ("DATABASES", "ROLES", "USERS")
            for name in _column(connection.cursor().execute(f"SHOW {kind}"), "name")
        ]
    starts = tuple(f"TE_{snake(i).upper()}" for i in ids)
    return sorted(entry for entry in found if entry.split(" ", 1)[1].startswith(starts))


def _postgres(environ: Environ, ids: list[str]) -> list[str]:
    import psycopg2

    connection = psycopg2.connect(
        host=environ["TESTENV_POSTGRES_HOST"],
        port=environ["TESTENV_POSTGRES_PORT"],
        user=environ["TESTENV_POSTGRES_USER"],
        password=environ["TESTENV_POSTGRES_PASSWORD"],
        dbname=environ["TESTENV_LEDGER_URL"].rsplit("/", 1)[1],  # it may connect to no other
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 'database ' || datname FROM pg_database UNION SELECT 'role ' || rolname FROM pg_roles")
        found = [row[0] for row in cursor.fetchall()]
    connection.close()
    starts = tuple(f"te_{snake(i)}" for i in ids)
    return sorted(entry for entry in found if entry.split(" ", 1)[1].startswith(starts))


def _kafka(environ: Environ, ids: list[str]) -> list[str]:
    from confluent_kafka.admin import (
        AclBindingFilter,
        AclOperation,
        AclPermissionType,
        AdminClient,
        ResourcePatternType,
        ResourceType,
    )

    admin = AdminClient(
        {
            "bootstrap.servers": environ["TESTENV_KAFKA_BOOTSTRAP"],
            "security.protocol": environ["TESTENV_KAFKA_SECURITY_PROTOCOL"],
            "sasl.mechanism": environ["TESTENV_KAFKA_SASL_MECHANISM"],
            "sasl.username": environ["TESTENV_KAFKA_USER"],
            "sasl.password": environ["TESTENV_KAFKA_PASSWORD"],
        }
    )
    every = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    topics = [f"topic {name}" for name in admin.list_topics(timeout=20).topics]
    groups = [f"group {group.group_id}" for group in admin.list_consumer_groups().result(20).valid]
    users = [f"user {name}" for name in admin.describe_user_scram_credentials().result(20)]
    acls = [f"acl {acl.principal}" for acl in admin.describe_acls(every).result(20)]
    found = {*topics, *groups, *users, *acls}
    marks = [mark for i in ids for mark in (f" te.{i}", f" te-{i}", f" User:te-{i}")]
    return sorted(entry for entry in found if any(mark in entry for mark in marks))


def _aws(environ: Environ, ids: list[str]) -> dict[str, list[str]]:
    import boto3

    session = boto3.Session(
        environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], region_name=environ["AWS_REGION"]
    )

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=environ.get("AWS_ENDPOINT_URL") or None)

    objects = client("s3").get_paginator("list_objects_v2").paginate(Bucket=environ["TESTENV_BUCKET"], Prefix="env/")
    keys = [entry["Key"] for page in objects for entry in page.get("Contents", [])]
    roles = [r["RoleName"] for page in client("iam").get_paginator("list_roles").paginate() for r in page["Roles"]]
    parameters = client("ssm").get_paginator("describe_parameters").paginate()
    names = [entry["Name"] for page in parameters for entry in page["Parameters"]]
    return {
        "s3": sorted(key for key in keys if key.startswith(tuple(f"env/{i}" for i in ids))),
        "iam": sorted(role for role in roles if role.startswith(tuple(f"te-{i}" for i in ids))),
        "ssm": sorted(name for name in names if name.startswith(tuple(f"/testenv/{i}" for i in ids))),
        "ecs": _ecs_tasks(client("ecs"), environ["TESTENV_ECS_CLUSTER"], ids),
        "emr": _emr_jobs(client("emr-serverless"), environ, ids),
    }


def _ecs_tasks(ecs: Any, cluster: str, ids: list[str]) -> list[str]:
    arns = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    running = [task["startedBy"] for task in tasks if task["lastStatus"] != "STOPPED"]
    return sorted(owner for owner in running if owner.startswith(tuple(ids)))


def _emr_jobs(emr: Any, environ: Environ, ids: list[str]) -> list[str]:
    kinds = ("CI", "SANDBOX", "INTEGRATION")
    states = ["SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING"]
    runs = [
        run
        for kind in kinds
        for run in emr.list_job_runs(applicationId=environ[f"TESTENV_EMR_APPLICATION_{kind}"], states=states)["jobRuns"]
    ]
    roles = [run["executionRole"].rsplit("/", 1)[-1] for run in runs]
    return sorted(role for role in roles if role.startswith(tuple(f"te-{i}" for i in ids)))


def snowflake(environ: Environ) -> Any:
    """A connection of the control plane."""
    import snowflake.connector

    address = {"host": environ["TESTENV_SNOWFLAKE_HOST"], "port": int(environ["TESTENV_SNOWFLAKE_PORT"])}
    return snowflake.connector.connect(
        account=environ["TESTENV_SNOWFLAKE_ACCOUNT"],
        user=environ["TESTENV_SNOWFLAKE_USER"],
        private_key=base64.b64decode(environ["TESTENV_SNOWFLAKE_PRIVATE_KEY"]),
        role=environ["TESTENV_SNOWFLAKE_ROLE"],
        login_timeout=20,
        network_timeout=60,
        **(address if environ["TESTENV_SNOWFLAKE_HOST"] else {}),
    )


def _column(cursor: Any, name: str) -> list[str]:
    position = [column[0].lower() for column in cursor.description].index(name)
    return [row[position] for row in cursor.fetchall()]


def snake(env_id: str) -> str:
    """An id as it stands in names without hyphens."""
    return env_id.replace("-", "_")
