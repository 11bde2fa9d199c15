"""Every call of a vendor's client has a deadline: no system that hangs can hold a task for ever.

The places where clients are made are listed, so that a new one must be added here, with its deadlines.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import testenv
from testenv.backends import aws, snowflake
from testenv.backends.kafka_admin import SECONDS, KafkaAdmin
from testenv.backends.kafka_records import RecordProducer
from testenv.backends.postgres_server import Server
from testenv.backends.secrets import _new_private_key
from testenv.config import Config, EcsConfig, KafkaConfig, PostgresConfig, SnowflakeConfig
from testenv.ledger import LedgerReader, reader

ENGINE = Path(testenv.__file__).parent
TASK_SECONDS = 300
"""The shortest limit of a task: a call that hangs must end before it, so that the task can say why it failed."""

MADE_IN = {
    "boto3.client": {"backends/aws.py"},
    "psycopg2.connect": {"backends/postgres_server.py", "datasets/observe.py"},
    "snowflake.connector.connect": {"backends/snowflake.py", "checks/trial/login.py"},
    "AdminClient": {"backends/kafka_admin.py", "checks/trial/topics.py"},
    "Producer": {"backends/kafka_records.py", "datasets/tapes/clients.py"},
    "Consumer": {"datasets/tapes/clients.py"},
    "create_engine": {"ledger/reader.py", "ledger/migrations/env.py"},  # a migration is run by hand
}
CLIENTS = {*MADE_IN, "boto3.resource", "boto3.Session", "requests.get", "httpx.get", "urlopen"}

TIMED = {"result", "flush", "list_topics", "poll"}
"""Methods of Kafka's client that wait for ever unless told for how long."""

NOWHERE = "127.0.0.1"


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in the engine: file, call, dotted name."""
    for file in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield file.relative_to(ENGINE).as_posix(), node, ast.unparse(node.func)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the first credentials it has found, for all tests
    return Config(
        home=tmp_path,
        repo=tmp_path,
        ledger_url=f"postgresql+psycopg2://u:p@{NOWHERE}:1/ledger",
        bucket="b",
        region="eu-central-1",
        endpoint_url=f"http://{NOWHERE}:1",
        dbt="dbt",
        postgres=PostgresConfig(NOWHERE, 1, "u", "p"),
        kafka=KafkaConfig(f"{NOWHERE}:1", "u", "p", "SASL_PLAINTEXT", "SCRAM-SHA-512"),
        snowflake=SnowflakeConfig("a", "u", "", "r", NOWHERE, "1", "", "I"),
        ecs=EcsConfig("c", "t", ()),
        emr_applications={},
    )


class Caught(Exception):
    """Carries what a client was made with."""


def caught(**made_with: Any) -> Any:
    raise Caught(made_with)


def test_clients_are_made_where_their_deadlines_are_and_nowhere_else() -> None:
    found: dict[str, set[str]] = {}
    for file, _, name in calls():
        if name in CLIENTS:
            found.setdefault(name, set()).add(file)
    assert found == MADE_IN


def test_every_waiting_call_of_kafka_says_for_how_long() -> None:
    waiting = [
        (file, ast.unparse(node))
        for file, node, name in calls()
        if file.startswith("backends/kafka") and name.rsplit(".", 1)[-1] in TIMED
    ]
    assert len(waiting) >= 6
    for file, text in waiting:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        assert call.args or call.keywords, f"{file}: {text}"
        if text.split("(")[0].endswith("list_topics"):
            assert "timeout" in {keyword.arg for keyword in call.keywords}, f"{file}: {text}"


@pytest.mark.parametrize("service", aws.SERVICES)
def test_aws(config: Config, service: str) -> None:
    session = {"AccessKeyId": "x", "SecretAccessKey": "y", "SessionToken": "z"}
    for client in (aws.client(service, config), aws.session_client(service, config, session)):
        settings = client.meta.config
        assert settings.connect_timeout <= 10
        assert settings.retries["mode"] in ("standard", "adaptive")
        assert settings.retries["total_max_attempts"] * settings.read_timeout <= TASK_SECONDS / 2


def test_postgres(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psycopg2.connect", caught)
    with pytest.raises(Caught) as made, Server(config).control():
        pass
    [settings] = made.value.args
    assert settings["connect_timeout"] <= 10
    assert settings["tcp_user_timeout"] <= 60_000 and settings["keepalives_idle"] <= 30
    options = dict(part.split("=") for part in settings["options"].replace("-c ", "").split())
    assert 0 < int(options["statement_timeout"].rstrip("s")) < TASK_SECONDS
    assert 0 < int(options["lock_timeout"].rstrip("s")) < TASK_SECONDS
    assert 0 < int(options["idle_in_transaction_session_timeout"].rstrip("s")) < TASK_SECONDS


def test_the_ledger(config: Config) -> None:
    settings = reader.connect_arguments()
    assert int(settings["connect_timeout"]) <= 10
    assert int(settings["tcp_user_timeout"]) <= 60_000 and int(settings["keepalives_idle"]) <= 30
    options = dict(part.split("=") for part in str(settings["options"]).replace("-c ", "").split())
    assert 0 < int(options["statement_timeout"]) < TASK_SECONDS * 1000 / 2
    assert 0 < int(options["lock_timeout"]) < int(options["statement_timeout"])
    pool = LedgerReader(config.ledger_url)._engine.pool
    assert pool.timeout() < TASK_SECONDS / 2


def test_forty_processes_do_not_exhaust_what_postgres_allows() -> None:
    """16 tasks, 2 web workers, the triggerer and the scheduler, each with all the connections it may have."""
    allowed = 400  # include/local/settings.toml; Airflow itself and the environments need the most of it
    assert allowed / 4 >= 20 * reader.CONNECTIONS


def test_snowflake(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowflake.connector.connect", caught)
    login = {"user": "u", "private_key": _new_private_key()}
    with pytest.raises(Caught) as made, snowflake.Account(config).connect(login):
        pass
    [settings] = made.value.args
    assert 0 < settings["login_timeout"] <= 60
    assert 0 < settings["network_timeout"] <= TASK_SECONDS / 2


def test_each_statement_of_snowflake() -> None:
    class Cursor:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def execute(self, _statement: str, **made_with: Any) -> None:
            caught(**made_with)

    class Connection:
        def cursor(self, _kind: object) -> Cursor:
            return Cursor()

    connection: Any = Connection()
    with pytest.raises(Caught) as made:
        snowflake.run(connection, "SELECT 1")
    [settings] = made.value.args
    assert 0 < settings["timeout"] < TASK_SECONDS


def test_kafkas_administrator(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confluent_kafka.admin.AdminClient", lambda settings: caught(**settings))
    with pytest.raises(Caught) as made:
        KafkaAdmin(config.kafka, "u", "p")
    [settings] = made.value.args
    assert SECONDS < TASK_SECONDS / 2
    assert settings["socket.timeout.ms"] <= SECONDS * 1000
    assert settings["socket.connection.setup.timeout.ms"] <= 10_000


def test_kafkas_producer(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confluent_kafka.Producer", lambda settings: caught(**settings))
    with pytest.raises(Caught) as made:
        RecordProducer(config.kafka).produce("t", [])
    [settings] = made.value.args
    assert settings["delivery.timeout.ms"] < TASK_SECONDS * 1000 / 2
