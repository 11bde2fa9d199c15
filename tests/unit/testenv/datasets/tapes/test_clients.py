"""No call of a tape's clients waits for ever, and a capture takes production's reader and nobody else."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from testenv.config import KafkaConfig
from testenv.core.errors import Invalid
from testenv.datasets import tapes
from testenv.datasets.tapes import clients

TASK_SECONDS = 300
CONFIG = KafkaConfig("127.0.0.1:1", "u", "p", "SASL_PLAINTEXT", "SCRAM-SHA-512")
WAITING = {
    "poll": 0,
    "consume": 1,
    "flush": 0,
    "list_topics": 1,
    "get_watermark_offsets": 1,
    "offsets_for_times": 1,
    "init_transactions": 0,
    "commit_transaction": 0,
    "abort_transaction": 0,
}
"""Methods that wait for ever unless told for how long → the place of that argument."""


class Caught(Exception):
    """Carries what a client was made with."""


def caught(settings: dict[str, Any]) -> Any:
    raise Caught(settings)


def test_every_waiting_call_says_for_how_long() -> None:
    found = 0
    for file in sorted(Path(tapes.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            # `flush` of our own sender has none: it is the one that calls the producer's with one.
            if node.func.attr not in WAITING or ast.unparse(node.func).startswith(
                ("self._plain", "self._trans", "sender")
            ):
                continue
            found += 1
            told = len(node.args) > WAITING[node.func.attr] or any(word.arg == "timeout" for word in node.keywords)
            assert told, f"{file.name}: {ast.unparse(node)}"
    assert found >= 9


def test_the_consumer_reads_what_is_committed_and_commits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confluent_kafka.Consumer", caught)
    with pytest.raises(Caught) as made, clients.consumer(CONFIG):
        pass
    [settings] = made.value.args
    assert settings["isolation.level"] == "read_committed"
    assert not settings["enable.auto.commit"]
    assert settings["socket.timeout.ms"] < TASK_SECONDS * 1000 / 2


@pytest.mark.parametrize("transactional_id", ["", "t"])
def test_the_producer_keeps_order_and_gives_up_in_time(monkeypatch: pytest.MonkeyPatch, transactional_id: str) -> None:
    monkeypatch.setattr("confluent_kafka.Producer", caught)
    with pytest.raises(Caught) as made:
        clients.producer(CONFIG, [], transactional_id)
    [settings] = made.value.args
    assert settings["enable.idempotence"] and settings["acks"] == "all"
    assert settings["delivery.timeout.ms"] < TASK_SECONDS * 1000 / 2
    assert settings.get("transactional.id", "") == transactional_id


def test_production_is_read_by_its_reader() -> None:
    environ = {
        "TESTENV_PRODUCTION_KAFKA_BOOTSTRAP": "b",
        "TESTENV_PRODUCTION_KAFKA_USER": "reader",
        "TESTENV_PRODUCTION_KAFKA_PASSWORD": "p",
        "TESTENV_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "TESTENV_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "PRODUCTION_KAFKA_USER": "writer",
    }
    assert clients.production_source(environ) == KafkaConfig("b", "reader", "p", "SASL_SSL", "SCRAM-SHA-512")
    with pytest.raises(Invalid, match="not set: TESTENV_PRODUCTION_KAFKA_USER, TESTENV_KAFKA_SECURITY_PROTOCOL"):
        clients.production_source(
            {
                name: value
                for name, value in environ.items()
                if name not in ("TESTENV_PRODUCTION_KAFKA_USER", "TESTENV_KAFKA_SECURITY_PROTOCOL")
            }
        )
