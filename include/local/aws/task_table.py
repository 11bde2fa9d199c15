"""The runner's books: which tasks wait, run, are being stopped, or have ended. No process is started here, but some
are killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from local.aws.runner_client import Status

_REMEMBERED = 2000  # tasks; the oldest ended ones are forgotten


@dataclass(eq=False)
class Task:
    """One task. `pid` is 0 until it is started; `kill_at` is set while it is being stopped."""

    id: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    pid: int = 0
    port: int | None = None
    started: float | None = None
    stopped: float | None = None
    exit_code: int | None = None
    error: str = ""
    kill_at: float | None = None

    @property
    def is_run(self) -> bool:
        """DAG runs, which end by themselves; anything else is a service, or a mistake that ends at once."""
        return self.command[:1] in (("run",), ("trial",))

    @property
    def state(self) -> str:
        if self.stopped is not None:
            return "STOPPED"
        return "RUNNING" if self.pid else "PENDING"


class TaskTable:
    """All tasks by id, in order of arrival. At most `max_runs` runs and `max_services` services run at once."""

    def __init__(self, max_runs: int, max_services: int, clock: Callable[[], float] = time.time) -> None:
        self._places = {True: max_runs, False: max_services}
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._clock = clock

    def add(self, task: Task) -> None:
        """Raises ValueError if the id is known: a task is started once."""
        if task.id in self._tasks:
            raise ValueError(f"task {task.id} exists")
        self._tasks[task.id] = task
        ended = [known for known in self._tasks.values() if known.stopped is not None]
        for old in ended[: max(0, len(self._tasks) - _REMEMBERED)]:
            del self._tasks[old.id]

    def take(self) -> Task | None:
        """The next task that waits and has a place."""
        running = [task.is_run for task in self.running()]
        for task in self._tasks.values():
            if task.state == "PENDING" and running.count(task.is_run) < self._places[task.is_run]:
                return task
        return None

    def started(self, task: Task, pid: int) -> None:
        task.pid, task.started = pid, self._clock()
        task.environment = {}  # holds credentials, no longer needed

    def ended(self, task: Task, exit_code: int) -> None:
        """The leader was reaped: whatever it left behind in its group ends too."""
        task.stopped, task.exit_code, task.kill_at = self._clock(), exit_code, None
        _signal(task.pid, signal.SIGKILL)

    def stop(self, task_id: str, grace: float) -> None:
        """Ask the task to end; `kill_overdue` makes it after `grace` seconds. An unknown or ended one is left alone."""
        task = self._tasks.get(task_id)
        if task is None or task.stopped is not None:
            return
        if not task.pid:
            task.stopped, task.error = self._clock(), "Stopped before it was started."
            return
        if task.kill_at is None:
            task.kill_at = self._clock() + grace
            _signal(task.pid, signal.SIGTERM)

    def stop_all(self, grace: float, but: Collection[str] = ()) -> None:
        for task_id in [known for known in self._tasks if known not in but]:
            self.stop(task_id, grace)

    def kill_overdue(self) -> None:
        for task in self.running():
            if task.kill_at is not None and task.kill_at <= self._clock():
                _signal(task.pid, signal.SIGKILL)

    def next_deadline(self, tick: float) -> float | None:
        """How long the loop may sleep: until woken (None), or `tick` seconds while a task is being stopped."""
        return tick if any(task.kill_at is not None for task in self.running()) else None

    def running(self) -> list[Task]:
        return [task for task in self._tasks.values() if task.state == "RUNNING"]

    def waiting(self) -> int:
        return sum(task.state == "PENDING" for task in self._tasks.values())

    def status(self, task_id: str) -> Status | None:
        task = self._tasks.get(task_id)
        if task is None:
            return None
        return Status(task.state, task.port, task.started, task.stopped, task.exit_code, task.error)


def _signal(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:  # all of the group has ended
        return
