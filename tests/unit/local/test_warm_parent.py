"""A parent that forks for each call: what it starts hears signals, and has ended before it ends itself."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PARENT = """
import os, signal, sys
from pathlib import Path
from local.warm_parent import WarmParent, be_a_child, stop_signals_held, threads

class Parent(WarmParent):
    children = set()
    def at_work(self): return bool(self.children)
    def patience(self): return None
    def attend(self):
        for pid in [*self.children]:
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.children.remove(pid)
                print("ended", flush=True)
    def end_all(self):
        for pid in self.children: os.kill(pid, signal.SIGTERM)
    def accept(self, connection):
        with stop_signals_held():
            pid = os.fork()
            if pid == 0:
                be_a_child()
                connection.sendall(str(os.getpid()).encode())
                signal.pause()
                os._exit(0)
        self.children.add(pid)
        connection.close()

parent = Parent(Path(sys.argv[1]))
print(threads(), flush=True)
parent.serve()
print("over", flush=True)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """It has said how many threads it has, and listens."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "calls" / "socket")]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "include")}
    with subprocess.Popen(command, env=path, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout and running.stdout.readline() == "1\n"
        yield running
        running.kill()


def call(path: Path) -> int:
    """The pid of the child that answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        return int(connection.recv(64))


def test_only_its_user_may_call(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    assert (tmp_path / "calls" / "socket").stat().st_mode & 0o077 == 0


def test_a_child_takes_signals_as_any_program_does(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(call(tmp_path / "calls" / "socket"), signal.SIGTERM)
    assert parent.stdout
    assert parent.stdout.readline() == "ended\n"
    assert parent.poll() is None


def test_told_to_stop_it_ends_its_children_and_then_itself(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    call(tmp_path / "calls" / "socket")
    call(tmp_path / "calls" / "socket")
    parent.send_signal(signal.SIGTERM)
    assert parent.communicate(timeout=10)[0] == "ended\nended\nover\n"
    assert parent.returncode == 0
    assert not (tmp_path / "calls" / "socket").exists()


def test_children_do_not_outlive_a_parent_that_is_killed(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    child = call(tmp_path / "calls" / "socket")
    ended = os.pidfd_open(child)
    try:
        parent.kill()
        assert select.select([ended], [], [], 10)[0], "the child has ended"
    finally:
        os.close(ended)
