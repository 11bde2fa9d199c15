"""Where the embedded stack keeps its things, and where the repository keeps its own."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.errors import StackError

REPO = Path(__file__).resolve().parents[2]
INCLUDE = REPO / "include"
CACHE = REPO / ".cache"

# Linux holds the path of a unix socket in 108 bytes, the last of them zero.
SOCKET_PATH_LIMIT = 107


def venv_bin(venv: str, program: str = "python") -> Path:
    """The path of PROGRAM in the virtual environment `.venv/VENV`; an error names the remedy if it is not there."""
    path = REPO / ".venv" / venv / "bin" / program
    if not path.exists():
        raise StackError(f"{path} does not exist: run `make install` first")
    return path


def cache_folder() -> Path:
    """`.cache/` of the repository: what is expensive to get and the same for every stack. Git ignores it."""
    CACHE.mkdir(exist_ok=True)
    ignore = CACHE / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return CACHE


def write_private(path: Path, text: str) -> Path:
    """Write TEXT to PATH so that only its owner can ever read it, and never half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.touch(mode=0o600)
    draft.chmod(0o600)
    draft.write_text(text)
    draft.replace(path)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of PATH against threads and processes that do the same, waiting for it."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Home:
    """One stack's folder. Two stacks with different homes and ports live side by side."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> Home:
        """The home at ROOT, with its folders made, readable by its owner only."""
        home = cls(root.absolute())
        longest = home.run / "supervisor.sock"
        if len(os.fsencode(longest)) > SOCKET_PATH_LIMIT - 10:  # supervisord adds ".PID" while it binds
            raise StackError(
                f"the path of the stack's folder is too long for a unix socket: {longest} has {len(str(longest))} "
                f"characters, {SOCKET_PATH_LIMIT - 10} are allowed. Choose a shorter one with --home"
            )
        home.root.mkdir(parents=True, exist_ok=True)
        for folder in (home.run, home.logs, home.conf, home.data, home.tls):
            folder.mkdir(mode=0o700, exist_ok=True)
        return home

    @property
    def run(self) -> Path:
        """Sockets and pid files: what lives as long as the processes."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def conf(self) -> Path:
        """Generated configuration; holds secrets."""
        return self.root / "conf"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def airflow(self) -> Path:
        """`AIRFLOW_HOME` of the management Airflow."""
        return self.root / "airflow"

    @property
    def stack_env(self) -> Path:
        return self.root / "stack.env"

    @property
    def production_env(self) -> Path:
        return self.root / "production.env"

    def log_of(self, part: str) -> Path:
        return self.logs / f"{part}.log"
