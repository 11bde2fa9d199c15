"""For tests that start stacks of their own, of a few parts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import local, new_home


@pytest.fixture
def own_home() -> Iterator[Path]:
    """An empty folder for a stack; whatever was started in it is stopped after the test."""
    home = new_home()
    yield home
    local("down", home)
    shutil.rmtree(home, ignore_errors=True)
