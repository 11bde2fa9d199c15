"""A recording, as people start it by the form's values; and an environment whose topics are filled from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.conftest import RunningStack
from tests.e2e.conftest import Client

from estate.production.settings import Settings
from estate.production.stores import kafka
from estate.production.world import World, build
from testenv.config import Config
from testenv.datasets.tapes.sets import TapeStore

RUNS = "/dags/record_tapes/dagRuns"


@pytest.fixture(scope="module")
def people(stack: RunningStack, settings: None) -> World:
    """Who stands in production's topics."""
    made = build(seed=1, scale=0.02)
    kafka.fill(made, Settings.read(stack.home / "production.env"))
    return made


@pytest.fixture(scope="module")
def run(client: Client, stack: RunningStack, people: World) -> Iterator[dict[str, Any]]:
    """A run that recorded two topics."""
    conf = {"topics": ["login_events", "loan_events"], "records": 20}
    started = client.http.post(f"/api/v1{RUNS}", json={"conf": conf}).json()
    ended = client.wait("record_tapes", started["dag_run_id"], 240)
    assert ended["state"] == "success", ended["note"]
    yield ended
    store = TapeStore(Config.from_environ(stack.env))
    store.delete(client.get(f"{RUNS}/{ended['dag_run_id']}/taskInstances/publish/xcomEntries/return_value")["value"])


def test_each_topic_has_a_task_of_its_name_and_tells_nobody_s(
    client: Client, people: World, run: dict[str, Any]
) -> None:
    tasks = client.get(f"{RUNS}/{run['dag_run_id']}/taskInstances")["task_instances"]
    names = {task["rendered_map_index"]: task["map_index"] for task in tasks if task["task_id"] == "record"}
    assert names.keys() == {"loan_events", "login_events"}
    emails = [row["email"] for row in people.tables["customers"]]
    for number in names.values():
        path = f"/api/v1{RUNS}/{run['dag_run_id']}/taskInstances/record/logs/1?map_index={number}&full_content=true"
        log = client.http.get(path, headers={"Accept": "text/plain"}).text
        assert "records of 3 partitions" in log
        assert [email for email in emails if email in log] == []


def test_the_set_is_listed_and_an_environment_is_filled_from_it(client: Client, run: dict[str, Any], slug: str) -> None:
    recorded = next(each for each in client("tapes", "list", "--json").json if f"**{each['name']}**" in run["note"])
    assert not recorded["current"], "a set of some topics is nobody's default"
    assert {"loan_events", "login_events"} < recorded["topics"].keys()
    environment = client.up("--name", slug, "--tapes", recorded["name"])
    assert environment["tapes"] == recorded["name"]
    [listed] = [each for each in client("tapes", "list", "--json").json if each["name"] == recorded["name"]]
    assert environment["id"] in listed["environments"]
    asked = ("--variant", "duplicated", "--seed", "3", "--group", "reader=0:0", "--json")
    replayed = client("replay", environment["id"], "login_events", *asked).json
    assert "read back and equal" in replayed["note"] and "duplicated" in replayed["note"]
    refused = client("replay", environment["id"], "salaries")
    assert refused.code == 1 and "has no topic 'salaries'" in refused.err
    assert client("down", environment["id"]).code == 0


def test_what_the_form_does_not_offer_is_refused(client: Client) -> None:
    answer = client.http.post(f"/api/v1{RUNS}", json={"conf": {"topics": ["salaries"]}})
    assert answer.status_code == 400 and "salaries" in json.dumps(answer.json())
