"""A night's refresh, as people and the scheduler start it: from production to an environment that holds none of it."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from tests.conftest import REPO, RunningStack
from tests.e2e.conftest import Client
from tests.e2e.leftovers import ask_everyone, of_production, search, values
from tests.integration.testenv.subscriber import subscribed

from testenv.backends.aws import client as aws
from testenv.backends.snowflake import Account
from testenv.config import Config
from testenv.core.contract import Store
from testenv.core.naming import golden_snowflake
from testenv.datasets.contracts import load_contracts
from testenv.datasets.observe import reader
from testenv.datasets.refresh.synthetic import synthesis
from testenv.datasets.seed import read_seed
from testenv.datasets.store import POINTER, DatasetStore
from testenv.datasets.subset import load_tiers, orphan_queries, plan
from testenv.datasets.synthesize.profile import FIRST_KEY
from testenv.production import Production

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

REFRESH_SECONDS = 900
"""After which it counts as hanging."""

IDENTIFIERS = "SELECT email FROM customers UNION SELECT iban FROM accounts UNION SELECT pan FROM cards"


@pytest.fixture(scope="module")
def config(stack: RunningStack, settings: None) -> Config:
    return Config.from_environ(stack.env)


@pytest.fixture(scope="module", autouse=True)
def published_as_before(config: Config) -> Iterator[None]:
    """Other tests stand on the seed."""
    before = DatasetStore(config).current()
    yield
    aws("s3", config).put_object(Bucket=config.bucket, Key=POINTER, Body=str(before).encode())


@pytest.fixture(scope="module")
def follower(client: Client) -> Iterator[str]:
    """A sandbox that follows new versions; its owner has changed its branches, and keeps them."""
    env_id = client.up("--name", f"e{secrets.token_hex(4)}", "--follow")["id"]
    login = client("connect", env_id, "--json").json["postgres"]
    with closing(psycopg2.connect(**login)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE branches SET city = 'kept'")
    assert client("keep", env_id, "postgres:branches").code == 0
    yield env_id
    client("down", env_id)


@pytest.fixture(scope="module")
def version(client: Client, stack: RunningStack, follower: str) -> str:
    """What a refresh from a small production has published."""
    command = [sys.executable, "-m", "estate.production", "fill", "--scale", "0.2", "--home", str(stack.home)]
    environ = {**os.environ, **stack.env, "PYTHONPATH": str(REPO / "include")}
    done = subprocess.run(command, cwd=REPO, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    started = client.http.post("/api/v1/dags/refresh_datasets/dagRuns", json={"conf": {}}).json()
    run = client.wait("refresh_datasets", started["dag_run_id"], REFRESH_SECONDS)
    assert run["state"] == "success", run["note"]
    path = f"/dags/refresh_datasets/dagRuns/{started['dag_run_id']}/taskInstances/check/xcomEntries/return_value"
    return str(client.get(path)["value"])


def test_every_tier_of_the_version_is_published_and_each_of_production_is_larger_than_the_one_before(
    client: Client, version: str
) -> None:
    found = {each["version"]: each for each in client("datasets", "list", "--json").json}
    tiers = [found[f"{version}-{tier}"] for tier in ("ci", "sandbox", "full", "synthetic")]
    assert all(tier["published"] for tier in tiers)
    rows = [tier["rows"] for tier in tiers]
    assert 0 < rows[0] < rows[1] < rows[2]
    assert "Rows of nobody" in client("datasets", "show", f"{version}-synthetic", "--json").json["manifest"]["about"]


def test_who_follows_stands_on_it_when_the_run_has_ended_with_what_its_owner_keeps(
    client: Client, version: str, follower: str
) -> None:
    shown = client("show", follower, "--json").json
    assert (shown["state"], shown["dataset"], shown["kept"]) == ("ready", f"{version}-sandbox", ["postgres:branches"])
    login = client("connect", follower, "--json").json["postgres"]
    with closing(psycopg2.connect(**login)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT array_agg(DISTINCT city) FROM branches), (SELECT count(*) FROM customers)")
        [(cities, customers)] = cursor.fetchall()
    assert cities == ["kept"]
    assert customers > len(read_seed(REPO).tables("postgres")["customers"].splitlines()) - 1


def test_an_environment_stands_on_its_kind_s_tier_and_its_pipelines_run(
    client: Client, stack: RunningStack, config: Config, version: str, follower: str, slug: str
) -> None:
    environment = client.up("--name", slug, "--kind", "ci")
    assert environment["dataset"] == f"{version}-ci"
    assert client("run", environment["id"], "payments_to_snowflake", "2026-01-02").code == 0
    with closing(reader(Production.from_environ(config, stack.env))) as production, production.cursor() as real:
        real.execute(IDENTIFIERS)
        persons = set(real.fetchall())
    made_up: set[Any] = set()
    for env_id in (environment["id"], follower):  # of a small production the tier of ci may hold nobody: it is a draw
        login = client("connect", env_id, "--json").json["postgres"]
        with closing(psycopg2.connect(**login)) as copy, copy.cursor() as masked:
            masked.execute(IDENTIFIERS)
            made_up |= set(masked.fetchall())
    made_up -= hand_made()
    assert len(made_up) > 10 and len(persons) > 100
    assert {each for each in made_up & persons if each[0]} == set(), "beside null and nothing"
    assert client("down", environment["id"]).code == 0


def test_an_environment_of_the_synthetic_tier_holds_rows_of_nobody_and_its_pipelines_run(
    client: Client, stack: RunningStack, config: Config, version: str, slug: str
) -> None:
    environment = client.up("--name", slug, "--kind", "ci", "--dataset", "latest-synthetic")
    assert environment["dataset"] == f"{version}-synthetic"
    connections = client("connect", environment["id"], "--json").json
    with (
        closing(reader(Production.from_environ(config, stack.env))) as production,
        closing(psycopg2.connect(**connections["postgres"])) as made,
        Account(config).control() as warehouse,
        production.cursor() as real,
        made.cursor() as cursor,
    ):
        real.execute(IDENTIFIERS)
        cursor.execute(IDENTIFIERS)
        persons, nobody = set(real.fetchall()), set(cursor.fetchall()) - hand_made()
        assert len(nobody) > 1000 and {each for each in nobody & persons if each[0]} == set()
        assert orphans_of(cursor) == {}
        assert rows_that_differ(cursor, warehouse, golden_snowflake(f"{version}-synthetic")) == {}
    assert client("run", environment["id"], "payments_to_snowflake", "2026-01-02").code == 0
    assert client("down", environment["id"]).code == 0


def orphans_of(cursor: Cursor) -> dict[str, int]:
    """How many rows of the operational database refer to nothing, by relation."""
    contracts = load_contracts()
    tables = {each.id: each.name for each in contracts.values() if each.store is Store.POSTGRES}
    found = {}
    for relation, query in orphan_queries(plan(contracts, "customer").relations, tables):
        cursor.execute(query)
        (count,) = cursor.fetchone() or (0,)
        found[str(relation)] = count
    assert len(found) > 20
    return {relation: count for relation, count in found.items() if count}


def rows_that_differ(cursor: Cursor, warehouse: Any, database: str) -> dict[str, int]:
    """How many generated rows stand in a table and not, the same in every column, in its copy in the warehouse."""
    contracts, found = load_contracts(), {}
    for copy, original in synthesis(contracts, load_tiers()).mirrors.items():
        key, *_ = contracts[original].key
        columns = list(dict.fromkeys(field.column for field in contracts[original].fields))
        names = ", ".join(columns)
        cursor.execute(f"SELECT {names} FROM {contracts[original].name} WHERE {key} >= {FIRST_KEY}")
        ours = {tuple(map(comparable, row)) for row in cursor.fetchall()}
        with warehouse.cursor() as theirs:
            theirs.execute(f"SELECT {names} FROM {database}.{contracts[copy].name} WHERE {key} >= {FIRST_KEY}")
            copies = {tuple(map(comparable, row)) for row in theirs.fetchall()}
        assert ours
        found[copy] = len(ours ^ copies)
    return {copy: count for copy, count in found.items() if count}


def comparable(value: Any) -> Any:
    """A value in one form for both stores: times in UTC, documents as sorted JSON, numbers as numbers."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return value


def hand_made() -> set[tuple[str]]:
    """The seed's identifiers, which are nobody's; production's generator numbers its cards in the same way."""
    tables = read_seed(REPO).tables("postgres")
    columns = {"customers": "email", "accounts": "iban", "cards": "pan"}
    return {
        (row[column],)
        for table, column in columns.items()
        for row in csv.DictReader(io.StringIO(tables[table].decode()))
    }


def test_nothing_that_a_refresh_left_anywhere_holds_a_value_of_production(
    stack: RunningStack, config: Config, version: str, tmp_path: Path
) -> None:
    """Logs, metadata, ledger, XCom, objects, tables, templates, topics, statements, scratch: byte by byte, unpacked."""
    wanted, hers, asked = values(stack, config), of_production(stack), tmp_path / "asked"
    assert len(wanted) > 1000
    topics = [path for path in hers if path.parent.name == "kafka"]
    assert search(wanted, *topics, folder=tmp_path), "the search finds values where they are"
    asked.mkdir()
    ask_everyone(stack, config, asked)
    temporary = Path(tempfile.gettempdir()).glob("testenv-golden-*")
    assert search(wanted, stack.home, asked, *temporary, folder=tmp_path, without=hers) == []


def test_a_run_that_is_asked_for_what_it_does_not_know_is_refused_and_alerts_before_production_is_read(
    client: Client, config: Config
) -> None:
    with subscribed(config) as heard:
        started = client.http.post("/api/v1/dags/refresh_datasets/dagRuns", json={"conf": {"tier": "ci"}}).json()
        run = client.wait("refresh_datasets", started["dag_run_id"])
        alert = heard.get(timeout=60)
    assert alert["Subject"] == "refresh_datasets failed in check"
    assert "does not know 'tier'" in alert["Message"]
    assert run["state"] == "failed"
    assert "does not know 'tier'" in run["note"]
