"""The warm parent that runs dbt, and the executable that the others call."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path

from local.errors import StackError
from local.home import INCLUDE, venv_bin
from local.parts.aws import surroundings
from local.parts.base import Part
from local.site import Site

CLIENT = INCLUDE / "local" / "dbt" / "client.py"


def executable(site: Site) -> Path:
    """What to call instead of `dbt`: the same arguments, streams and exit code, a third of the CPU."""
    path = site.home.conf / "dbt"
    words = [str(venv_bin("dbt")), "-I", "-S", str(CLIENT), str(_socket(site)), str(venv_bin("dbt", "dbt"))]
    text = f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        path.chmod(0o700)
    return path


def _socket(site: Site) -> Path:
    return site.home.run / "dbt.sock"


class Dbt(Part):
    name = "dbt"

    def command(self) -> list[str]:
        return [str(venv_bin("dbt")), "-m", "local.dbt.server", "--socket", str(_socket(self.site))]

    def environ(self) -> dict[str, str]:
        return {
            **surroundings(self.site),
            "PYTHONPATH": str(INCLUDE),
            "SNOWFLAKE_DISABLE_MINICORE": "true",  # it starts a thread as it is imported, and one that forks has none
        }

    def prepare(self) -> None:
        _socket(self.site).unlink(missing_ok=True)

    def probe(self, started: int) -> None:
        path = _socket(self.site)
        if not path.is_socket():
            raise StackError(f"{path} is not there yet")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(str(path))
