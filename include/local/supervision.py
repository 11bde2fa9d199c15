"""Drives supervisord: its configuration, its start, its control socket, and the end of all it started."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from local.errors import StackError
from local.home import INCLUDE, Home, venv_bin, write_private
from local.launch import MARK

# What parts may see of the environment `up` is called in: never its credentials, its PYTHONPATH or Airflow settings,
# and not PYTHONDONTWRITEBYTECODE either, with which every task would compile our code anew.
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "JAVA_HOME")

STOP_SECONDS = 15


@dataclass(frozen=True)
class Program:
    """One program to supervise; `environ` is the file it is launched with."""

    name: str
    command: Sequence[str]
    environ: Path
    log: Path
    stop_signal: str = "TERM"


@dataclass(frozen=True)
class State:
    """What supervisord says of a program. `started` is in seconds since the epoch, `pid` 0 while it does not run."""

    name: str
    state: str
    pid: int
    started: int
    complaint: str

    @property
    def is_running(self) -> bool:
        return self.state in ("STARTING", "RUNNING")

    @property
    def has_failed(self) -> bool:
        return self.state in ("BACKOFF", "EXITED", "FATAL")


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, home: Home, password: str) -> None:
        self._home = home
        self._password = password
        self._socket = home.run / "supervisor.sock"
        self._conf = home.conf / "supervisord.conf"

    def is_up(self) -> bool:
        """Whether supervisord answers."""
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def boot(self, programs: Sequence[Program]) -> None:
        """Start supervisord, which then knows PROGRAMS and runs none of them yet."""
        write_private(self._conf, self.configuration(programs))
        environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environ |= {MARK: str(self._home.root), "PYTHONPATH": str(INCLUDE)}
        environ["SPT_NOENV"] = "1"  # keeps setproctitle, which Airflow uses, from writing its titles over the mark
        command = [str(venv_bin("local", "supervisord")), "-c", str(self._conf)]
        answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise StackError(f"supervisord did not start: {answer.stdout}{answer.stderr}")
        wait_until(self.is_up, 20, f"supervisord did not answer on {self._socket}; see {self._log}")

    def start(self, name: str) -> None:
        """Start a program, without waiting for anything; nothing happens if it runs."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise StackError(f"supervisord could not start {name}: {fault.faultString}") from fault

    def stop(self, name: str) -> None:
        """Stop a program and wait for its end."""
        self._call("stopProcess", name)

    def state(self, name: str) -> State:
        info: Any = self._call("getProcessInfo", name)
        return State(name, info["statename"], info["pid"], info["start"], info["spawnerr"])

    def shutdown(self, first: Sequence[str] = ()) -> list[str]:
        """Stop everything, the programs FIRST before the rest, and wait until it is gone.

        Returns the commands of what had to be killed.
        """
        family = self._family()
        if self.is_up():
            self._stop_together(first)
            self._call("stopAllProcesses")
            self._call("shutdown")
            psutil.wait_procs(family, timeout=STOP_SECONDS * 2)
        killed = []
        for process in {*family, *self._family()}:
            with suppress(psutil.NoSuchProcess):  # the end of one is the end of its children
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    command = " ".join(process.cmdline())[:100]
                    process.kill()
                    killed.append(command)
                    process.wait(10)
        return killed

    def _stop_together(self, names: Sequence[str]) -> None:
        """Stop programs at once: left to itself, supervisord waits for the end of each before it turns to the next."""
        running = [name for name in names if self.state(name).is_running]
        for name in running:
            self._call("stopProcess", name, False)
        for name in running:
            stopped = partial(self._is_stopped, name)
            wait_until(stopped, 2 * STOP_SECONDS, f"{name} did not stop; see {self._home.log_of(name)}")

    def _is_stopped(self, name: str) -> bool:
        return self.state(name).state != "STOPPING"

    def leftovers(self) -> list[psutil.Process]:
        """Processes of this home that live though no supervisord does."""
        return [] if self.is_up() else self._family()

    def _family(self) -> list[psutil.Process]:
        """All processes that descend from a supervisord of this home, orphans too."""
        family = {process for process in psutil.process_iter() if self._is_marked(process)}
        for process in tuple(family):
            try:
                family.update(process.children(recursive=True))
            except psutil.NoSuchProcess:
                continue
        return sorted(family, key=lambda process: process.pid)

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get(MARK) == str(self._home.root))
        except (psutil.Error, OSError):
            return False

    @property
    def _log(self) -> Path:
        return self._home.log_of("supervisord")

    def _call(self, method: str, *arguments: object) -> object:
        transport = SupervisorTransport("testenv", self._password, f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def configuration(self, programs: Sequence[Program]) -> str:
        """`supervisord.conf`: starts nothing by itself, restarts what dies, stops each with its whole process group."""
        sections: dict[str, dict[str, object]] = {
            "unix_http_server": {
                "file": self._socket,
                "chmod": "0600",
                "username": "testenv",
                "password": self._password,
            },
            "supervisord": {
                "logfile": self._log,
                "pidfile": self._home.run / "supervisord.pid",
                "childlogdir": self._home.logs,
                "directory": self._home.run,
                "umask": "077",
                **({"user": "root"} if os.geteuid() == 0 else {}),
            },
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
            },
        }
        for program in programs:
            sections[f"program:{program.name}"] = _program_section(program)
        return "".join(_section(name, values) for name, values in sections.items())


def _program_section(program: Program) -> dict[str, object]:
    launcher = [str(venv_bin("local")), "-m", "local.launch", str(program.environ)]
    return {
        "command": shlex.join([*launcher, *program.command]),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 2,
        "startretries": 30,  # each a second later than the last: what a part needs may be away for minutes
        "stopsignal": program.stop_signal,
        "stopasgroup": "true",
        "killasgroup": "true",
        "stopwaitsecs": STOP_SECONDS,
        "redirect_stderr": "true",
        "stdout_logfile": program.log,
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 1,
    }


def _section(name: str, values: Mapping[str, object]) -> str:
    lines = (f"{key} = {str(value).replace('%', '%%')}\n" for key, value in values.items())
    return f"[{name}]\n{''.join(lines)}\n"


def wait_until(condition: Callable[[], bool], seconds: float, complaint: str, pause: float = 0.1) -> None:
    """Ask CONDITION until it holds; `StackError(COMPLAINT)` when it does not within SECONDS."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(f"{complaint} (waited {seconds:.0f} s)")
        time.sleep(pause)
