"""Ending what a killed parent left, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.aws.processes import end_left_over, first_ended, forget, remember

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_what_was_noted_is_killed(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    remember(sleeper.pid, tmp_path)
    end_left_over(tmp_path)
    assert sleeper.wait(10) == -9
    assert list(tmp_path.iterdir()) == []


def test_children_of_a_dead_leader_are_killed(tmp_path: Path) -> None:
    script = f"import subprocess; print(subprocess.Popen({SLEEP!r}, stdout=subprocess.DEVNULL).pid)"
    leader = subprocess.Popen([sys.executable, "-c", script], start_new_session=True, stdout=subprocess.PIPE)
    remember(leader.pid, tmp_path)
    output, _ = leader.communicate(timeout=10)
    child = psutil.Process(int(output))
    end_left_over(tmp_path)
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_another_process_of_the_same_number_is_spared(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    remember(sleeper.pid, tmp_path)
    note = next(tmp_path.iterdir())
    note.write_text(f"{sleeper.pid} 1")  # started when the machine was
    end_left_over(tmp_path)
    assert sleeper.poll() is None


def test_what_has_ended_is_not_looked_for(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    remember(sleeper.pid, tmp_path)
    forget(tmp_path)
    end_left_over(tmp_path)
    assert sleeper.poll() is None


def test_of_several_the_one_that_ends_is_told_at_once(sleeper: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert other.stdin
        other.stdin.write(b"\n")
        other.stdin.flush()
        assert first_ended([sleeper, other], 30) is other
        assert first_ended([sleeper, other], 30) is other, "also when it has been waited for"


def test_where_none_ends_in_time_none_is_told(sleeper: subprocess.Popen[bytes]) -> None:
    assert first_ended([sleeper], 0.01) is None
