from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
DAGS = ROOT / "include" / "estate" / "dags"
HEAVY = {"pandas", "numpy", "pyarrow", "pyspark", "snowflake.connector", "psycopg2", "dbt", "great_expectations"}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By file name: errors, seconds, modules it imported, and its DAGs."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "include"),
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("parse_dags.py")), str(DAGS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def dags(parsed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {dag["dag_id"]: dag for file in parsed.values() for dag in file["dags"]}


def test_each_file_holds_the_dag_it_is_named_after(parsed: dict[str, Any]) -> None:
    assert {name: file["errors"] for name, file in parsed.items() if file["errors"]} == {}
    assert {name: [dag["dag_id"] for dag in file["dags"]] for name, file in parsed.items()} == {
        f"{name}.py": [name]
        for name in ("card_events_to_snowflake", "finsight_dbt", "payments_to_snowflake", "settlements_to_snowflake")
    }


def test_parsing_is_quick_and_imports_nothing_heavy(parsed: dict[str, Any]) -> None:
    for name, file in parsed.items():
        assert file["seconds"] < 2, name
        assert not HEAVY & set(file["imported"]), name


def test_each_dag_says_what_it_is_and_whose(parsed: dict[str, Any]) -> None:
    for dag in dags(parsed).values():
        assert dag["catchup"] is False
        assert "finsight" in dag["tags"]
        assert "Run it again" in dag["doc"]
        assert all(task["owner"] != "airflow" and task["retries"] == 2 for task in dag["tasks"].values())


def test_every_table_is_extracted_before_it_is_loaded(parsed: dict[str, Any]) -> None:
    tasks = dags(parsed)["payments_to_snowflake"]["tasks"]
    tables = ("customers", "merchants", "accounts", "cards", "payments")
    assert {name: task["after"] for name, task in tasks.items()} == {
        **{f"extract_{table}": [] for table in tables},
        **{f"load_{table}": [f"extract_{table}"] for table in tables},
    }


def test_spark_runs_by_the_unmodified_emr_operator(parsed: dict[str, Any]) -> None:
    for dag_id, task_id in (("settlements_to_snowflake", "flatten"), ("card_events_to_snowflake", "drain")):
        assert dags(parsed)[dag_id]["tasks"][task_id]["type"] == "EmrServerlessStartJobOperator"
