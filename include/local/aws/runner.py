"""The runner: a warm parent that starts the tasks of the ECS stand-in.

    .venv/airflow/bin/python -m local.aws.runner --socket SOCK --work-dir DIR [--max-runs 8] [--max-services 12]

with `include/` on PYTHONPATH. It imports Airflow once, never a pipeline, and forks a child for each `run` command,
which costs 0.3 CPU-seconds where a new process costs 3. Other commands (`serve`) are executed afresh, since Airflow's
own programs start threads. One thread, one loop: nothing else runs in this process while it forks. The protocol is in
`runner_client`.

A task gets the environment it is given, and of this process's only what `_platform` lists; its process group is its
own; its stdout and stderr go to `DIR/tasks/ID/log`. SIGTERM ends all tasks, then the runner.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from local.aws.processes import end_left_over, forget, remember
from local.aws.task_table import Task, TaskTable
from local.warm_parent import WarmParent, be_a_child, stop_signals_held, threads

log = logging.getLogger("local.aws.runner")

_REPOSITORY = Path(__file__).resolve().parents[3]
_IMPORT_PATHS = [str(_REPOSITORY / "include"), str(_REPOSITORY / "plugins")]
_LARGEST_REQUEST = 1 << 20
_TICK = 0.2  # seconds between looks at deadlines while a task is being stopped


class Runner(WarmParent):
    """The loop: a call starts, stops or asks after tasks, and has its answer at once."""

    def __init__(self, path: Path, work_dir: Path, max_runs: int, max_services: int) -> None:
        self._work_dir = work_dir
        self._table = TaskTable(max_runs, max_services)
        for folder in work_dir.glob("tasks/*"):  # of a runner that was killed
            end_left_over(folder)
        super().__init__(path)

    def at_work(self) -> bool:
        return bool(self._table.running())

    def patience(self) -> float | None:
        return self._table.next_deadline(_TICK)

    def attend(self) -> None:
        self._reap()
        self._table.kill_overdue()
        if not self.stopping:
            while (task := self._table.take()) is not None:
                self._start(task)

    def end_all(self) -> None:
        self._table.stop_all(grace=10.0)

    def _reap(self) -> None:
        for task in self._table.running():
            pid, status = os.waitpid(task.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._table.ended(task, code if code >= 0 else 128 - code)
                forget(self._folder(task))

    def accept(self, connection: socket.socket) -> None:
        connection.settimeout(2.0)  # a request is one small write of a local client
        with connection:
            try:
                answer = self._handle(json.loads(_read_line(connection)))
            except (OSError, ValueError, KeyError, TypeError) as error:
                answer = {"error": f"bad request: {error!r}"}
            try:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except OSError as error:
                log.warning("a client left before its answer: %s", error)

    def _handle(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["op"]:
            case "start" if self.stopping:
                return {"error": "the runner is stopping"}
            case "start":
                self._table.add(Task(request["id"], tuple(request["command"]), dict(request["environment"])))
            case "stop":
                self._table.stop(request["id"], float(request["grace"]))
            case "stop_others":
                self._table.stop_all(grace=10.0, but=frozenset(request["ids"]))
            case "describe":
                known = {task: self._table.status(task) for task in request["ids"]}
                return {"tasks": {task: asdict(status) for task, status in known.items() if status}}
            case "ping":
                return {"ok": True, "running": len(self._table.running()), "waiting": self._table.waiting()}
            case unknown:
                return {"error": f"unknown op {unknown!r}"}
        return {"ok": True}

    def _start(self, task: Task) -> None:
        """Fork; the child never returns."""
        folder = self._folder(task)
        folder.mkdir(parents=True, exist_ok=True)
        task.port = None if task.is_run else _free_port()
        if (number := threads()) != 1:
            log.warning("%d threads in the parent: a fork may hang, so %s starts a new interpreter", number, task.id)
        environment = self._environment(task)
        with stop_signals_held():
            pid = os.fork()
            if pid == 0:
                _become(task, folder, environment, fresh=not task.is_run or number != 1)
            with contextlib.suppress(PermissionError, ProcessLookupError):  # the child was faster
                os.setpgid(pid, pid)
        self._table.started(task, pid)
        remember(pid, folder)

    def _environment(self, task: Task) -> dict[str, str]:
        port = {} if task.port is None else {"TESTENV_WEB_PORT": str(task.port), "TESTENV_WEB_HOST": "127.0.0.1"}
        return _platform(self._folder(task), self._work_dir / "homes") | task.environment | port

    def _folder(self, task: Task) -> Path:
        return self._work_dir / "tasks" / task.id


def _platform(home: Path, airflow_homes: Path) -> dict[str, str]:
    """What a container would have of its own, and what its image would set."""
    programs = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(_IMPORT_PATHS),
        "PYTHONUNBUFFERED": "1",
        "TESTENV_TASK_HOME": str(airflow_homes),
    }


def _become(task: Task, folder: Path, environment: dict[str, str], *, fresh: bool) -> None:
    """In the child: turn into the task. Ends the process whatever happens."""
    code = 70  # EX_SOFTWARE
    try:
        os.setpgid(0, 0)
        be_a_child()
        output = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.closerange(3, 4096)
        command = ["-m", "testenv_airflow.orchestrator", *task.command]
        if fresh:
            os.execve(sys.executable, [sys.executable, *command], environment)
        os.environ.clear()
        os.environ.update(environment)
        from testenv_airflow.orchestrator import main

        code = main(list(task.command), forked=True)
    except BaseException:  # noqa: BLE001 (the last place where a child's error, SystemExit too, can be told)
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _read_line(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n"):
        chunk = connection.recv(65536)
        if not chunk or len(received) > _LARGEST_REQUEST:
            raise ValueError("the request must be one line of JSON, at most 1 MB")
        received += chunk
    return received


def _warm(work_dir: Path) -> None:
    """Import what every run needs, in a home without a database, then let go of what must not be shared by children."""
    os.environ.update(
        AIRFLOW_HOME=str(work_dir / "parent"),
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{work_dir / 'parent' / 'none.db'}",
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        # numerical libraries start one thread per core when they are imported
        OPENBLAS_NUM_THREADS="1",
        OMP_NUM_THREADS="1",
    )
    sys.path[:0] = [path for path in _IMPORT_PATHS if path not in sys.path]
    from testenv_airflow.orchestrator import warm

    warm()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--work-dir", required=True, type=Path)
    parser.add_argument("--max-runs", type=int, default=8)
    parser.add_argument("--max-services", type=int, default=12)
    arguments = parser.parse_args()
    began = time.monotonic()
    _warm(arguments.work_dir.resolve())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    runner = Runner(arguments.socket, arguments.work_dir.resolve(), arguments.max_runs, arguments.max_services)
    log.info("ready at %s after %.1f s, %d thread(s)", arguments.socket, time.monotonic() - began, threads())
    runner.serve()


if __name__ == "__main__":
    main()
