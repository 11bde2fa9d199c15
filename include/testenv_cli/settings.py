"""Where the control plane is, and who asks."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from testenv_cli.errors import CliError, Exit

STACK_ENV = Path(__file__).parents[2] / ".local" / "stack.env"
"""Settings of the embedded stack of this repository."""

NAMES = ("TESTENV_AIRFLOW_URL", "TESTENV_AIRFLOW_USER", "TESTENV_AIRFLOW_PASSWORD")


@dataclass(frozen=True)
class Settings:
    """Address and login of the management Airflow."""

    url: str
    user: str
    password: str = field(repr=False)


def read_settings(environ: Mapping[str, str] = os.environ, file: Path = STACK_ENV) -> Settings:
    """The settings in `environ`, else those of the embedded stack. Raises `CliError` naming what is missing."""
    values = {name: environ[name] for name in NAMES if environ.get(name)}
    if len(values) < len(NAMES) and file.is_file():
        values = _parse(file) | values
    if missing := [name for name in NAMES if not values.get(name)]:
        raise CliError(
            Exit.UNREACHABLE,
            f"where is the control plane? {', '.join(missing)} not set, and {file.parent.name}/{file.name} does not "
            "say. On one machine `make up` starts it; else set these environment variables",
        )
    url, user, password = (values[name] for name in NAMES)
    return Settings(url.rstrip("/"), user, password)


def _parse(file: Path) -> dict[str, str]:
    """`NAME=VALUE` lines, quoted as for a shell."""
    words = shlex.split(file.read_text(encoding="utf-8"), comments=True)
    return {name: value for name, _, value in (word.partition("=") for word in words)}
