"""What the management DAGs share."""

from __future__ import annotations

from testenv.core.resources import System
from testenv_airflow.defaults import PARTS


def test_every_system_is_made_by_one_task() -> None:
    assert sorted(system for part in PARTS.values() for system in part.systems) == sorted(System)
