"""Speaks to the runner (`local.aws.runner`) over its unix socket: one JSON line there, one back, per connection.

{"op": "start", "id", "command": [...], "environment": {...}} → {"ok": true}
{"op": "describe", "ids": [...]}  → {"tasks": {id: Status as a dict}}; ids it does not know are left out
{"op": "stop", "id", "grace": seconds}  → {"ok": true}
{"op": "stop_others", "ids": [...]}  → {"ok": true}; ends every task but these
{"op": "ping"}  → {"ok": true, "running": n, "waiting": n}
what it cannot do → {"error": "why"}
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class RunnerError(Exception):
    """The runner is not there, or refused; the message says which and what to do."""


@dataclass(frozen=True)
class Status:
    """A task as the runner knows it. Times are epoch seconds; `exit_code` is 128 + n for a task ended by signal n."""

    state: str  # PENDING, RUNNING or STOPPED
    port: int | None = None
    started: float | None = None
    stopped: float | None = None
    exit_code: int | None = None
    error: str = ""


class RunnerClient:
    """Client of the runner at `path`. Every method raises RunnerError."""

    def __init__(self, path: Path, timeout: float = 10.0) -> None:
        self.path, self._timeout = path, timeout

    def start(self, task: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Have `command` started as soon as there is a place, with `environment` and little else."""
        self._ask({"op": "start", "id": task, "command": list(command), "environment": dict(environment)})

    def describe(self, tasks: Sequence[str]) -> dict[str, Status]:
        """The state of those of `tasks` that the runner knows."""
        answer = self._ask({"op": "describe", "ids": list(tasks)})
        return {task: Status(**status) for task, status in answer["tasks"].items()}

    def stop(self, task: str, grace: float) -> None:
        """SIGTERM to the task's process group, SIGKILL after `grace` seconds. Returns at once."""
        self._ask({"op": "stop", "id": task, "grace": grace})

    def stop_others(self, tasks: Sequence[str]) -> None:
        """End every task but `tasks`: for a server that does not know of them."""
        self._ask({"op": "stop_others", "ids": list(tasks)})

    def ping(self) -> dict[str, Any]:
        """How many tasks run and wait; raises if the runner does not answer."""
        return self._ask({"op": "ping"})

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._timeout)
                connection.connect(str(self.path))
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as lines:
                    answer: dict[str, Any] = json.loads(lines.readline() or b"{}")
        except (OSError, ValueError) as error:
            raise RunnerError(
                f"the task runner at {self.path} does not answer ({error}); is `python -m local.aws.runner` up?"
            ) from error
        if "error" in answer or not answer:
            raise RunnerError(f"the task runner refused {request['op']}: {answer.get('error', 'empty answer')}")
        return answer
