"""The runner's books, with a clock of the test's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from local.aws.task_table import Task, TaskTable


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads its group and ends only by force."""
    command = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as running:
        assert running.stdout
        running.stdout.readline()
        yield running
        running.kill()


def run(name: str) -> Task:
    return Task(name, ("run", "dag", "2024-01-01"), {"SECRET": "x"})


def test_tasks_wait_for_a_place_in_order_of_arrival() -> None:
    table = TaskTable(max_runs=1, max_services=1)
    first, second = run("1"), run("2")
    table.add(first)
    table.add(second)
    assert table.take() is first
    table.started(first, pid=2**22 + 1)
    assert table.take() is None
    table.ended(first, 0)
    assert table.take() is second


def test_services_do_not_take_the_places_of_runs() -> None:
    table = TaskTable(max_runs=1, max_services=1)
    service = Task("s", ("serve",), {})
    table.add(service)
    table.started(service, pid=2**22 + 1)
    table.add(run("1"))
    taken = table.take()
    assert taken is not None
    assert taken.id == "1"


def test_a_task_that_waits_is_stopped_without_having_run() -> None:
    table = TaskTable(max_runs=0, max_services=0)
    table.add(run("1"))
    table.stop("1", grace=5)
    status = table.status("1")
    assert status is not None
    assert (status.state, status.started, status.error) == ("STOPPED", None, "Stopped before it was started.")


def test_what_ignores_sigterm_is_killed_after_its_grace(process: subprocess.Popen[bytes]) -> None:
    clock = Clock()
    table = TaskTable(1, 1, clock)
    task = run("1")
    table.add(task)
    table.started(task, process.pid)
    table.stop("1", grace=5)
    clock.now = 4.9
    table.kill_overdue()
    assert process.poll() is None
    clock.now = 5.0
    table.kill_overdue()
    assert process.wait(5) == -9


def test_credentials_are_forgotten_once_the_task_is_started() -> None:
    task = run("1")
    assert "SECRET" not in repr(task)
    table = TaskTable(1, 1)
    table.add(task)
    table.started(task, pid=2**22 + 1)
    assert task.environment == {}


def test_a_task_is_started_once() -> None:
    table = TaskTable(1, 1)
    table.add(run("1"))
    with pytest.raises(ValueError, match="exists"):
        table.add(run("1"))


def test_an_unknown_task_has_no_status() -> None:
    assert TaskTable(1, 1).status("x") is None
