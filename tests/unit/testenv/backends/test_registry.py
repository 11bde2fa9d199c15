"""Importing the engine is cheap: operators do it in every task."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

INCLUDE = Path(__file__).resolve().parents[4] / "include"


@pytest.mark.parametrize(
    "vendor", ["snowflake.connector", "confluent_kafka", "boto3", "botocore", "psycopg2", "cryptography"]
)
def test_no_vendors_client_is_imported_before_it_is_used(imported: set[str], vendor: str) -> None:
    assert vendor not in imported


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Names of the modules that a fresh process has after it imported the registry."""
    script = "import sys, testenv.backends.registry; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(INCLUDE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(answer.stdout.split())
