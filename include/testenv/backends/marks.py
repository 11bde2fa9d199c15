"""What the systems' own comments and tags say of resources, as proof of whose they are.

Snowflake's and Postgres' objects carry a comment (JSON with `env`), IAM roles and ECS tasks the tag `testenv:env`. S3
keys, parameters, Kafka's topics, users and rights, and EMR jobs (which are found by their role) are told by name alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from testenv.backends.aws import client, translate
from testenv.backends.errors import postgres_errors, snowflake_errors
from testenv.backends.postgres_server import Server, query
from testenv.backends.snowflake import Account, run
from testenv.config import Config
from testenv.core.resources import Resource, System

TAG = "testenv:env"


class SystemMarks:
    """Reads marks. Asks a system only where there is a resource of it to ask for."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._account = Account(config)
        self._server = Server(config)

    def of(self, resources: Collection[Resource]) -> Mapping[Resource, str]:
        """The environment that the mark of each resource names, empty without one; those without room are left out."""
        readers: dict[tuple[System, str], Callable[[str, list[str]], dict[str, str]]] = {
            (System.SNOWFLAKE, "database"): self._snowflake,
            (System.SNOWFLAKE, "role"): self._snowflake,
            (System.SNOWFLAKE, "user"): self._snowflake,
            (System.POSTGRES, "database"): self._postgres,
            (System.POSTGRES, "role"): self._postgres,
            (System.S3, "role"): self._roles,
            (System.ORCHESTRATOR, "task"): self._tasks,
        }
        found: dict[Resource, str] = {}
        for (system, kind), read in readers.items():
            asked = [resource for resource in resources if (resource.system, resource.kind) == (system, kind)]
            if asked:
                said = read(kind, [resource.name for resource in asked])
                found |= {resource: said.get(resource.name, "") for resource in asked}
        return found

    @snowflake_errors()
    def _snowflake(self, kind: str, names: list[str]) -> dict[str, str]:
        with self._account.control() as connection:
            rows = run(connection, f"SHOW {kind.upper()}S LIKE 'TE\\\\_%'")
        return {row["name"]: _env_of(row["comment"]) for row in rows if row["name"] in names}

    @postgres_errors()
    def _postgres(self, kind: str, names: list[str]) -> dict[str, str]:
        table, column, catalog = {
            "database": ("pg_database", "datname", "pg_database"),
            "role": ("pg_roles", "rolname", "pg_authid"),
        }[kind]
        statement = f"SELECT {column}, shobj_description(oid, '{catalog}') FROM {table} WHERE {column} = ANY(%s)"
        with self._server.control() as connection:
            return {name: _env_of(comment) for name, comment in query(connection, statement, names)}

    @translate
    def _roles(self, _kind: str, names: list[str]) -> dict[str, str]:
        iam, found = client("iam", self._config), {}
        for name in names:
            try:
                found[name] = _tagged(iam.list_role_tags(RoleName=name)["Tags"], "Key", "Value")
            except iam.exceptions.NoSuchEntityException:
                continue
        return found

    @translate
    def _tasks(self, _kind: str, names: list[str]) -> dict[str, str]:
        ecs, found = client("ecs", self._config), {}
        ids = {name.rsplit("/", 1)[-1]: name for name in names}
        for start in range(0, len(names), 100):  # describe_tasks takes 100 at once
            batch = list(ids)[start : start + 100]
            answer = ecs.describe_tasks(cluster=self._config.ecs.cluster, tasks=batch, include=["TAGS"])
            for task in answer["tasks"]:
                name = ids[task["taskArn"].rsplit("/", 1)[-1]]
                found[name] = _tagged(task.get("tags", []), "key", "value")
        return found


def _tagged(tags: list[dict[str, str]], key: str, value: str) -> str:
    return next((tag[value] for tag in tags if tag[key] == TAG), "")


def _env_of(comment: str | None) -> str:
    """The environment that a comment of ours names; of any other comment its beginning, which names none."""
    try:
        mark: Any = json.loads(comment or "{}")
    except json.JSONDecodeError:
        return str(comment)[:60]
    return str(mark.get("env", "")) if isinstance(mark, dict) else str(comment)[:60]
