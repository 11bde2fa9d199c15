"""A system that takes the connection and never answers: each client gives up within its bound, and says so."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from testenv.backends import aws, kafka_admin, kafka_records
from testenv.backends.errors import kafka_errors
from testenv.backends.kafka import KafkaBackend
from testenv.backends.postgres import PostgresBackend
from testenv.backends.secrets import _new_private_key
from testenv.backends.snowflake import SnowflakeBackend
from testenv.config import Config, EcsConfig, KafkaConfig, PostgresConfig, SnowflakeConfig
from testenv.core.errors import Unavailable
from testenv.datasets.store import DatasetStore
from testenv.ledger import LedgerReader

SLACK = 15
"""Seconds beyond a client's own bound, on a busy machine."""

BOUNDS = {"postgres": 10, "ledger": 10, "kafka": 20, "producer": 20, "snowflake": 40, "aws": 12}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Takes connections, keeps them, and says nothing."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def take() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()


@pytest.fixture(scope="module")
def asked(port: int) -> Iterator[dict[str, tuple[float, BaseException | None]]]:
    """How long each client took, and what it raised; all were asked at the same time."""
    here = "127.0.0.1"
    config = Config(
        home=Path("/nowhere"),
        repo=Path("/nowhere"),
        ledger_url=f"postgresql+psycopg2://u:p@{here}:{port}/ledger",
        bucket="b",
        region="eu-central-1",
        endpoint_url=f"http://{here}:{port}",
        dbt="dbt",
        postgres=PostgresConfig(here, port, "u", "p"),
        kafka=KafkaConfig(f"{here}:{port}", "u", "p", "SASL_PLAINTEXT", "SCRAM-SHA-512"),
        snowflake=SnowflakeConfig("a", "u", _new_private_key(), "r", here, str(port), "", "I"),
        ecs=EcsConfig("c", "t", ()),
        emr_applications={},
    )
    vault: Any = None

    def produce() -> None:
        with kafka_errors():
            kafka_records.RecordProducer(config.kafka).produce("t", [])

    clients: dict[str, Callable[[], object]] = {
        "postgres": PostgresBackend(config, vault).observe,
        "ledger": LedgerReader(config.ledger_url).environments,
        "kafka": KafkaBackend(config, vault).observe,
        "producer": produce,
        "snowflake": SnowflakeBackend(config, vault).observe,
        "aws": DatasetStore(config).current,
    }

    def ask(question: Callable[[], object]) -> tuple[float, BaseException | None]:
        start = time.monotonic()
        try:
            question()
        except Exception as error:  # noqa: BLE001 - what it is, the tests say
            return time.monotonic() - start, error
        return time.monotonic() - start, None

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        patch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the first credentials it has found
        patch.setattr(aws, "READ_SECONDS", 3)  # thirty in fact: that the bound follows is what is shown
        with ThreadPoolExecutor(len(clients)) as pool:
            yield dict(zip(clients, pool.map(ask, clients.values()), strict=True))


@pytest.mark.parametrize("client", BOUNDS)
def test_a_system_that_never_answers_is_unavailable_within_the_clients_bound(
    asked: dict[str, tuple[float, BaseException | None]], client: str
) -> None:
    seconds, error = asked[client]
    assert isinstance(error, Unavailable), repr(error)
    assert seconds < BOUNDS[client] + SLACK


def test_the_bounds_are_those_of_the_clients() -> None:
    assert kafka_admin.SECONDS == kafka_records.CONNECT_SECONDS == BOUNDS["kafka"]
    assert BOUNDS["aws"] > aws.ATTEMPTS * 3
