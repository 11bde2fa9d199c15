"""A few of dbt's own suites, which `make fidelity` runs all of."""

from pathlib import Path

from tests.adapter import fidelity
from tests.integration.local.snowflake.support import running_server

SELECTED = (
    "test_basic.py::TestIncremental",
    "test_grants.py::TestModelGrants",
    "test_simple_snapshot.py::TestSnapshot::test_inserts_are_captured_by_snapshot",
    "test_completeness.py",
)


def test_dbt_suites_pass(tmp_path: Path) -> None:
    """As Snowflake: an incremental model, grants and a snapshot of dbt-tests-adapter; no suite of it is forgotten."""
    with running_server(tmp_path, "http://localhost:1") as server:
        assert fidelity.run_suites(server, tmp_path / "junit.xml", *SELECTED) == 0
    assert sum(len(area.passed) for area in fidelity.read(tmp_path / "junit.xml").values()) == len(SELECTED)
