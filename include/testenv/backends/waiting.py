"""Waiting for a system to have done what it said it would do."""

from __future__ import annotations

import time
from collections.abc import Callable

from testenv.core.errors import Unavailable


def wait_until(done: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Ask `done` until it says yes, more and more rarely. Raises `Unavailable` after `seconds`."""
    deadline, pause = time.monotonic() + seconds, 0.05
    while not done():
        if time.monotonic() > deadline:
            raise Unavailable(f"waited {seconds:g} s until {what}, in vain")
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
