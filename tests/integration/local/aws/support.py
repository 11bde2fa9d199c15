"""An AWS account to test: the stand-in, its runner and PostgreSQL as the stack starts them; environments' roles."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.conftest import RunningStack, local, new_home, read_env

from local.aws.runner_client import RunnerClient, RunnerError

T = TypeVar("T")

_DENIED = {"AccessDenied", "AccessDeniedException", "403"}
_running: list[RunningStack] = []
_users = 0


@dataclass(frozen=True)
class Credentials:
    """A key pair, with a token if it is of a session."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass(frozen=True)
class Account:
    """The account behind a stack; clients sign as the control plane unless told otherwise."""

    stack: RunningStack
    document: dict[str, Any]

    @property
    def bucket(self) -> str:
        return str(self.document["bucket"])

    @property
    def application(self) -> str:
        return str(self.document["applications"]["ci"])

    def user(self, name: str) -> Credentials:
        return Credentials(**self.document["users"][name])

    def root(self) -> Credentials:
        """The root user, which may do everything."""
        return Credentials(**json.loads((self.stack.home / "conf" / "aws.json").read_text())["account_root"])

    def kill(self) -> None:
        """SIGKILL to the stand-in, and wait until the next one is ready."""
        self._replace("local.aws", self._is_ready)

    def kill_runner(self) -> None:
        """SIGKILL to the runner of ECS tasks, and wait until the next one answers."""
        self._replace("local.aws.runner", self._does_run)

    def _replace(self, module: str, is_ready: Callable[[], bool]) -> None:
        killed = self._process(module)
        assert killed
        killed.kill()
        killed.wait(10)
        until(lambda: True if self._process(module) not in (None, killed) and is_ready() else None, 60)

    def _process(self, module: str) -> psutil.Process | None:
        """The oldest process of this stack that runs `module`: those it forked have its command line too."""
        found = []
        for process in psutil.process_iter(["cmdline", "create_time"]):
            command = process.info["cmdline"] or []
            if module in command and any(word.startswith(str(self.stack.home)) for word in command):
                found.append(process)
        return min(found, key=lambda process: float(process.info["create_time"]), default=None)

    def _does_run(self) -> bool:
        try:
            RunnerClient(self.stack.home / "run" / "runner.sock").ping()
        except RunnerError:
            return False
        return True

    def _is_ready(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.stack.env['AWS_ENDPOINT_URL']}/moto-api/", timeout=5).close()
        except OSError:
            return False
        return True

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        chosen = credentials or self.user("testenv-control")
        return boto3.client(
            service,
            endpoint_url=self.stack.env["AWS_ENDPOINT_URL"],
            region_name=self.document["region"],
            aws_access_key_id=chosen.access_key_id,
            aws_secret_access_key=chosen.secret_access_key,
            aws_session_token=chosen.session_token,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def role_arn(self, env_id: str) -> str:
        return f"arn:aws:iam::{self.document['account']}:role/te-{env_id}"

    def make_role(self, env_id: str) -> str:
        """The role of an environment: its own prefixes, parameters and jobs; returns its ARN."""
        arn, iam = self.role_arn(env_id), self.client("iam")
        services = ["ecs-tasks.amazonaws.com", "emr-serverless.amazonaws.com"]
        principals = {"AWS": f"arn:aws:iam::{self.document['account']}:user/testenv-control", "Service": services}
        trust = [{"Effect": "Allow", "Principal": principals, "Action": "sts:AssumeRole"}]
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=f"te-{env_id}", AssumeRolePolicyDocument=policy_document(*trust))
        policy = policy_document(*self._statements(env_id))
        iam.put_role_policy(RoleName=f"te-{env_id}", PolicyName="access", PolicyDocument=policy)
        return arn

    def _statements(self, env_id: str) -> list[dict[str, Any]]:
        region, account = self.document["region"], self.document["account"]
        own = [f"env/{env_id}/*", f"artifacts/{env_id}/*"]
        parameters = f"arn:aws:ssm:{region}:{account}:parameter/testenv/{env_id}/*"
        jobs = f"arn:aws:emr-serverless:{region}:{account}:/applications/{self.application}*"
        bucket = f"arn:aws:s3:::{self.bucket}"
        objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        allowed: list[tuple[list[str], list[str]]] = [
            (objects, [f"{bucket}/{prefix}" for prefix in own]),
            (["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"], [parameters]),
            (["emr-serverless:*"], [jobs]),
            (["iam:PassRole"], [self.role_arn(env_id)]),
        ]
        listing = {"Action": "s3:ListBucket", "Resource": bucket, "Condition": {"StringLike": {"s3:prefix": own}}}
        return [
            {"Effect": "Allow", **listing},
            *({"Effect": "Allow", "Action": actions, "Resource": resources} for actions, resources in allowed),
        ]

    def session(self, env_id: str, seconds: int = 3600, **more: Any) -> Credentials:
        """A session of the environment's role, as the control plane gets it."""
        answer = self.client("sts").assume_role(
            RoleArn=self.role_arn(env_id), RoleSessionName="test", DurationSeconds=seconds, **more
        )["Credentials"]
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])

    def run_task(self, env_id: str, *command: str) -> str:
        """Start the environment's orchestrator; returns the task's ARN."""
        environment = {"TESTENV_ENV_ID": env_id, "TESTENV_BUCKET": self.bucket}
        override = {
            "name": "orchestrator",
            "command": list(command),
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
        }
        answer = self.client("ecs").run_task(
            cluster=self.document["cluster"],
            taskDefinition=self.document["task_definition"],
            launchType="FARGATE",
            startedBy=env_id,
            tags=[{"key": "testenv:env", "value": env_id}],
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.document["subnets"]}},
            overrides={"taskRoleArn": self.role_arn(env_id), "containerOverrides": [override]},
        )
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        tasks = self.client("ecs").describe_tasks(cluster=self.document["cluster"], tasks=[arn], include=["TAGS"])
        return dict(tasks["tasks"][0])

    def task_log(self, arn: str) -> str:
        """What the task wrote, for a failed assertion to show."""
        path = self.stack.home / "data" / "aws" / "tasks" / arn.split("/")[-1] / "log"
        return path.read_text() if path.exists() else "(no log)"

    def wait_stopped(self, arn: str, seconds: float = 60) -> dict[str, Any]:
        return until(lambda: stopped if (stopped := self.task(arn))["lastStatus"] == "STOPPED" else None, seconds)


def policy_document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def until(find: Callable[[], T | None], seconds: float) -> T:
    """What `find` finds, asked again and again."""
    deadline = time.monotonic() + seconds
    while (found := find()) is None:
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def denied() -> Iterator[None]:
    """Fails unless what is done within is refused for want of permission: not found, or done, is not denied."""
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] in _DENIED, caught.value


@contextlib.contextmanager
def running_account() -> Iterator[Account]:
    """The account of a small stack, started once however many ask for it; or that of TESTENV_TEST_STACK."""
    global _users
    _users += 1
    try:
        if not _running:
            _running.append(_start())
        stack = _running[0]
        yield Account(stack, json.loads((stack.home / "conf" / "aws.account.json").read_text()))
    finally:
        _users -= 1
        if not _users and _running:
            _stop(_running.pop())


def _start() -> RunningStack:
    if existing := os.environ.get("TESTENV_TEST_STACK"):
        home = Path(existing).absolute()
        return RunningStack(home, read_env(home / "stack.env"))
    home = new_home()
    up = local("up", home, "--free-ports", "--only", "postgres", "runner", "aws")
    if up.returncode:
        logs = "\n".join(path.read_text()[-2000:] for path in sorted((home / "logs").glob("*")) if path.is_file())
        local("down", home)
        pytest.fail(f"the stack did not come up:\n{up.stdout}{up.stderr}{logs}", pytrace=False)
    return RunningStack(home, read_env(home / "stack.env"))


def _stop(stack: RunningStack) -> None:
    if os.environ.get("TESTENV_TEST_STACK"):
        return
    local("down", stack.home)
    shutil.rmtree(stack.home, ignore_errors=True)
