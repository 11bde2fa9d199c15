"""What dbt's suites need: a profile of the local Snowflake that `fidelity.py` started, and the known failures."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

REASONS = tomllib.loads((Path(__file__).parent / "reasons.toml").read_text())

if "TESTENV_SUITES_PORT" not in os.environ:
    collect_ignore_glob = ["*.py"]  # these need dbt and a server: `make fidelity`


@pytest.fixture(scope="class")
def dbt_profile_target() -> dict[str, object]:
    return {
        "type": "snowflake",
        "threads": 4,
        "account": "local",
        "host": "localhost",
        "port": int(os.environ["TESTENV_SUITES_PORT"]),
        "user": "DBT_TESTER",
        "private_key": os.environ["TESTENV_SUITES_KEY"],
        "role": "DBT_TESTER",
        "database": "DBT_TESTS",
        "warehouse": "DBT_TESTING",
        "platform_detection_timeout_seconds": 0,
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures of reasons.toml, strictly: one that passes fails the run."""
    for item in items:
        name = test_name(item.nodeid)
        if reason := next(
            (r for key, r in REASONS["fails"].items() if name == key or name.startswith(key + "::")), None
        ):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def test_name(nodeid: str) -> str:
    """A test as reasons.toml calls it: `area::Class::test`, without parameters."""
    path, _, rest = nodeid.partition("::")
    return f"{Path(path).stem.removeprefix('test_')}::{rest.partition('[')[0]}"


test_name.__test__ = False  # type: ignore[attr-defined]
