"""An environment's orchestrator, started through the stand-in's ECS API, with a metadata database of its own."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import tarfile
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from tests.conftest import REPO
from tests.integration.local.aws.support import Account, denied, until

DATE = "2024-03-01T00:00:00+00:00"

DAGS = '''
from __future__ import annotations

import os
import time
from datetime import datetime, timedelta

import boto3
from airflow.decorators import dag, task
from airflow.exceptions import AirflowException, AirflowFailException
from airflow.models import Variable
from airflow.operators.python import get_current_context
from airflow.sensors.date_time import DateTimeSensorAsync
from airflow.sensors.python import PythonSensor

from estate.names import GREETING

SOON = "{{ (macros.datetime.utcnow() + macros.timedelta(seconds=1)).isoformat() }}+00:00"


@dag(schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False)
def whole():
    """Mapped tasks, a retry with a long delay, a deferral, a rescheduled sensor, a variable, the role's own access."""

    @task
    def numbers(data_interval_start=None, data_interval_end=None):
        print("interval", data_interval_start, data_interval_end)
        return [1, 2]

    @task(retries=2, retry_delay=timedelta(hours=1))
    def second_try(number):
        if number == 2 and get_current_context()["ti"].try_number < 2:
            raise AirflowException("not at the first try")

    @task
    def write():
        url = Variable.get("landing_url")
        bucket, prefix = url.removeprefix("s3://").split("/", 1)
        who = boto3.client("sts").get_caller_identity()["Arn"]
        boto3.client("s3").put_object(Bucket=bucket, Key=prefix + "who.txt", Body=f"{GREETING} {who}".encode())
        print("environment", sorted(os.environ))

    began = datetime.utcnow()
    sensor = PythonSensor(
        task_id="rescheduled", mode="reschedule", poke_interval=1,
        python_callable=lambda: datetime.utcnow() - began > timedelta(seconds=1),
    )
    deferred = DateTimeSensorAsync(task_id="deferred", target_time=SOON)
    second_try.expand(number=numbers()) >> deferred >> sensor >> write()


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def broken():
    @task(retries=1, retry_delay=timedelta(hours=1))
    def always():
        raise ValueError("boom")

    @task
    def after():
        pass

    @task(retries=5)
    def never_again():
        raise AirflowFailException("no use")

    always() >> after()
    never_again()


@dag(schedule=None, start_date=datetime(2024, 1, 1))
def endless():
    @task
    def sleep():
        print("asleep", flush=True)
        time.sleep(600)

    sleep()


whole()
broken()
endless()
'''


@dataclass(frozen=True)
class Environment:
    """An environment that holds no more than an orchestrator needs."""

    account: Account
    env_id: str

    def write_code(self, dags: str) -> None:
        files = {
            "estate/__init__.py": "",
            "estate/names.py": f"GREETING = {self.env_id!r}\n",
            "estate/dags/dags.py": dags,
        }
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as members:
            for name, text in files.items():
                member = tarfile.TarInfo(f"include/{name}")
                member.size = len(text.encode())
                members.addfile(member, io.BytesIO(text.encode()))
        key = f"env/{self.env_id}/code/code.tar.gz"
        self.account.client("s3").put_object(Bucket=self.account.bucket, Key=key, Body=archive.getvalue())

    def run(self, dag_id: str, date: str = DATE) -> tuple[int, dict[str, Any], str]:
        """Run to the end: exit code, result.json and log.txt."""
        task = self.account.run_task(self.env_id, "run", dag_id, date)
        stopped = self.account.wait_stopped(task)
        return stopped["containers"][0]["exitCode"], self.result(dag_id, date), self.artifact(dag_id, date, "log.txt")

    def result(self, dag_id: str, date: str = DATE) -> dict[str, Any]:
        return dict(json.loads(self.artifact(dag_id, date, "result.json")))

    def artifact(self, dag_id: str, date: str, name: str) -> str:
        key = f"artifacts/{self.env_id}/runs/{dag_id}/{date}/{name}"
        body = self.account.client("s3").get_object(Bucket=self.account.bucket, Key=key)["Body"].read()
        return str(body.decode())


Make = Callable[[], Environment]


@pytest.fixture(scope="module")
def make(account: Account) -> Iterator[Make]:
    """Makes environments: a role, a database from the migrated template, parameters and code."""
    made: list[str] = []
    env = account.stack.env
    login = f"{env['TESTENV_POSTGRES_USER']}:{env['TESTENV_POSTGRES_PASSWORD']}"
    address = f"{env['TESTENV_POSTGRES_HOST']}:{env['TESTENV_POSTGRES_PORT']}"
    connection = psycopg2.connect(env["TESTENV_LEDGER_URL"].replace("+psycopg2", ""))
    connection.autocommit = True

    def create() -> Environment:
        env_id = f"ci-o{uuid.uuid4().hex[:8]}"
        database = f"te_{env_id.replace('-', '_')}_airflow"
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {database} TEMPLATE te_template_airflow STRATEGY FILE_COPY")
        made.append(database)
        account.make_role(env_id)
        url = f"postgresql+psycopg2://{login}@{address}/{database}"
        variables = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__WEBSERVER__SECRET_KEY": uuid.uuid4().hex,
            "TESTENV_WEB_USER": "engineer",
            "TESTENV_WEB_PASSWORD": "of this environment",
        }
        landing = f"s3://{account.bucket}/env/{env_id}/landing/"
        ssm = account.client("ssm")
        for name, value in (("orchestrator", json.dumps(variables)), ("variables/landing_url", landing)):
            ssm.put_parameter(Name=f"/testenv/{env_id}/{name}", Value=value, Type="SecureString")
        environment = Environment(account, env_id)
        environment.write_code(DAGS)
        return environment

    yield create
    with connection.cursor() as cursor:
        for database in made:
            cursor.execute(f"DROP DATABASE {database} WITH (FORCE)")
    connection.close()


@pytest.fixture(scope="module")
def environment(make: Make) -> Environment:
    return make()


class TestRun:
    def test_two_environments_run_the_same_dag_at_once_each_in_its_own(self, account: Account, make: Make) -> None:
        pair = (make(), make())
        tasks = [account.run_task(each.env_id, "run", "whole", DATE) for each in pair]
        for each, task in zip(pair, tasks, strict=True):
            stopped = account.wait_stopped(task)
            assert stopped["containers"][0]["exitCode"] == 0, account.task_log(task)
            assert stopped["stopCode"] == "EssentialContainerExited"
            key = f"env/{each.env_id}/landing/who.txt"
            said = account.client("s3").get_object(Bucket=account.bucket, Key=key)["Body"].read().decode()
            assert said.startswith(f"{each.env_id} arn:aws:sts::")
            assert f"assumed-role/te-{each.env_id}/" in said
            assert said.split()[0] == each.env_id

    def test_what_a_run_tells(self, environment: Environment) -> None:
        code, result, log = environment.run("whole")
        assert (code, result["state"], result["error"]) == (0, "success", None), log
        assert (result["dag_id"], result["logical_date"]) == ("whole", DATE)
        tries = {(task["task_id"], task["map_index"]): task["tries"] for task in result["tasks"]}
        assert tries == {
            ("numbers", -1): 1,
            ("second_try", 0): 1,
            ("second_try", 1): 2,
            ("deferred", -1): 1,
            ("rescheduled", -1): 1,
            ("write", -1): 1,
        }
        assert all(task["state"] == "success" and task["start"] <= task["end"] for task in result["tasks"])
        assert "task write try 1 success" in log
        assert "interval 2024-03-01 00:00:00+00:00 2024-03-02 00:00:00+00:00" in log

    def test_a_run_sees_only_the_environment_it_is_given(self, environment: Environment) -> None:
        _, _, log = environment.run("whole", "2024-03-02T00:00:00+00:00")
        line = next(line for line in log.splitlines() if line.startswith("environment ["))
        assert "TESTENV_ENV_ID" in line
        assert "AWS_SESSION_TOKEN" in line
        assert not any(name in line for name in ("SUPERVISOR", "TESTENV_LEDGER", "TESTENV_POSTGRES"))

    def test_the_same_date_runs_again(self, environment: Environment) -> None:
        date = "2024-03-03T00:00:00+00:00"
        first = environment.run("whole", date)
        second = environment.run("whole", date)
        assert (first[0], second[0]) == (0, 0)
        assert second[1]["tasks"][0]["start"] > first[1]["tasks"][-1]["end"]

    def test_a_failed_run_exits_with_1_and_says_what_failed_after_all_tries(self, environment: Environment) -> None:
        code, result, log = environment.run("broken")
        assert (code, result["state"]) == (1, "failed"), log
        tasks = {task["task_id"]: task for task in result["tasks"]}
        assert (tasks["always"]["state"], tasks["always"]["tries"]) == ("failed", 2)
        assert (tasks["never_again"]["state"], tasks["never_again"]["tries"]) == ("failed", 1)
        assert tasks["after"]["state"] == "upstream_failed"
        assert result["error"] == "always: ValueError: boom"

    def test_an_unknown_dag_exits_with_2_and_names_those_there_are(self, environment: Environment) -> None:
        code, result, _ = environment.run("wohle")
        assert code == 2
        assert "'wohle'" in result["error"]
        assert "broken, endless, whole" in result["error"]

    def test_a_date_that_is_none_exits_with_2(self, environment: Environment) -> None:
        code, result, _ = environment.run("whole", "yesterday")
        assert code == 2
        assert "'yesterday' is not a date" in result["error"]

    def test_code_that_cannot_be_imported_exits_with_3_and_the_error(self, make: Make) -> None:
        environment = make()
        environment.write_code("from airflow import DAG\nimport no_such_module_of_ours\n")
        code, result, _ = environment.run("whole")
        assert code == 3
        assert "no_such_module_of_ours" in result["error"]

    def test_without_settings_the_task_exits_with_4_and_says_which(self, account: Account) -> None:
        account.make_role("ci-o-empty")
        task = account.run_task("ci-o-empty", "run", "whole", DATE)
        assert account.wait_stopped(task)["containers"][0]["exitCode"] == 4
        assert "/testenv/ci-o-empty/orchestrator" in account.task_log(task)

    def test_one_environment_cannot_read_anothers_run(self, account: Account, environment: Environment) -> None:
        account.make_role("ci-o-other")
        other = account.client("s3", account.session("ci-o-other"))
        with denied():
            other.list_objects_v2(Bucket=account.bucket, Prefix=f"artifacts/{environment.env_id}/")


def _processes_of(account: Account, task: str) -> list[psutil.Process]:
    """Processes that write the task's log: a forked one has the runner's own command line."""
    log = account.stack.home / "data" / "aws" / "tasks" / task.split("/")[-1] / "log"
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(f"/proc/{process.pid}/fd/1").resolve() == log:
                found.append(process)
    return found


class TestStop:
    def test_stopping_a_run_ends_its_process_and_leaves_a_result(
        self, account: Account, environment: Environment
    ) -> None:
        task = account.run_task(environment.env_id, "run", "endless", DATE)
        until(lambda: True if "asleep" in account.task_log(task) else None, 60)
        account.client("ecs").stop_task(cluster=account.document["cluster"], task=task, reason="enough")
        stopped = account.wait_stopped(task)
        assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "enough")
        assert stopped["containers"][0]["exitCode"] == 143
        result = environment.result("endless")
        assert (result["state"], result["error"]) == ("failed", "the run was stopped by SIGTERM")

    def test_a_run_outlives_the_service_and_ends_with_the_runner(
        self, account: Account, environment: Environment
    ) -> None:
        """On AWS a task goes on whatever restarts, unless the machine it is on is lost."""
        task = account.run_task(environment.env_id, "run", "endless", DATE)
        until(lambda: True if "asleep" in account.task_log(task) else None, 60)
        account.kill()
        assert account.task(task)["lastStatus"] == "RUNNING"
        account.kill_runner()
        stopped = account.task(task)
        assert (stopped["lastStatus"], stopped["stoppedReason"]) == ("STOPPED", "The task runner was restarted.")
        assert stopped["containers"][0]["exitCode"] == 137
        until(lambda: True if not _processes_of(account, task) else None, 20)

    def test_tasks_are_listed_by_who_started_them(self, account: Account, environment: Environment) -> None:
        ecs, cluster = account.client("ecs"), account.document["cluster"]
        task = account.run_task(environment.env_id, "run", "endless", DATE)
        try:
            assert task in ecs.list_tasks(cluster=cluster, startedBy=environment.env_id)["taskArns"]
            assert ecs.list_tasks(cluster=cluster, startedBy="ci-nobody")["taskArns"] == []
            assert account.task(task)["tags"] == [{"key": "testenv:env", "value": environment.env_id}]
        finally:
            ecs.stop_task(cluster=cluster, task=task, reason="listed")
        account.wait_stopped(task)
        assert ecs.list_tasks(cluster=cluster, startedBy=environment.env_id)["taskArns"] == []
        over = ecs.list_tasks(cluster=cluster, startedBy=environment.env_id, desiredStatus="STOPPED")["taskArns"]
        assert task in over


class TestServe:
    def test_serve_answers_lets_its_engineer_in_and_ends_whole(
        self, account: Account, environment: Environment
    ) -> None:
        task = account.run_task(environment.env_id, "serve")

        def address() -> str | None:
            found = account.task(task)
            assert found["lastStatus"] != "STOPPED", account.task_log(task)
            bindings = found["containers"][0].get("networkBindings")
            return f"http://127.0.0.1:{bindings[0]['hostPort']}" if bindings else None

        try:
            base = until(address, 60)
            until(lambda: _healthy(base), 120)
            secret = base64.b64encode(b"engineer:of this environment").decode()
            dags = until(lambda: _dags(base, secret), 60)
            assert dags == ["broken", "endless", "whole"]
            assert _dags(base, base64.b64encode(b"engineer:wrong").decode()) is None
            served = _service(environment.env_id)
            names = " ".join(word for process in served for word in process.cmdline())
            assert all(program in names for program in ("scheduler", "webserver", "triggerer"))
        finally:
            account.client("ecs").stop_task(cluster=account.document["cluster"], task=task, reason="done")
            account.wait_stopped(task)
        until(lambda: True if not [process for process in served if process.is_running()] else None, 10)


def test_a_runner_that_stops_ends_its_tasks(account: Account, environment: Environment, tmp_path: Path) -> None:
    """With a runner of the test's own, driven over its socket."""
    from local.aws.runner_client import RunnerClient

    socket = Path(os.path.relpath(tmp_path / "r")) if len(str(tmp_path)) > 80 else tmp_path / "r"
    runner = subprocess.Popen(
        [REPO / ".venv/airflow/bin/python", "-m", "local.aws.runner", "--socket", socket, "--work-dir", tmp_path],
        env={**os.environ, "PYTHONPATH": str(REPO / "include")},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: True if socket.is_socket() else None, 60)
        client = RunnerClient(socket)
        session = account.session(environment.env_id)
        given = {
            "TESTENV_ENV_ID": environment.env_id,
            "TESTENV_BUCKET": account.bucket,
            "AWS_ENDPOINT_URL": account.stack.env["AWS_ENDPOINT_URL"],
            "AWS_DEFAULT_REGION": account.stack.env["AWS_REGION"],
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
            "AWS_SESSION_TOKEN": session.session_token or "",
        }
        client.start("one", ["run", "endless", DATE], given)
        log = tmp_path / "tasks" / "one" / "log"
        until(lambda: True if log.exists() and "asleep" in log.read_text() else None, 60)
        children = psutil.Process(runner.pid).children(recursive=True)
        assert children
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(30) == 0
        assert not [child for child in children if child.is_running()]
    finally:
        runner.kill()
        runner.wait()


def _healthy(base: str) -> bool | None:
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=5) as answer:
            health = json.load(answer)
    except OSError:
        return None
    return all(health[part]["status"] == "healthy" for part in ("scheduler", "triggerer")) or None


def _dags(base: str, secret: str) -> list[str] | None:
    request = urllib.request.Request(f"{base}/api/v1/dags", headers={"Authorization": f"Basic {secret}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = [dag["dag_id"] for dag in json.load(answer)["dags"]]
    except OSError:
        return None
    return found if len(found) == 3 else None


def _service(env_id: str) -> list[psutil.Process]:
    """The processes of an environment's service: its parent, and all below it."""
    for process in psutil.process_iter():
        try:
            if "serve" in process.cmdline() and process.environ().get("TESTENV_ENV_ID") == env_id:
                return [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
    return []
