"""Nobody gets at an environment without logging in, and its credentials stand nowhere but where they are asked for."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import psycopg2
import pytest
from tests.commits import commit
from tests.conftest import REPO
from tests.e2e.conftest import Client

from testenv.backends.secrets import HOLDERS
from testenv.core.naming import EnvId
from testenv.engine import Engine

MODEL = "include/dbt/finsight/models/marts/fct_payments.sql"
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
    assert any(shared["run_id"] in str(file) for file in logs), "its own are among them"
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


# ---------------------------------------------------------------- a whole life: provision, run, destroy


@dataclass(frozen=True)
class Life:
    """What an environment that is gone had as secrets, and every command line that was seen while it was made."""

    env_id: str
    run_id: str
    secrets: list[str] = field(repr=False)
    command_lines: set[str] = field(repr=False)


@pytest.fixture(scope="module")
def life(client: Client, engine: Engine) -> Life:
    """Of a commit that changes a model, so that dbt runs too."""
    ref = commit({MODEL: f"-- another\n{(REPO / MODEL).read_text()}"})
    env_id, seen, over = EnvId(f"sbx-l{token_hex(4)}"), set(), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):  # a process that ended
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        made = client.up("--name", env_id.slug, "--owner", "a test", "--ref", ref)
        values = [v for part in client("connect", str(env_id), "--json").json.values() for v in _secrets_of(part)]
        for system in HOLDERS:
            values += _secrets_of(engine.vault.find(env_id, system) or {})
        run = client("run", str(env_id), "payments_to_snowflake", "2026-01-02")
    finally:
        over.set()
        watcher.join()
        down = client("down", str(env_id))
    assert (run.code, down.code) == (0, 0), run.err + down.err
    return Life(str(env_id), made["run_id"], sorted(set(values)), seen)


def _secrets_of(part: Mapping[str, str]) -> list[str]:
    values = [v for name, v in part.items() if name.endswith((*SECRET_NAMES, "fernet_key", "secret_key")) and v]
    return [value.splitlines()[5] if "PRIVATE KEY" in value else value for value in values]


def found(text: str | bytes, secrets: list[str]) -> list[int]:
    """Numbers of the secrets that stand in a text: a failure must not show them either."""
    content = text.encode() if isinstance(text, str) else text
    return [number for number, secret in enumerate(secrets) if secret.encode() in content]


def test_a_life_has_secrets_of_every_system(life: Life) -> None:
    assert len(life.secrets) >= 9


def test_no_command_line_held_a_secret(life: Life) -> None:
    assert any("provision_env" in line for line in life.command_lines), "its tasks were seen"
    assert [found(line, life.secrets) for line in life.command_lines if found(line, life.secrets)] == []


def test_no_log_of_any_part_held_one(client: Client, life: Life) -> None:
    """Of PostgreSQL, Kafka, Snowflake, the AWS stand-in, the management Airflow, and the environment's own tasks."""
    home = client.stack.home
    folders = [home / "logs", home / "airflow", home / "data" / "aws" / "tasks", home / "data" / "snowflake"]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    texts = {str(file.relative_to(home)): file.read_bytes() for file in files if file.exists()}
    assert any(life.env_id.encode() in text for text in texts.values()), "they tell of the environment"
    assert any(life.run_id in name and "dbt_producer_watcher" in name for name in texts), "and the build's is there"
    assert {name: found(text, life.secrets) for name, text in texts.items() if found(text, life.secrets)} == {}


def test_no_artifact_that_outlives_it_holds_one(client: Client, engine: Engine, life: Life) -> None:
    kept = engine.run_result(EnvId(life.env_id), "payments_to_snowflake", "2026-01-02")
    assert kept.log and kept.result
    assert found(kept.log + json.dumps(kept.result), life.secrets) == []


@pytest.mark.parametrize("database", ["airflow_management", "testenv_ledger"])
def test_no_row_of_the_ledger_or_the_management_airflow_holds_one(client: Client, life: Life, database: str) -> None:
    """XComs, rendered templates, notes, confs, audit logs; steps, errors and events: every column of every table."""
    env = client.stack.env
    with (
        contextlib.closing(
            psycopg2.connect(
                host=env["TESTENV_POSTGRES_HOST"],
                port=env["TESTENV_POSTGRES_PORT"],
                user="stack_admin",
                password=json.loads((client.stack.home / "secrets.json").read_text())["postgres_stack_admin"],
                dbname=database,
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        seen, holding = False, {}
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            # bytea, as XComs are, is shown in hexadecimal
            rows = [text for (text,) in cursor.fetchall()]
            binary = [code for text in rows for code in re.findall(r"\\x((?:[0-9a-f]{2})+)", text)]
            rows += [bytes.fromhex(code).decode(errors="replace") for code in binary]
            seen = seen or any(life.env_id in text for text in rows)
            if numbers := [n for text in rows for n in found(text, life.secrets)]:
                holding[table] = numbers
    assert seen, "they tell of the environment"
    assert holding == {}


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
