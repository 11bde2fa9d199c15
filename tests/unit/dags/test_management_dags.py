"""The management DAGs: what a person sees in the form and the grid, and what must hold however they are edited."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from testenv.checks.plan import Asked, parse_asked
from testenv.core.spec import Request, parse_request
from testenv.core.upkeep import load_upkeep

ROOT = Path(__file__).parents[3]
NAMES = (
    "destroy_env",
    "move_env",
    "provision_env",
    "reap_environments",
    "record_tapes",
    "refresh_datasets",
    "replay_stream",
    "run_pipeline",
    "serve_env",
    "validate_release",
)
POOLS = ROOT / "include" / "catalog" / "pools.json"
SETTINGS = ROOT / "include" / "local" / "settings.toml"
HEAVY = {"snowflake.connector", "confluent_kafka", "pyspark", "great_expectations", "dbt", "pyarrow"}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'include'}:{ROOT / 'plugins'}",
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
    }
    subprocess.run([sys.executable, "-m", "testenv_airflow.manifest"], env=environment, check=True)
    script = Path(__file__).with_name("parse_management_dags.py")
    command = [sys.executable, "-W", "ignore", script, ROOT / "dags"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def dags(parsed: dict[str, Any]) -> dict[str, Any]:
    return {name: dag for file in parsed["files"].values() for name, dag in file["dags"].items()}


def test_each_file_holds_the_dag_it_is_named_after(parsed: dict[str, Any]) -> None:
    assert {name: file["errors"] for name, file in parsed["files"].items() if file["errors"]} == {}
    assert {name: list(file["dags"]) for name, file in parsed["files"].items()} == {f"{n}.py": [n] for n in NAMES}


def test_each_file_parses_in_two_seconds_and_imports_nothing_heavy(parsed: dict[str, Any]) -> None:
    assert {name: file["seconds"] for name, file in parsed["files"].items() if file["seconds"] > 2} == {}
    assert HEAVY & set(parsed["imported"]) == set()


def test_the_form_of_provision_env_asks_for_exactly_what_the_engine_takes(dags: dict[str, Any]) -> None:
    provision = dags["provision_env"]
    assert set(provision["params"]) == set(Request.model_fields)
    assert parse_request(provision["defaults"]) == Request(), "the defaults of the form work, and are the engine's"


def test_the_form_of_provision_env_may_be_sent_as_it_opens(dags: dict[str, Any]) -> None:
    """A browser does not send an empty field, unless its type allows null."""
    provision = dags["provision_env"]
    empty = [name for name, value in provision["defaults"].items() if value in ("", None)]
    assert [name for name in empty if "null" not in provision["params"][name]["schema"]["type"]] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_dag_explains_itself_and_allows_forty_at_once_where_that_makes_sense(
    dags: dict[str, Any], name: str
) -> None:
    dag = dags[name]
    assert dag["doc"].strip().startswith("###") and "testenv" in dag["tags"]
    for key, param in dag["params"].items():
        assert param["description"], f"{name}: {key}"
        assert param["schema"].get("title") and param["schema"].get("type"), f"{name}: {key}"
    if name in ("provision_env", "destroy_env", "run_pipeline", "validate_release"):
        assert dag["max_active_runs"] >= 40


@pytest.mark.parametrize("name", NAMES)
def test_every_task_has_an_end_and_says_why_it_failed(dags: dict[str, Any], name: str) -> None:
    tasks = dags[name]["tasks"]
    work = {task_id: task for task_id, task in tasks.items() if not task_id.endswith("_done")}
    assert [task_id for task_id, task in work.items() if not task["timeout"]] == []
    assert [task_id for task_id, task in work.items() if not task["notes_failure"]] == []


def test_a_lease_outlasts_the_longest_task(dags: dict[str, Any]) -> None:
    """Within one task no step may need to end for its lease not to."""
    tasks = [
        task for name in ("provision_env", "destroy_env", "reap_environments") for task in dags[name]["tasks"].values()
    ]
    longest = max(task["timeout"] for task in tasks if task["timeout"])
    assert load_upkeep().lease_seconds.working >= 2 * longest


def test_own_tasks_have_names_for_people(dags: dict[str, Any]) -> None:
    own = {
        task_id: task["name"]
        for dag in dags.values()
        for task_id, task in dag["tasks"].items()
        if not task["in_triggerer"] and not task_id.endswith("_done")
    }
    assert [task_id for task_id, name in own.items() if name in (task_id, task_id.rsplit(".", 1)[-1])] == []


def test_a_name_that_is_refused_is_told_the_rule(dags: dict[str, Any]) -> None:
    """Airflow answers with the schema, which has no description: the rule stands in its comment."""
    for dag in dags.values():
        for param in dag["params"].values():
            assert "pattern" not in param["schema"] or "such as" in param["schema"]["$comment"]


def test_the_cleaning_up_follows_everything_and_does_not_decide_the_run(dags: dict[str, Any]) -> None:
    """A run's state is that of its leaves that are no teardown: `ready` must be one, or a failed run ends green."""
    tasks = dags["provision_env"]["tasks"]
    assert tasks["abandon"]["teardown"]
    assert [task_id for task_id, task in tasks.items() if "ready" in task["upstream"]] == ["abandon"]
    parts = {task_id for task_id in tasks if task_id.startswith("create.")}
    assert {"admit", "verify", "ready", *parts} <= set(tasks["abandon"]["upstream"])
    assert tasks["abandon"]["in_triggerer"]  # where nothing failed, it costs no worker process


def test_no_more_trials_run_than_the_pool_has_places_for_though_they_wait_without_a_worker(
    dags: dict[str, Any],
) -> None:
    pool = dags["validate_release"]["tasks"]["trial"]["pool"]
    assert json.loads(POOLS.read_text())[pool]["include_deferred"]


def test_a_task_that_speaks_to_a_system_runs_in_that_systems_pool(dags: dict[str, Any]) -> None:
    slots = {name: pool["slots"] for name, pool in json.loads(POOLS.read_text()).items()}
    pools = {task_id: task["pool"] for task_id, task in dags["provision_env"]["tasks"].items()}
    grouped = [pool for task_id, pool in pools.items() if task_id.startswith("create.")]
    assert len(grouped) == len(set(grouped)) == 4
    assert set(grouped) <= slots.keys()
    assert {task["pool"] for task in dags["destroy_env"]["tasks"].values()} == {"inventory"}
    assert dags["provision_env"]["tasks"]["build.dbt_producer_watcher"]["pool"] == "dbt"
    parallel = tomllib.loads(SETTINGS.read_text())["airflow"]["CORE__PARALLELISM"]
    assert all(number <= parallel / 4 for number in slots.values()), "a system that hangs must leave workers to others"


def test_models_are_watched_without_worker_processes(dags: dict[str, Any]) -> None:
    models = {
        task_id: task
        for task_id, task in dags["provision_env"]["tasks"].items()
        if task_id.startswith("build.") and not task_id.startswith("build.dbt_producer_watcher")
    }
    assert len(models) >= 12
    assert all(task["in_triggerer"] for task in models.values())


def test_the_build_waits_for_snowflake_alone(dags: dict[str, Any]) -> None:
    tasks = dags["provision_env"]["tasks"]
    assert tasks["build.dbt_producer_watcher"]["upstream"] == ["create.snowflake"]
    assert "build.dbt_producer_watcher" in tasks["verify"]["upstream"]


def test_the_form_of_validate_release_asks_for_exactly_what_the_validator_takes(dags: dict[str, Any]) -> None:
    validate = dags["validate_release"]
    assert set(validate["params"]) == set(Asked.model_fields)
    assert parse_asked(validate["defaults"]) == Asked(), "the defaults of the form work, and are the validator's"


def test_a_verdict_goes_from_a_selection_over_one_trial_to_a_gate(dags: dict[str, Any]) -> None:
    upstream = {task_id: task["upstream"] for task_id, task in dags["validate_release"]["tasks"].items()}
    work = {task_id: tasks for task_id, tasks in upstream.items() if task_id != "destroy"}
    assert work == {
        "select": [],
        "static": ["select"],
        "provision": ["select"],
        "trial": ["provision"],
        "check": ["select", "trial"],
        "report": ["check", "static"],
        "gate": ["report"],
    }


def test_a_verdict_is_reported_and_its_environment_ended_whatever_went_wrong(dags: dict[str, Any]) -> None:
    """The gate is the one leaf that is no teardown: the run's state is the verdict's."""
    tasks = dags["validate_release"]["tasks"]
    assert tasks["report"]["trigger_rule"] == "all_done" and tasks["gate"]["trigger_rule"] == "all_success"
    assert tasks["destroy"]["teardown"] and set(tasks["destroy"]["upstream"]) == tasks.keys() - {"destroy"}
    assert [task_id for task_id, task in tasks.items() if "gate" in task["upstream"]] == ["destroy"]


def test_two_checks_of_a_verdict_at_once_and_a_trial_is_not_tried_again(dags: dict[str, Any]) -> None:
    tasks = dags["validate_release"]["tasks"]
    assert tasks["check"]["at_once"] == 2
    assert [task_id for task_id, task in tasks.items() if task["retries"] == 0] == ["trial", "gate"]
    limits = Asked.model_fields["trial_minutes"].metadata
    longest = next(each.le for each in limits if hasattr(each, "le"))
    assert tasks["trial"]["timeout"] > 60 * (longest + 2)
