"""What the management DAGs share."""

from __future__ import annotations

from testenv.core.resources import System
from testenv_airflow.defaults import PARTS, REMOVALS


def test_every_system_is_made_by_one_task_and_destroyed_by_one() -> None:
    for tasks in (PARTS, REMOVALS):
        assert sorted(system for part in tasks.values() for system in part.systems) == sorted(System)
