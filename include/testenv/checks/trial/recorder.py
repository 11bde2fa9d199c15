"""A process that records moments, apart from the one that forks DAG runs: its clients have threads, no fork takes them.

Takes one request at a time over a pipe, answers with a result or with what went wrong.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from testenv.checks.trial.moments import Moments
from testenv.checks.trial.record import State
from testenv.core.errors import Failed

Make = Callable[[], Moments]


@dataclass
class Recorder:
    """`start` it while the process has one thread."""

    pid: int
    _pipe: Connection

    @classmethod
    def start(cls, make: Make) -> Recorder:
        """Fork the process, in which `make` logs in to the environment's systems."""
        from multiprocessing import Pipe

        ours, theirs = Pipe()
        pid = os.fork()
        if pid == 0:
            code = 70  # EX_SOFTWARE
            try:
                ours.close()
                for number in (signal.SIGTERM, signal.SIGINT):  # the parent says when it is over
                    signal.signal(number, signal.SIG_IGN)
                _serve(make, theirs)
                code = 0
            finally:
                os._exit(code)
        theirs.close()
        return cls(pid, ours)

    def record(self, moment: str, ran: Collection[str], tasks: Mapping[str, tuple[str, ...]]) -> State:
        """See `Moments.record`. Raises `Failed`."""
        state = self._ask("record", moment, sorted(ran), dict(tasks))
        assert isinstance(state, State)
        return state

    def reset(self) -> None:
        """See `Moments.reset`. Raises `Failed`."""
        self._ask("reset")

    def stop(self) -> float:
        """End the process; the CPU seconds that it took."""
        self._pipe.close()
        _, _, usage = os.wait4(self.pid, 0)
        return usage.ru_utime + usage.ru_stime

    def _ask(self, verb: str, *arguments: Any) -> Any:
        try:
            self._pipe.send((verb, arguments))
            went_well, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise Failed(f"what records the moments ended while it was to {verb}: the trial's log says why") from error
        if not went_well:
            raise Failed(f"{verb} {arguments[0] if arguments else ''}: {answer}")
        return answer


def _serve(make: Make, pipe: Connection) -> None:
    moments: Moments | None = None
    while True:
        try:
            verb, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            moments = moments or make()
            pipe.send((True, getattr(moments, verb)(*arguments)))
        except Exception as error:  # noqa: BLE001 (told to the process that asked, which raises it)
            import traceback

            traceback.print_exc()
            pipe.send((False, f"{type(error).__name__}: {error}"))
