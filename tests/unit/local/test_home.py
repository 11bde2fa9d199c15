"""The stack's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import StackError
from local.home import Home


def test_its_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "stack")
    for folder in (home.run, home.logs, home.conf, home.data, home.tls):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_path_too_long_for_a_socket_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="too long for a unix socket.*--home"):
        Home.at(tmp_path / ("x" * 100))
