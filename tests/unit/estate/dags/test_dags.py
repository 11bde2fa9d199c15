from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from estate.factory import generated, make_dag, read_catalog

ROOT = Path(__file__).parents[4]
FRAUD = ("cards", "devices", "logins", "disputes")
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


BY_HAND = ("card_events_to_snowflake", "finsight_dbt", "payments_to_snowflake", "settlements_to_snowflake")


def test_each_file_holds_the_dag_it_is_named_after(parsed: dict[str, Any]) -> None:
    assert {name: file["errors"] for name, file in parsed.items() if file["errors"]} == {}
    found = {name: [dag["dag_id"] for dag in file["dags"]] for name, file in parsed.items() if name != "catalogue.py"}
    assert found == {f"{name}.py": [name] for name in BY_HAND}


def test_the_catalog_makes_all_other_pipelines(parsed: dict[str, Any]) -> None:
    made = {dag["dag_id"]: dag for dag in parsed["catalogue.py"]["dags"]}
    catalog = read_catalog()
    assert len(made) == 117
    assert made.keys() == catalog.keys() - {*BY_HAND}
    for id_, dag in made.items():
        entry = catalog[id_]
        assert dag["schedule"] == entry.schedule
        assert {entry.archetype, entry.criticality} < {*dag["tags"]}
        assert {task["owner"] for task in dag["tasks"].values()} == {entry.owner}


def test_all_of_the_estate_is_parsed_in_ten_seconds(parsed: dict[str, Any]) -> None:
    assert sum(file["seconds"] for file in parsed.values()) < 10


def test_where_one_dag_is_asked_for_only_that_one_is_made() -> None:
    assert list(generated("logins_hourly")) == ["logins_hourly"]
    assert not generated("payments_to_snowflake") and not generated("of_another_file")


@pytest.mark.parametrize(
    ("pipeline", "tasks"),
    [
        ("fraud_watch_hourly", {f"{verb}_{table}" for verb in ("extract", "load") for table in FRAUD}),
        ("bureau_scores_daily", {"read", "load_bureau_scores"}),
        ("settlements_corrections_7d", {"flatten", "load_settlements", "load_fx_rates"}),
        ("login_events_stream", {"drain", "load"}),
        ("card_events_nightly", {"drain", "load"}),
    ],
)
def test_a_generated_pipeline_has_the_tasks_of_its_archetype(
    parsed: dict[str, Any], pipeline: str, tasks: set[str]
) -> None:
    assert dags(parsed)[pipeline]["tasks"].keys() == tasks


def test_a_drain_of_avro_knows_where_the_schemas_are_and_no_two_share_a_checkpoint() -> None:
    made = generated()
    arguments = {
        id_: dag.get_task("drain").job_driver["sparkSubmit"]["entryPointArguments"]
        for id_, dag in made.items()
        if dag.has_task("drain")
    }
    assert "--schemas={{ var.value.topic_prefix }}_schemas" in arguments["login_events_stream"]
    assert not any(word.startswith("--schemas") for word in arguments["notifications_stream"])
    checkpoints = [word for words in arguments.values() for word in words if word.startswith("--checkpoint")]
    assert len(checkpoints) == len({*checkpoints}) == 15
    assert "--checkpoint={{ var.value.checkpoints_url }}card_events/" not in checkpoints


def test_an_archetype_that_is_none_is_refused() -> None:
    entry = replace(read_catalog()["logins_hourly"], archetype="ftp")
    with pytest.raises(ValueError, match="'ftp' is not known; there are postgres, s3 and kafka"):
        make_dag(entry)


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
