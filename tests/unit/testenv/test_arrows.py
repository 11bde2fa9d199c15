"""Which way imports go: the engine runs where Airflow is not."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import testenv

HEAVY = {"airflow", "boto3", "confluent_kafka", "great_expectations", "polars", "pyspark", "snowflake.connector"}
INCLUDE = Path(testenv.__file__).parents[1]


def test_all_of_testenv_imports_without_airflow_and_without_heavy_clients() -> None:
    modules = [
        info.name
        for info in pkgutil.walk_packages(testenv.__path__, "testenv.")
        if "migrations" not in info.name and not info.name.endswith("__main__")
    ]
    assert len(modules) > 20
    code = (
        f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"heavy = {HEAVY!r}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(INCLUDE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"
