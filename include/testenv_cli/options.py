"""Options that many commands have, and the control plane that they ask."""

from __future__ import annotations

from typing import Annotated

import typer

from testenv_cli.client import ControlPlane
from testenv_cli.settings import read_settings

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Start it, and do not wait for its end.")]
Timeout = Annotated[int, typer.Option("--timeout", min=1, help="Wait at most this many seconds.")]


def plane() -> ControlPlane:
    """The control plane that the settings name."""
    return ControlPlane(read_settings())
