"""Ending a process that leads its own group, with all that it started; also after whoever started it was killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

_NOTE = "process"


def end_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """SIGTERM to the group; SIGKILL to what is left of it after `grace` seconds. Returns when the leader is reaped."""
    _signal_group(process.pid, signal.SIGTERM)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
    _signal_group(process.pid, signal.SIGKILL)


def first_ended(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> subprocess.Popen[bytes] | None:
    """Which of them has ended first, waiting at most so long; None if none has. Of several, the foremost."""
    with ExitStack() as stack:
        waiting = []
        for process in processes:
            if process.poll() is not None:
                return process
            try:
                waiting.append(stack.enter_context(_descriptor(process.pid)))
            except ProcessLookupError:  # whoever cancels it has just reaped it
                return process
        ended, _, _ = select.select(waiting, [], [], seconds)
    return next((process for process, each in zip(processes, waiting, strict=True) if each in ended), None)


@contextmanager
def _descriptor(pid: int) -> Iterator[int]:
    """Readable once the process has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:  # all of it has ended
        return


def remember(leader: int, folder: Path) -> None:
    """Note in FOLDER which process works there, so that `end_left_over` finds it."""
    (folder / _NOTE).write_text(f"{leader} {_started(leader)}")


def end_left_over(folder: Path) -> None:
    """Kill the group of the process that was noted in FOLDER, if it is still that one."""
    note = folder / _NOTE
    if not note.exists():
        return
    leader, _, started = note.read_text().partition(" ")
    # A dead leader's number is not given away while its group lives; a living one must have been started then.
    if leader and _started(int(leader)) in (started, ""):
        _signal_group(int(leader), signal.SIGKILL)
    note.unlink()


def forget(folder: Path) -> None:
    """The process that was noted in FOLDER has ended, and been waited for."""
    (folder / _NOTE).unlink(missing_ok=True)


def _started(pid: int) -> str:
    """When the process was started, in ticks since the machine was; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return ""
