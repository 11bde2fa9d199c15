"""Nobody gets at an environment without logging in, and its credentials stand nowhere but where they are asked for."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.e2e.conftest import Client

SECRET_NAMES = ("password", "private_key", "secret_access_key", "session_token")


@pytest.fixture(scope="module")
def secrets(client: Client, shared: dict[str, Any]) -> list[str]:
    """Every secret that `connect` shows; a key by the first line that is its own."""
    shown = client("connect", shared["id"], "--json").json
    values = [v for part in shown.values() for name, v in part.items() if name.endswith(SECRET_NAMES) and v]
    return [value.splitlines()[5] if "PRIVATE KEY" in value else value for value in values]


def test_there_are_secrets_to_look_for(secrets: list[str]) -> None:
    assert len(set(secrets)) >= 5
    assert min(map(len, secrets)) >= 16


def test_no_task_log_holds_a_secret(client: Client, shared: dict[str, Any], secrets: list[str]) -> None:
    logs = [file for file in (client.stack.home / "airflow" / "logs").rglob("*.log*") if file.is_file()]
    mine = [file for file in logs if shared["run_id"] in str(file)]
    assert any("dbt_producer_watcher" in str(file) for file in mine), "the build's log is among them"
    assert [(file, n) for file in logs for n, s in enumerate(secrets) if s in file.read_text(errors="replace")] == []


def test_no_xcom_rendered_field_note_or_conf_holds_a_secret(
    client: Client, shared: dict[str, Any], secrets: list[str]
) -> None:
    path = f"/dags/provision_env/dagRuns/{shared['run_id']}"
    instances = client.get(f"{path}/taskInstances")["task_instances"]
    seen = [client.get(path), instances]
    for instance in instances:
        entries = client.get(f"{path}/taskInstances/{instance['task_id']}/xcomEntries")["xcom_entries"]
        seen += [
            client.get(f"{path}/taskInstances/{instance['task_id']}/xcomEntries/{entry['key']}") for entry in entries
        ]
    text = json.dumps(seen)
    assert shared["id"] in text, "the ids are there"
    assert "rendered_fields" in text, "and the rendered fields"
    assert [n for n, secret in enumerate(secrets) if secret in text or json.dumps(secret)[1:-1] in text] == []


def test_the_ledger_shows_no_secret_and_notes_who_was_shown_them(
    client: Client, shared: dict[str, Any], secrets: list[str]
) -> None:
    shown = client("show", shared["id"], "--json").out
    assert [n for n, secret in enumerate(secrets) if secret in shown] == []
    assert f"credentials were handed to {client.stack.env['TESTENV_AIRFLOW_USER']}" in shown


API = "/testenv/api/v1/environments"


@pytest.mark.parametrize("login", [None, ("admin", "wrong"), ("nobody", "nobody")], ids=["none", "wrong", "unknown"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", API), ("GET", API + "/ID"), ("GET", API + "/ID/connect"), ("POST", API + "/ID/extend")]
)
def test_without_a_login_nothing_is_told_or_changed(
    client: Client, shared: dict[str, Any], method: str, path: str, login: tuple[str, str] | None
) -> None:
    url = client.stack.env["TESTENV_AIRFLOW_URL"] + path.replace("ID", shared["id"])
    before = client("show", shared["id"], "--json").json
    answer = httpx.request(method, url, auth=login, json={"hours": 1} if method == "POST" else None)
    assert answer.status_code == 401
    assert shared["id"] not in answer.text
    assert client("show", shared["id"], "--json").json == before


@pytest.mark.parametrize("path", ["/testenv/environments", "/testenv/environments/ID"])
def test_the_pages_send_strangers_to_the_login(client: Client, shared: dict[str, Any], path: str) -> None:
    answer = httpx.get(client.stack.env["TESTENV_AIRFLOW_URL"] + path.replace("ID", shared["id"]))
    assert answer.status_code == 302 and "/login" in answer.headers["location"]
    assert "TE_SBX" not in answer.text


def test_a_form_of_a_foreign_page_changes_nothing(client: Client, shared: dict[str, Any]) -> None:
    """The API takes no CSRF token, so it must take nothing that a browser sends by itself."""
    answer = client.http.post(f"{API}/{shared['id']}/extend", data={"hours": "1"})
    assert answer.status_code == 400


def test_the_pages_show_an_environment_without_its_secrets(
    client: Client, shared: dict[str, Any], secrets: list[str]
) -> None:
    with client.browser() as browser:
        table, page = browser.get("/testenv/environments"), browser.get(f"/testenv/environments/{shared['id']}")
    assert table.is_success and shared["id"] in table.text and "ready" in table.text
    assert page.is_success and f"bin/testenv connect {shared['id']}" in page.text and "TE_SBX" in page.text
    assert [n for n, secret in enumerate(secrets) if secret in table.text + page.text] == []
