"""The page *Test environments*, and the REST API beside it."""

from __future__ import annotations

import functools

from testenv_airflow.hooks.testenv import TestenvHook


@functools.cache
def hook() -> TestenvHook:
    """One for each web worker: its connections are kept, and not made anew by every request."""
    return TestenvHook()
