"""From a request to an environment that is used, and to nothing."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Client


def test_an_environment_is_provisioned_used_and_destroyed(client: Client, slug: str) -> None:
    environment = client.up("--name", slug, "--owner", "ada")
    env_id = f"sbx-{slug}"
    assert (environment["id"], environment["state"], environment["owner"]) == (env_id, "ready", "ada")
    assert any(client.inventory(env_id).values()), "the systems themselves have it"

    ran = client("run", env_id, "payments_to_snowflake", "2026-01-02", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["state"] == "success"

    assert client("down", env_id).code == 0
    assert client("show", env_id, "--json").json["state"] == "destroyed"
    assert {system: left for system, left in client.inventory(env_id).items() if left} == {}
    assert env_id not in {one["id"] for one in client("list", "--json").json}
    assert env_id in {one["id"] for one in client("list", "--all", "--json").json}


def test_the_run_says_how_to_use_the_environment_and_its_tasks_have_names(
    client: Client, shared: dict[str, Any]
) -> None:
    run = client.get(f"/dags/provision_env/dagRuns/{shared['run_id']}")
    for needed in (
        shared["id"],
        f"/testenv/environments/{shared['id']}",
        "until",
        f"bin/testenv connect {shared['id']}",
    ):
        assert needed in run["note"]
    names = {task["task_id"]: task["task_display_name"] for task in client.get("/dags/provision_env/tasks")["tasks"]}
    assert names["create.snowflake"] == "Snowflake database, role and user"


def test_the_log_of_a_run_is_in_the_log_of_its_task(client: Client, shared: dict[str, Any]) -> None:
    failed = client("run", shared["id"], "no_such_dag", "2026-01-02")
    assert failed.code == 1
    assert "there is no DAG 'no_such_dag'" in failed.err
    runs = [log["log"] for log in client("logs", shared["id"], "--json").json if "no_such_dag" in log["what"]]
    assert "no_such_dag" in client("logs", shared["id"], runs[0]).out
    assert client("logs", shared["id"], "no-such-log").code == 3


def test_an_environment_can_be_extended_within_the_bounds_of_its_kind(client: Client, shared: dict[str, Any]) -> None:
    extended = client("extend", shared["id"], "24", "--json")
    assert extended.json["expires_at"] > shared["expires_at"]
    too_long = client("extend", shared["id"], "9999")
    assert too_long.code == 4
    assert "336 hours" in too_long.err


def test_the_same_name_is_not_given_twice_and_the_first_is_left_alone(client: Client, shared: dict[str, Any]) -> None:
    again = client("up", "--name", shared["id"].removeprefix("sbx-"))
    assert again.code == 2
    assert "exists already" in again.err and f"bin/testenv down {shared['id']}" in again.err
    assert client("show", shared["id"], "--json").json["state"] == "ready"
