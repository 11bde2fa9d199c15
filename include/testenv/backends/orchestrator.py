"""The environment's own Airflow: its code, connections, variables and settings, and the ECS tasks it runs as.

Its metadata database is one of the Postgres backend's. Nothing here is Airflow: its connections and variables are
parameters that Airflow's secrets backend reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from testenv.backends.aws import client, translate
from testenv.backends.guards import require_derived
from testenv.backends.keys import pem
from testenv.backends.protocol import Credentials, Site, Source, TaskStatus, Vault
from testenv.backends.spark import environments_in
from testenv.backends.waiting import wait_until
from testenv.config import Config
from testenv.core.naming import EnvId, Names, owner_of
from testenv.core.resources import Resource, System

CONTAINER = "orchestrator"
WEB_PORT = 8080
STOP_SECONDS = 60


_DERIVED = {
    "code": lambda names, name: name == names.prefix + "code/code.tar.gz",
    "connections": lambda names, name: name == names.parameter("connections"),
    "settings": lambda names, name: name == names.parameter("orchestrator"),
    "task": lambda names, name: name.startswith(f"te-{names.env_id}/"),
}


class OrchestratorBackend:
    """Kinds: `code`, `connections` (with variables), `settings`, and `task` (running; never desired)."""

    system = System.ORCHESTRATOR

    def __init__(self, config: Config, vault: Vault, source: Source) -> None:
        self._config = config
        self._vault = vault
        self._source = source

    # ---------------------------------------------------------------- the backend's verbs

    @translate
    def ensure(self, resource: Resource, site: Site) -> None:
        require_derived(resource, _DERIVED)
        match resource.kind:
            case "code":
                body = self._source.archive(site.spec.ref)
                client("s3", self._config).put_object(Bucket=self._config.bucket, Key=resource.name, Body=body)
            case "connections":
                for name, value in {**self._connections(site), **self._variables(site)}.items():
                    self._put(name, value)
            case "settings":
                self._put(resource.name, json.dumps(self._settings(site)))

    @translate
    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        found = [*self._code(env_id), *self._parameters(env_id)]
        found += [Resource(self.system, "task", name) for name in self._tasks(env_id)]
        return frozenset(found)

    @translate
    def destroy(self, resource: Resource) -> None:
        names = require_derived(resource, _DERIVED)
        match resource.kind:
            case "code":
                client("s3", self._config).delete_object(Bucket=self._config.bucket, Key=resource.name)
            case "connections":
                self._delete([*self._below(names.parameter("connections")), *self._below(names.parameter("variables"))])
            case "settings":
                self._delete([resource.name])
            case "task":
                self.stop(resource.name.rsplit("/", 1)[-1])

    @translate
    def probe(self, site: Site) -> Mapping[str, int]:
        return {name: len(self._below(name)) for name in [site.names.parameter("connections")]}

    # ---------------------------------------------------------------- tasks

    @translate
    def start(self, env_id: EnvId, command: tuple[str, ...]) -> str:
        """Start a task of the environment's orchestrator; returns the task's id.

        `command` is what `testenv_airflow.orchestrator` takes: `run DAG_ID LOGICAL_DATE` or `serve`.
        """
        names, ecs = Names(env_id), self._config.ecs
        account = client("sts", self._config).get_caller_identity()["Account"]
        environment = {"TESTENV_ENV_ID": str(env_id), "TESTENV_BUCKET": self._config.bucket}
        response = client("ecs", self._config).run_task(
            cluster=ecs.cluster,
            taskDefinition=ecs.task_definition,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": list(ecs.subnets), "assignPublicIp": "DISABLED"}},
            startedBy=names.tag,
            tags=[{"key": "testenv:env", "value": names.tag}],
            overrides={
                "taskRoleArn": f"arn:aws:iam::{account}:role/{names.iam_role}",
                "containerOverrides": [
                    {
                        "name": CONTAINER,
                        "command": list(command),
                        "environment": [{"name": k, "value": v} for k, v in environment.items()],
                    }
                ],
            },
        )
        return str(response["tasks"][0]["taskArn"]).rsplit("/", 1)[-1]

    @translate
    def status(self, task_id: str) -> TaskStatus | None:
        """How a task stands; `None` when ECS has forgotten it."""
        found = client("ecs", self._config).describe_tasks(cluster=self._config.ecs.cluster, tasks=[task_id])["tasks"]
        return _task_status(found[0]) if found else None

    @translate
    def tasks(self, env_id: EnvId) -> dict[str, TaskStatus]:
        """Every task of the environment that has not stopped, by id."""
        found = self._described(env_id)
        return {task["taskArn"].rsplit("/", 1)[-1]: _task_status(task) for task in found}

    def _described(self, env_id: EnvId | None) -> list[dict[str, Any]]:
        ecs, cluster = client("ecs", self._config), self._config.ecs.cluster
        started_by = {"startedBy": str(env_id)} if env_id else {}
        pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus="RUNNING", **started_by)
        arns = [arn for page in pages for arn in page["taskArns"]]
        described = [
            task
            for start in range(0, len(arns), 100)  # describe_tasks takes 100 at once
            for task in ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + 100])["tasks"]
        ]
        return [task for task in described if task["lastStatus"] != "STOPPED"]

    def _tasks(self, env_id: EnvId | None) -> list[str]:
        named = [
            f"te-{task.get('startedBy', '')}/{task['taskArn'].rsplit('/', 1)[-1]}" for task in self._described(env_id)
        ]
        return [name for name in named if owner_of(name)]

    @translate
    def stop(self, task_id: str) -> None:
        """Stop a task and wait until it has stopped; harmless when it has."""
        ecs, cluster = client("ecs", self._config), self._config.ecs.cluster
        if not ecs.describe_tasks(cluster=cluster, tasks=[task_id])["tasks"]:
            return
        ecs.stop_task(cluster=cluster, task=task_id, reason="testenv: the environment is destroyed")

        def stopped() -> bool:
            found = ecs.describe_tasks(cluster=cluster, tasks=[task_id])["tasks"]
            return not found or found[0]["lastStatus"] == "STOPPED"

        wait_until(stopped, f"the task {task_id} has stopped", seconds=STOP_SECONDS)

    @translate
    def artifact(self, env_id: EnvId, path: str) -> str | None:
        """Text of an artifact of the environment, or `None` if there is none."""
        s3 = client("s3", self._config)
        try:
            found = s3.get_object(Bucket=self._config.bucket, Key=Names(env_id).artifacts + path)
        except s3.exceptions.NoSuchKey:
            return None
        return str(found["Body"].read().decode())

    # ---------------------------------------------------------------- what the environment's Airflow is told

    def _connections(self, site: Site) -> dict[str, str]:
        names = site.names
        connections = {
            "finsight_postgres": postgres_connection(self._config, names, self._login(site, System.POSTGRES)),
            "snowflake_default": snowflake_connection(self._config, site, self._login(site, System.SNOWFLAKE)),
            "aws_default": aws_connection(self._config),
            "finsight_kafka": kafka_connection(self._config, self._login(site, System.KAFKA)),
        }
        return {names.parameter("connections", name): json.dumps(value) for name, value in connections.items()}

    def _variables(self, site: Site) -> dict[str, str]:
        names, root = site.names, f"s3://{self._config.bucket}/"
        account = client("sts", self._config).get_caller_identity()["Account"]
        variables = {
            **{f"{part}_url": f"{root}{names.prefix}{part}/" for part in ("landing", "lake", "checkpoints")},
            "artifacts_url": root + names.artifacts,
            "spark_code_url": f"{root}{names.prefix}code/spark/",
            "topic_prefix": names.topic_prefix,
            "group_prefix": names.topic_prefix,
            "kafka_secret_name": names.parameter("connections", "finsight_kafka"),
            "emr_application_id": self._config.emr_applications[site.spec.kind],
            "emr_execution_role_arn": f"arn:aws:iam::{account}:role/{names.iam_role}",
            "dbt_executable": self._config.dbt,
        }
        return {names.parameter("variables", name): value for name, value in variables.items()}

    def _settings(self, site: Site) -> dict[str, str]:
        web, database = self._login(site, System.ORCHESTRATOR), self._login(site, System.POSTGRES)
        server = self._config.postgres
        url = (
            f"postgresql+psycopg2://{quote(database['user'])}:{quote(database['password'])}@{server.host}:{server.port}/"
            f"{site.names.postgres_airflow}"
        )
        return {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__CORE__FERNET_KEY": web["fernet_key"],
            "AIRFLOW__WEBSERVER__SECRET_KEY": web["secret_key"],
            "AIRFLOW__WEBSERVER__INSTANCE_NAME": f"{site.spec.env_id} (test environment)",
            "TESTENV_WEB_USER": web["user"],
            "TESTENV_WEB_PASSWORD": web["password"],
        }

    def _login(self, site: Site, system: System) -> Credentials:
        return self._vault.credentials(site.spec.env_id, system)

    # ---------------------------------------------------------------- inventories

    def _code(self, env_id: EnvId | None) -> list[Resource]:
        s3, bucket = client("s3", self._config), self._config.bucket
        keys = [Names(e).prefix + "code/code.tar.gz" for e in ([env_id] if env_id else environments_in(s3, bucket))]
        there = [k for k in keys if s3.list_objects_v2(Bucket=bucket, Prefix=k, MaxKeys=1)["KeyCount"]]
        return [Resource(self.system, "code", key) for key in there]

    def _parameters(self, env_id: EnvId | None) -> set[Resource]:
        found = set()
        for name in self._below(Names(env_id).parameters if env_id else "/testenv/"):
            if owner := owner_of(name):
                names, part = Names(owner), name.split("/")[3]
                if part in ("connections", "variables"):
                    found.add(Resource(self.system, "connections", names.parameter("connections")))
                elif part == "orchestrator":
                    found.add(Resource(self.system, "settings", name))
        return found

    def _below(self, path: str) -> list[str]:
        pages = (
            client("ssm", self._config)
            .get_paginator("describe_parameters")
            .paginate(ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": [path]}])
        )
        return [entry["Name"] for page in pages for entry in page["Parameters"]]

    def _put(self, name: str, value: str) -> None:
        ssm = client("ssm", self._config)
        ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def _delete(self, names: list[str]) -> None:
        for start in range(0, len(names), 10):  # delete_parameters takes 10 at once
            client("ssm", self._config).delete_parameters(Names=names[start : start + 10])


def postgres_connection(config: Config, names: Names, login: Credentials) -> dict[str, Any]:
    """Airflow connection to the environment's source database."""
    return {
        "conn_type": "postgres",
        "host": config.postgres.host,
        "port": config.postgres.port,
        "login": login["user"],
        "password": login["password"],
        "schema": names.postgres_source,
    }


def snowflake_connection(config: Config, site: Site, login: Credentials) -> dict[str, Any]:
    """Airflow connection to the environment's Snowflake database, by key pair."""
    snowflake = config.snowflake
    extra = {
        "account": snowflake.account,
        "database": site.names.snowflake_database,
        "warehouse": site.spec.warehouse,
        "role": site.names.snowflake_role,
        "private_key_content": pem(login["private_key"]),
    }
    if snowflake.host:
        extra |= {"host": snowflake.host, "port": snowflake.port}
    return {"conn_type": "snowflake", "login": login["user"], "schema": "RAW", "extra": extra}


def aws_connection(config: Config) -> dict[str, Any]:
    """Airflow connection to AWS: no credentials, since the task runs as the environment's role."""
    endpoint = {"endpoint_url": config.endpoint_url} if config.endpoint_url else {}
    return {"conn_type": "aws", "extra": {"region_name": config.region, **endpoint}}


def kafka_connection(config: Config, login: Credentials) -> dict[str, Any]:
    """Airflow connection to Kafka; its extra is a librdkafka configuration."""
    return {"conn_type": "kafka", "extra": config.kafka.client(login["user"], login["password"])}


def _task_status(task: Mapping[str, Any]) -> TaskStatus:
    container = task["containers"][0] if task.get("containers") else {}
    overrides = task.get("overrides", {}).get("containerOverrides", [{}])
    exit_code = container.get("exitCode")
    match task["lastStatus"]:
        case "STOPPED":
            state = "succeeded" if exit_code == 0 else "failed"
        case "RUNNING":
            state = "running"
        case _:
            state = "pending"
    return TaskStatus(
        state=state,
        command=tuple(overrides[0].get("command", ())),
        exit_code=exit_code,
        reason=str(container.get("reason") or task.get("stoppedReason") or ""),
        address=_address(task, container),
    )


def _address(task: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    """Host and port of the task's web server: a host port where there is one, else its own network interface's."""
    for binding in container.get("networkBindings", []):
        return f"{binding.get('bindIP') or '127.0.0.1'}:{binding['hostPort']}"
    for attachment in task.get("attachments", []):
        for detail in attachment.get("details", []):
            if detail["name"] == "privateIPv4Address":
                return f"{detail['value']}:{WEB_PORT}"
    return ""
