"""The command `serve`: an environment's scheduler, triggerer and web server, living and dying together."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Any

from testenv_airflow.orchestrator.settings import Deployment

_GRACE = 10.0  # seconds the programs get to end by themselves
_POLL = 0.5

_DEFAULTS = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__EXECUTE_TASKS_NEW_PYTHON_INTERPRETER": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",  # nothing runs in an environment that nobody asked for
    "AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION": "False",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "300",
    "AIRFLOW__SCHEDULER__USE_ROW_LEVEL_LOCKING": "False",
    "AIRFLOW__WEBSERVER__WORKERS": "1",
    "AIRFLOW__WEBSERVER__WORKER_REFRESH_INTERVAL": "0",
    "AIRFLOW__API__AUTH_BACKENDS": (
        "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth,"
        "airflow.providers.fab.auth_manager.api.auth.backend.session"
    ),
}


class _Stopped(Exception):
    """SIGTERM or SIGINT came."""


def serve(deployment: Deployment) -> int:
    """Returns 0 when told to stop, 1 when one of the programs ended by itself (the others are then ended)."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("sqlite"):
        os.environ["AIRFLOW__CORE__EXECUTOR"] = "SequentialExecutor"  # the only one that takes SQLite
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    programs: dict[str, subprocess.Popen[bytes]] = {}
    try:
        host, port = os.environ.get("TESTENV_WEB_HOST", "0.0.0.0"), os.environ.get("TESTENV_WEB_PORT", "8080")
        programs["scheduler"] = _start("scheduler", "--skip-serve-logs")  # its port is fixed, and the logs are at hand
        programs["webserver"] = _start("webserver", "--hostname", host, "--port", port)
        _ensure_admin()
        if _defers(deployment):
            programs["triggerer"] = _start("triggerer", "--skip-serve-logs")
        print(f"orchestrator: {deployment.env_id} serves at {host}:{port}: {', '.join(programs)}", flush=True)
        return _wait(programs)
    except _Stopped:
        return 0
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # it is being done
        _end(programs)


def _start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "airflow", *words], start_new_session=True)


def _wait(programs: dict[str, subprocess.Popen[bytes]]) -> int:
    while True:
        for name, program in programs.items():
            if program.poll() is not None:
                print(f"orchestrator: the {name} ended with exit code {program.returncode}", flush=True)
                return 1
        time.sleep(_POLL)


def _end(programs: dict[str, subprocess.Popen[bytes]]) -> None:
    for number, grace in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, _GRACE)):
        for program in programs.values():
            try:
                os.killpg(program.pid, number)
            except ProcessLookupError:  # ended, with all its children
                continue
        deadline = time.monotonic() + grace
        for program in programs.values():
            try:
                program.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue


def _ensure_admin() -> None:
    """The user that the environment's settings name, with that password, whatever it was before."""
    name, password = os.environ.get("TESTENV_WEB_USER"), os.environ.get("TESTENV_WEB_PASSWORD")
    if not name or not password:
        print("orchestrator: TESTENV_WEB_USER and TESTENV_WEB_PASSWORD are not set: no user is made", flush=True)
        return
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        user = manager.find_user(username=name)
        if user:
            manager.reset_password(user.id, password)
        else:
            manager.add_user(name, name, "(testenv)", f"{name}@example.com", manager.find_role("Admin"), password)


def _defers(deployment: Deployment) -> bool:
    """True if a task of the code under test gives its waiting to a triggerer."""
    from airflow.models.dagbag import DagBag

    bag = DagBag(deployment.dags, include_examples=False, read_dags_from_db=False)
    return any(_may_defer(task) for dag in bag.dags.values() for task in dag.tasks)


def _may_defer(task: Any) -> bool:
    """What the operator's `deferrable` says; if it has none, whether its code calls `defer`."""
    stated = {"deferrable": getattr(task, "deferrable", None), **getattr(task, "partial_kwargs", {})}["deferrable"]
    if stated is not None:
        return bool(stated)
    operator = getattr(task, "operator_class", type(task))
    own = [kind for kind in operator.__mro__ if not kind.__module__.startswith("airflow.models")]
    methods = [inspect.unwrap(member) for kind in own for member in vars(kind).values() if inspect.isfunction(member)]
    calls_defer = any("defer" in method.__code__.co_names for method in methods)
    return calls_defer or bool(getattr(task, "start_from_trigger", False))


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped
