"""`bin/testenv move` and `keep`: a sandbox goes to another dataset version, and what its owner marked goes along."""

# ruff: noqa: F811 - fixtures that are imported are used by name
from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
import pytest
from tests.conftest import RunningStack
from tests.e2e.conftest import Client
from tests.integration.testenv.moves.conftest import Versions, versions  # noqa: F401 - a fixture

from testenv.config import Config


@pytest.fixture(scope="session")
def config(stack: RunningStack, settings: None) -> Config:
    return Config.from_environ(stack.env)


def ask(client: Client, env_id: str, *statements: str) -> list[tuple[Any, ...]]:
    login = client("connect", env_id, "--json").json["postgres"]
    with closing(psycopg2.connect(**login)) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_environment_is_moved_by_the_command_line(client: Client, versions: Versions, slug: str) -> None:
    env_id = client.up("--name", slug, "--dataset", versions.first)["id"]
    merchants = "SELECT count(*) FROM merchants WHERE merchant_id = 999"
    assert ask(client, env_id, "UPDATE branches SET city = 'kept'", merchants) == [(0,)]
    assert client("keep", env_id, "postgres:nosuch").code == 3
    assert client("keep", env_id, "nosuch:branches").code == 2
    assert "keeps postgres:branches" in client("keep", env_id, "postgres:branches").out

    moved = client("move", env_id, "--dataset", versions.second)

    assert moved.code == 0, moved.err
    assert f"stands on {versions.second}. Kept: postgres:branches." in moved.out
    shown = client("show", env_id, "--json").json
    assert (shown["state"], shown["dataset"], shown["kept"]) == ("ready", versions.second, ["postgres:branches"])
    assert ask(client, env_id, merchants) == [(1,)]
    assert ask(client, env_id, "SELECT DISTINCT city FROM branches") == [("kept",)]
    again = client("move", env_id, "--dataset", versions.second)
    assert again.code == 1
    assert f"stands on {versions.second} already" in again.err
    assert client("show", env_id, "--json").json["state"] == "ready"
    assert "keeps nothing" in client("keep", env_id, "postgres:branches", "--forget").out
    assert client("down", env_id).code == 0
