"""Environment files: `NAME=VALUE` a line, quoted for the shell, readable by their owner only."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from local.errors import StackError
from local.home import write_private


def render(values: Mapping[str, str], prefix: str = "") -> str:
    """VALUES as lines a shell can source, sorted by name."""
    return "".join(f"{prefix}{name}={shlex.quote(values[name])}\n" for name in sorted(values))


def write(path: Path, values: Mapping[str, str]) -> Path:
    """Write VALUES to PATH with mode 0600."""
    return write_private(path, render(values))


def read(path: Path) -> dict[str, str]:
    """The variables in PATH; `StackError` if it is missing or a line is not `NAME=VALUE`."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise StackError(f"{path} does not exist: is the stack up? Run `make up`") from None
    values = {}
    for word in shlex.split(text, comments=True):
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise StackError(f"{path} holds {name!r} where NAME=VALUE is expected: delete it and run `make up`")
        values[name] = value
    return values
