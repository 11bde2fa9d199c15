"""A worker that is killed with a task in hand is replaced, and keeps nobody from ending."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from airflow.executors.local_executor import LocalExecutor, LocalWorkerBase

from testenv_airflow.executor import WarmLocalExecutor


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.timeout(60)
def test_an_executor_whose_worker_died_with_a_task_replaces_it_and_can_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalWorkerBase, "execute_work", die)
    executor = WarmLocalExecutor(parallelism=2)
    LocalExecutor.start(executor)  # what is made warm needs the stack
    executor.impl.queue.put(("a task", ["its command"]))
    while all(worker.exitcode is None for worker in executor.workers):
        time.sleep(0.05)
    [dead] = [worker for worker in executor.workers if worker.exitcode]
    executor.sync()
    assert dead not in executor.workers and all(worker.is_alive() for worker in executor.workers)
    executor.end()
    assert [worker.exitcode for worker in executor.workers] == [0, 0]
