"""The Snowflake connector that dbt has lets several threads fetch first at the same time, as dbt's threads do."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest
from tests.conftest import REPO

SCRIPT = Path(__file__).with_name("first_fetches.py")


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """Two rows as Snowflake sends them."""
    amount = pa.field("AMOUNT", pa.int64(), metadata={"logicalType": "FIXED", "precision": "18", "scale": "2"})
    day = pa.field("DAY", pa.date32(), metadata={"logicalType": "DATE"})
    schema = pa.schema([amount, day])
    with pa.ipc.new_stream(path := tmp_path / "rows.arrow", schema) as out:
        out.write_table(pa.table([pa.array([100, 250]), pa.array([1, 2], pa.date32())], schema=schema))
    return path


def test_none_waits_for_another_for_ever(stream: Path) -> None:
    python = REPO / ".venv/dbt/bin/python"
    with subprocess.Popen([python, SCRIPT, stream, "40"], start_new_session=True) as running:
        try:
            assert running.wait(timeout=60) == 0
        except subprocess.TimeoutExpired:
            pytest.fail("threads that fetched at the same time hang")
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
