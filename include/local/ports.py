"""Loopback ports: choose free ones, find out who holds one."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from local.errors import StackError

LOOPBACK = "127.0.0.1"

# Below the range from which Linux takes the ports of outgoing connections, so that none is taken before we listen.
FREE_RANGE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Whether this machine lets us listen on PORT now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """Whether something accepts connections on PORT."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def choose(names: Iterable[str]) -> dict[str, int]:
    """A free port for each of NAMES, all different."""
    candidates = random.sample(FREE_RANGE, len(FREE_RANGE))
    free = (port for port in candidates if is_free(port))
    return {name: next(free) for name in names}


def listener(port: int) -> str:
    """Who listens on PORT, as far as this user may see: "pid 12 (postgres -D …)", else "a process of another user"."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            try:
                command = " ".join(psutil.Process(connection.pid).cmdline())
            except psutil.Error:
                break
            return f"pid {connection.pid} ({command[:100]})"
    return "a process this user cannot see"


def require_free(part: str, port: int) -> None:
    """`StackError` naming the listener and the remedy if PORT, which PART wants, is taken."""
    if not is_free(port):
        raise StackError(
            f"port {port}, wanted for {part}, is in use by {listener(port)}. "
            f"Stop that process, or change the port in include/local/settings.toml, or start with --free-ports"
        )


def remember(path: Path, ports: Mapping[str, int]) -> None:
    path.write_text(json.dumps(ports, indent=1) + "\n")


def recall(path: Path) -> dict[str, int] | None:
    """The ports that `remember` wrote to PATH, or None if there is no such file."""
    return json.loads(path.read_text()) if path.exists() else None
