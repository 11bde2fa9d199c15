"""A dataset's records: from lines of JSON to messages that Kafka has acknowledged."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testenv.backends.errors import of_kafka
from testenv.config import KafkaConfig
from testenv.core.errors import Failed, Unavailable

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

CONNECT_SECONDS = 20
DELIVERY_SECONDS = 60


@dataclass
class _Deliveries:
    """What the broker said of each message."""

    done: int = 0
    failed: list[KafkaError] = field(default_factory=list)

    def heard(self, error: KafkaError | None, _message: object) -> None:
        if error:
            self.failed.append(error)
        else:
            self.done += 1


class RecordProducer:
    """Produces as the control plane. One connection serves all topics; it is made anew after an error."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._connected: Producer | None = None

    def produce(self, topic: str, lines: Iterable[Mapping[str, Any]]) -> int:
        """Produce the records in `lines` in their order, each once; returns how many all replicas have acknowledged.

        Raises the error of the first that was refused, and `Unavailable` when the broker does not answer in time.
        """
        producer, deliveries = self._connected or self._connect(), _Deliveries()
        self._connected = None
        for line in lines:
            _send(producer, topic, encode_record(line), deliveries)
        left = producer.flush(DELIVERY_SECONDS + CONNECT_SECONDS)
        if deliveries.failed:
            raise of_kafka(deliveries.failed[0])
        if left:
            raise Unavailable(f"Kafka has not acknowledged {left} records of {topic} in {DELIVERY_SECONDS} s")
        self._connected = producer
        return deliveries.done

    def _connect(self) -> Producer:
        from confluent_kafka import Producer

        producer = Producer(
            {
                **self._config.client(self._config.user, self._config.password),
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
                "client.id": "testenv",
                "log_level": 0,
            }
        )
        # A producer that has no broker yet when it first asks for its id waits half a second to ask again.
        producer.list_topics("", timeout=CONNECT_SECONDS)
        return producer


def _send(producer: Producer, topic: str, arguments: Mapping[str, Any], deliveries: _Deliveries) -> None:
    while True:
        try:
            producer.produce(topic, on_delivery=deliveries.heard, **arguments)
        except BufferError:  # the local queue is full: wait until some are acknowledged
            producer.poll(1)
        else:
            producer.poll(0)
            return


def encode_record(line: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `Producer.produce` for a line of a dataset's `kafka/TOPIC.jsonl`.

    A line has `partition`, `timestamp_ms`, `key`, `value` and `headers`. `key`, `value` and a header's value are text,
    null, or `{"base64": …}` for bytes that are no text; `headers` is an object, or a list of pairs where names repeat.
    """
    headers = line.get("headers") or {}
    pairs = headers.items() if isinstance(headers, dict) else headers
    return {
        "partition": int(line["partition"]),
        "timestamp": int(line["timestamp_ms"]),
        "key": _bytes(line["key"]),
        "value": _bytes(line["value"]),
        "headers": [(name, _bytes(value)) for name, value in pairs],
    }


def _bytes(value: object) -> bytes | None:
    match value:
        case None:
            return None
        case str():
            return value.encode()
        case {"base64": str(text)}:
            return base64.b64decode(text)
        case _:
            raise Failed(
                f'a record\'s key, value or header is {type(value).__name__}; it must be text, null or {{"base64": …}}'
            )
