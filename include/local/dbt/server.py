"""The warm parent: `.venv/dbt/bin/python -m local.dbt.server --socket PATH`, with `include/` on PYTHONPATH.

It imports dbt and its adapter, and parses a small project once, by which dbt makes the validators of its classes: half
of what an invocation costs. Each call of `client.py` gets a fork of it, in a session of its own, with the caller's
arguments, environment, folder and standard streams. One thread, one loop: nothing else runs here while it forks.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import gc
import json
import logging
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.warm_parent import WarmParent, be_a_child, stop_signals_held, threads

log = logging.getLogger("local.dbt.server")

GRACE = 10.0
"""Seconds that a child gets to end when its caller is gone."""

_LARGEST_REQUEST = 1 << 20
_WARM_PROJECT = Path(__file__).with_name("warm_project")


@dataclass
class Call:
    """A caller that waits, and the child that works for it. `kill_at` is set once the caller has gone."""

    connection: socket.socket
    pid: int
    kill_at: float | None = None


class Server(WarmParent):
    """The loop: a call is one run of dbt, and stays open until it has ended."""

    def __init__(self, path: Path) -> None:
        self._calls: dict[int, Call] = {}
        super().__init__(path)

    def at_work(self) -> bool:
        return bool(self._calls)

    def patience(self) -> float | None:
        return 1.0 if self._calls else None

    def end_all(self) -> None:
        for call in self._calls.values():
            self._end(call)

    def accept(self, connection: socket.socket) -> None:
        connection.settimeout(5.0)  # a request is one small write of a local client
        try:
            request, streams = _receive(connection)
        except (OSError, ValueError) as error:
            log.warning("bad request: %r", error)
            connection.close()
            return
        pid = self._fork(request, streams)
        for stream in streams:
            os.close(stream)
        self._calls[pid] = Call(connection, pid)
        self.selector.register(connection, selectors.EVENT_READ, lambda _: self._left(pid))

    def _fork(self, request: dict[str, object], streams: list[int]) -> int:
        fresh = threads() != 1
        with stop_signals_held():
            pid = os.fork()
            if pid == 0:
                _become(request, streams, self.let_go, fresh=fresh)
        return pid

    def let_go(self) -> None:
        super().let_go()
        for call in self._calls.values():
            call.connection.close()

    def _left(self, pid: int) -> None:
        """The caller is gone: nobody waits for the child."""
        call = self._calls[pid]
        self.selector.unregister(call.connection)
        self._end(call)

    @staticmethod
    def _end(call: Call) -> None:
        call.kill_at = call.kill_at or time.monotonic() + GRACE
        _signal_group(call.pid, signal.SIGTERM)

    def attend(self) -> None:
        for call in list(self._calls.values()):
            pid, status = os.waitpid(call.pid, os.WNOHANG)
            if pid:
                _signal_group(pid, signal.SIGKILL)  # what it has started and left
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(OSError):  # the caller has gone
                    call.connection.sendall(bytes([code if code >= 0 else 128 - code]))
                with contextlib.suppress(KeyError):  # as `_left` has noticed
                    self.selector.unregister(call.connection)
                call.connection.close()
                del self._calls[pid]
            elif call.kill_at and time.monotonic() > call.kill_at:
                _signal_group(call.pid, signal.SIGKILL)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # all of it has ended
        os.killpg(leader, number)


def _receive(connection: socket.socket) -> tuple[dict[str, object], list[int]]:
    """The request, and descriptors of the caller's standard streams."""
    streams = array.array("i")
    head, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(3 * streams.itemsize))
    for _, _, data in ancillary:
        streams.frombytes(data)
    length = int.from_bytes(head, "big")
    if len(streams) != 3 or not 0 < length <= _LARGEST_REQUEST:
        for stream in streams:
            os.close(stream)
        raise ValueError(f"{len(streams)} descriptors and {length} bytes; three and at most 1 MB are right")
    received = b""
    while len(received) < length and (chunk := connection.recv(length - len(received))):
        received += chunk
    return json.loads(received), list(streams)


def _become(request: dict[str, object], streams: list[int], close: Callable[[], None], *, fresh: bool) -> None:
    """In the child: turn into dbt. Ends the process whatever happens."""
    code = 70  # EX_SOFTWARE
    try:
        os.setsid()
        be_a_child()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as in any Python program
        for target, source in enumerate(streams):
            os.dup2(source, target)
            os.close(source)
        close()
        os.chdir(str(request["folder"]))
        os.environ.clear()
        os.environ.update(request["environ"])  # type: ignore[call-overload]
        sys.argv = ["dbt", *request["arguments"]]  # type: ignore[misc]
        if fresh:
            os.execv(sys.executable, [sys.executable, "-m", "dbt.cli.main", *sys.argv[1:]])
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
        from dbt.cli.main import cli

        cli(prog_name="dbt")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 (the last place where a child's error can be told)
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):  # nobody reads any more
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _warm() -> None:
    """Import all of dbt, and have it parse a project. Its profile leads nowhere: to parse is to connect to nothing."""
    with tempfile.TemporaryDirectory(prefix="testenv-dbt-") as folder:
        project = Path(folder, "project")
        shutil.copytree(_WARM_PROJECT, project)
        from dbt.cli.main import dbtRunner

        options = ["--quiet", "--no-send-anonymous-usage-stats", "--no-version-check", "--log-level-file", "none"]
        # The static parser has threads of its own, which no fork would have.
        options.append("--no-static-parser")
        places = ["--project-dir", str(project), "--profiles-dir", str(project), "--target-path", f"{folder}/target"]
        done = dbtRunner().invoke([*options, "parse", "--no-partial-parse", *places])
        if not done.success:
            raise SystemExit(f"dbt cannot parse {_WARM_PROJECT}: {done.exception}")
    gc.collect()
    gc.freeze()  # a child's collector would copy every page it looks at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True, type=Path)
    path = parser.parse_args().socket
    began = time.monotonic()
    _warm()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    server = Server(path)
    log.info("ready at %s after %.1f s", path, time.monotonic() - began)
    server.serve()


if __name__ == "__main__":
    main()
