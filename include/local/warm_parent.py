"""The loop of a process that imports once what is slow to import, and forks a child for each call at a Unix socket.

One thread: a call, a signal and a child's end all wake the same `select`, so nothing else runs here while it forks.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import selectors
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class WarmParent(ABC):
    """Listens at `path`. A subclass says what a call is, and what is at work; `stopping` once it is to end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._path = path
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)  # credentials come this way
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(previous)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self.selector.register(self._listener, selectors.EVENT_READ, self._on_call)
        self._wakeup, write_end = os.pipe()
        for end in (self._wakeup, write_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write_end)
        self.selector.register(self._wakeup, selectors.EVENT_READ, self._drain)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the wakeup descriptor is written to

    @abstractmethod
    def at_work(self) -> bool:
        """Whether a child is running."""

    @abstractmethod
    def patience(self) -> float | None:
        """For how many seconds at most there is nothing to do unless something happens; None: for ever."""

    @abstractmethod
    def accept(self, connection: socket.socket) -> None:
        """Take a call."""

    @abstractmethod
    def attend(self) -> None:
        """Look after the children: whatever woke the loop."""

    @abstractmethod
    def end_all(self) -> None:
        """Tell all children to end. Comes from a signal's handler."""

    def serve(self) -> None:
        """Returns when it has been told to stop and all children have ended."""
        while not (self.stopping and not self.at_work()):
            for key, _ in self.selector.select(self.patience()):
                key.data(key.fileobj)
            self.attend()
        self._path.unlink(missing_ok=True)

    def let_go(self) -> None:
        """In a child: close what is the parent's alone."""
        self.selector.close()
        self._listener.close()

    def _on_call(self, listener: socket.socket) -> None:
        self.accept(listener.accept()[0])

    def _on_stop(self, number: int, _frame: object) -> None:
        log.info("signal %s: ending all children", signal.Signals(number).name)
        self.stopping = True
        self.end_all()

    def _drain(self, descriptor: int) -> None:
        os.read(descriptor, 4096)


@contextlib.contextmanager
def stop_signals_held() -> Iterator[None]:
    """To fork in: a signal between fork and `be_a_child` would run the parent's handler in the child."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def be_a_child() -> None:
    """In a fork: take signals as any program does, and do not outlive the parent."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.set_wakeup_fd(-1)
    for number in (*STOP_SIGNALS, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def threads() -> int:
    """Threads of this process, native ones included. With more than one, a fork may hang."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())
