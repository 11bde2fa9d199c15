"""ECS whose Fargate tasks are processes: what `run_task` is given, the runner starts.

moto keeps tasks in its books only: each is RUNNING, then STOPPED the first time someone looks. Here a task's state is
the process's. A task's address is 127.0.0.1 and the port in `containers[0].networkBindings[0].hostPort` (on Fargate a
task has an address of its own, in `containers[0].networkInterfaces`, and no bindings).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import JsonRESTError
from moto.core.utils import utcnow
from moto.ecs import urls
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Task, TaskDefinition, ecs_backends
from moto.moto_api import state_manager

from local.aws import roles
from local.aws.changes import Thing
from local.aws.kept import register
from local.aws.runner_client import RunnerClient, RunnerError, Status
from local.aws.sessions import Keep
from local.aws.settings import Settings

_SERVICE = "ecs-tasks.amazonaws.com"
_CONTAINER_PORT = 8080
_STOP_GRACE = 15.0  # seconds; ECS gives 30
_SESSION = 30 * 24 * 3600  # seconds; on Fargate the credentials are renewed, here they outlive the task


class ClientException(JsonRESTError):
    """The request asks for what cannot be."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("ClientException", message)


class ServerException(JsonRESTError):
    """The runner is not there."""

    code = 500

    def __init__(self, message: str) -> None:
        super().__init__("ServerException", message)


class RunningBackend(EC2ContainerServiceBackend):
    """moto's backend, with tasks that run."""

    runner: RunnerClient  # set by install()
    endpoint: str
    keep: Keep

    @property
    def _url_module(self) -> Any:
        return urls

    def run_task(
        self,
        cluster_str: str,
        task_definition_str: str,
        count: int,
        overrides: dict[str, Any] | None,
        started_by: str,
        tags: list[dict[str, str]] | None,
        launch_type: str | None,
        networking_configuration: dict[str, Any] | None = None,
        *arguments: Any,
        **options: Any,
    ) -> list[Task]:
        definition = self.describe_task_definition(task_definition_str)
        if networking_configuration:  # security groups are optional on AWS; moto reads them without asking
            vpc = {"securityGroups": [], **networking_configuration.get("awsvpcConfiguration", {})}
            networking_configuration = {**networking_configuration, "awsvpcConfiguration": vpc}
        role = self._role(definition, overrides or {})
        _container_override(definition, overrides or {})
        tasks = super().run_task(
            cluster_str,
            task_definition_str,
            count,
            overrides,
            started_by,
            tags,
            launch_type,
            networking_configuration,
            *arguments,
            **options,
        )
        for task in tasks:
            self._start(task, definition, role)
        return tasks

    def describe_tasks(self, cluster_str: str, tasks: list[str]) -> list[Task]:
        found = super().describe_tasks(cluster_str, tasks)
        self._refresh(found)
        return found

    def list_tasks(self, *arguments: Any, **options: Any) -> list[Task]:
        """Without a desired status, running tasks only, as ECS does (moto lists stopped ones too)."""
        self._refresh([task for tasks in self.tasks.values() for task in tasks.values()])
        found = super().list_tasks(*arguments, **options)
        wanted = options.get("desiredStatus") or (arguments[5] if len(arguments) > 5 else None) or "RUNNING"
        return [task for task in found if task.desired_status == wanted]

    def stop_task(self, cluster_str: str, task_str: str, reason: str) -> Task:
        cluster = self._get_cluster(cluster_str)
        task = next((t for t in self.tasks.get(cluster.name, {}).values() if t.id == task_str.split("/")[-1]), None)
        if task is None:
            raise InvalidParameterException(f"The referenced task was not found: {task_str}")
        self._refresh([task])
        if task.last_status != "STOPPED":
            task.desired_status = "STOPPED"
            task.stop_code = "UserInitiated"  # type: ignore[attr-defined]
            task.stopped_reason = reason or "Task stopped by user"
            task.stopping_at = utcnow()  # type: ignore[attr-defined]
            self.keep([Thing("task", task.id)])
            self._ask(lambda: self.runner.stop(task.id, _STOP_GRACE))
        return task

    def _role(self, definition: TaskDefinition, overrides: dict[str, Any]) -> str | None:
        role = overrides.get("taskRoleArn") or getattr(definition, "task_role_arn", None)
        if role:
            try:
                roles.check(role, _SERVICE)
            except roles.RoleRefusedError as error:
                raise ClientException(f"ECS was unable to assume the role: {error}") from error
        return role

    def _start(self, task: Task, definition: TaskDefinition, role: str | None) -> None:
        container, override = definition.container_definitions[0], _container_override(definition, task.overrides)
        given = [*container.get("environment", []), *override.get("environment", [])]
        environment = {entry["name"]: entry["value"] for entry in given}
        if role:
            name = f"ecs-{task.id}"
            session = roles.assume(
                role, _SERVICE, name, seconds=_SESSION, region=self.region_name, endpoint=self.endpoint
            )
            environment.update(session.environment())
        command = override.get("command") or container.get("command") or []
        task.last_status, task.desired_status = "PROVISIONING", "RUNNING"
        task.created_at = utcnow()  # type: ignore[attr-defined]
        task.containers[0].name = container["name"]  # type: ignore[attr-defined]
        task.containers[0].exitCode = None  # type: ignore[assignment]
        self.keep([Thing("task", task.id)])  # before it runs: a task that is not in the books is ended
        self._ask(lambda: self.runner.start(task.id, command, environment))

    def _refresh(self, tasks: list[Task]) -> None:
        open_tasks = [task for task in tasks if task.last_status != "STOPPED"]
        if not open_tasks:
            return
        known: dict[str, Status] = self._ask(lambda: self.runner.describe([task.id for task in open_tasks]))
        lost = Status("STOPPED", stopped=time.time(), error="The task runner was restarted.", exit_code=137)
        for task in open_tasks:
            before = task.last_status
            _update(task, known.get(task.id, lost))
            if task.last_status != before:
                self.keep([Thing("task", task.id)])

    @staticmethod
    def _ask(question: Any) -> Any:
        try:
            return question()
        except RunnerError as error:
            raise ServerException(str(error)) from error


def _container_override(definition: TaskDefinition, overrides: dict[str, Any]) -> dict[str, Any]:
    """The override of the definition's one container."""
    name = definition.container_definitions[0]["name"]
    chosen: dict[str, Any] = {}
    for override in overrides.get("containerOverrides", []):
        if override.get("name") != name:
            raise ClientException(
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition, "
                f"whose container is {name}."
            )
        chosen = override
    return chosen


def _update(task: Any, status: Status) -> None:
    """Write what the runner says into moto's task, in the API's words."""
    container = task.containers[0]
    task.last_status = container.last_status = status.state
    task.started_at, task.stopped_at = _time(status.started), _time(status.stopped)
    container.network_interfaces = [{"privateIpv4Address": "127.0.0.1"}]
    if status.port is not None:
        binding = {"bindIP": "127.0.0.1", "containerPort": _CONTAINER_PORT, "hostPort": status.port, "protocol": "tcp"}
        container.network_bindings = [binding]
    if status.state != "STOPPED":
        return
    task.desired_status = "STOPPED"
    container.exitCode = status.exit_code
    if getattr(task, "stop_code", None) is None:
        task.stop_code = "TaskFailedToStart" if status.started is None else "EssentialContainerExited"
        task.stopped_reason = status.error or "Essential container in task exited"
    container.reason = status.error or None


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def install(socket: Path, endpoint: str, keep: Keep) -> None:
    """Make moto use this backend."""
    RunningBackend.runner, RunningBackend.endpoint = RunnerClient(socket), endpoint
    RunningBackend.keep = staticmethod(keep)
    ecs_backends.backend = RunningBackend
    register(RunningBackend, "ecs")
    # moto's own timetable of a task's life must not move it.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 2**62})


def resume(settings: Settings) -> None:
    """Take up the tasks of an earlier server: those in the books go on, any other is ended by the runner."""
    backend: Any = ecs_backends[DEFAULT_ACCOUNT_ID][settings.region]
    known = [task.id for tasks in backend.tasks.values() for task in tasks.values() if task.last_status != "STOPPED"]
    RunningBackend.runner.stop_others(known)
