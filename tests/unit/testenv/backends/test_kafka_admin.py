"""A broker moves leaders when it pleases: here are its answers while it does, which a real one cannot be asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from testenv.backends.kafka_admin import KafkaAdmin


class Answering(KafkaAdmin):
    """An admin whose broker refuses once, and then says that each offset is 7."""

    def __init__(self, refusal: str) -> None:
        self.refusals = [KafkaError(getattr(KafkaError, refusal))]

    def each(self, verb: str, *arguments: Any, unless: str = "") -> dict[Any, Any]:
        if self.refusals:
            raise KafkaException(self.refusals.pop())
        return {partition: SimpleNamespace(offset=7) for partition in arguments[0]}


@pytest.mark.parametrize(
    "moves", ["LEADER_NOT_AVAILABLE", "NOT_LEADER_FOR_PARTITION", "FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH"]
)
def test_offsets_are_asked_for_again_while_a_leader_moves(moves: str) -> None:
    assert Answering(moves).offsets({"payments": 1}) == {"payments": {0: (7, 7)}}


def test_other_refusals_are_told_at_once() -> None:
    with pytest.raises(KafkaException):
        Answering("TOPIC_AUTHORIZATION_FAILED").offsets({"payments": 1})
