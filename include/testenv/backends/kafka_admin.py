"""Kafka's admin protocol with a deadline on every call, and refused logins told as such and at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from testenv.backends.errors import is_about_leaders, is_refused_login, of_kafka
from testenv.backends.waiting import wait_until
from testenv.config import KafkaConfig

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, TopicPartition

SECONDS = 20
"""Deadline of one call."""

REFUSALS_SECONDS = 3
"""How long a login may be refused until it counts: brokers learn of a new user one after another."""


class KafkaAdmin:
    """The admin client as one user. Results are plain; raises KafkaException, and our `Denied` for a refused login."""

    def __init__(self, config: KafkaConfig, user: str, password: str) -> None:
        from confluent_kafka.admin import AdminClient

        self._refused: list[KafkaError] = []
        settings = {
            **config.client(user, password),
            "socket.timeout.ms": SECONDS * 1000,
            "socket.connection.setup.timeout.ms": 5000,
            "reconnect.backoff.max.ms": 1000,
            "client.id": "testenv",
            "log_level": 0,
            "error_cb": self._heard,
        }
        self._client = AdminClient(settings)
        self._connect()

    def topics(self) -> dict[str, int]:
        """Topic → number of partitions, of every topic that the user may see."""
        return {name: len(topic.partitions) for name, topic in self._client.list_topics(timeout=SECONDS).topics.items()}

    def call(self, verb: str, *arguments: Any) -> Any:
        """The result of an admin call whose verb answers with one future."""
        return getattr(self._client, verb)(*arguments, request_timeout=SECONDS).result(SECONDS)

    def each(self, verb: str, *arguments: Any, unless: str = "") -> dict[Any, Any]:
        """Results of a call that answers with a future for each item; items that fail as `unless` says are left out."""
        from confluent_kafka import KafkaException

        results = {}
        for item, future in getattr(self._client, verb)(*arguments, request_timeout=SECONDS).items():
            try:
                results[item] = future.result(SECONDS)
            except KafkaException as error:
                if error.args[0].name() not in unless.split():
                    raise
        return results

    def offsets(self, partitions: Mapping[str, int]) -> dict[str, dict[int, tuple[int, int]]]:
        """Topic → partition → its first offset and the one after its last. A topic that is not there has none."""
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import OffsetSpec

        every = [TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)]
        first, last = (
            {(key.topic, key.partition): result.offset for key, result in self._at(every, spec).items()}
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
        )
        found: dict[str, dict[int, tuple[int, int]]] = {topic: {} for topic in partitions}
        for topic, number in first.keys() & last.keys():
            found[topic][number] = (first[topic, number], last[topic, number])
        return found

    def _at(self, partitions: Sequence[TopicPartition], spec: object) -> dict[Any, Any]:
        """Offsets of `partitions`. A new topic's leaders are not known at once: asks again until they are."""
        from confluent_kafka import KafkaException

        if not partitions:
            return {}
        found: dict[Any, Any] = {}

        def leaders_known() -> bool:
            try:
                asked = dict.fromkeys(partitions, spec)
                found.update(self.each("list_offsets", asked, unless="UNKNOWN_TOPIC_OR_PART"))
            except KafkaException as error:
                if error.args[0].name() == "_NOENT":  # no partition has a leader
                    return self._all_unknown({partition.topic for partition in partitions})
                if not is_about_leaders(error.args[0]):
                    raise
                return False
            return True

        wait_until(leaders_known, "every partition has a leader", seconds=SECONDS)
        return found

    def _all_unknown(self, topics: set[str]) -> bool:
        """Whether none of `topics` is there. Raises KafkaException for one that the user may not see."""
        from confluent_kafka import KafkaException

        errors = [self._client.list_topics(topic, timeout=SECONDS).topics[topic].error for topic in sorted(topics)]
        for error in errors:
            if error and error.name() not in ("UNKNOWN_TOPIC_OR_PART", "LEADER_NOT_AVAILABLE"):
                raise KafkaException(error)
        return all(error and error.name() == "UNKNOWN_TOPIC_OR_PART" for error in errors)

    def counts(self, partitions: Mapping[str, int]) -> dict[str, int]:
        """Topic → how many offsets it spans."""
        return {
            topic: sum(high - low for low, high in ends.values()) for topic, ends in self.offsets(partitions).items()
        }

    def delete_topics(self, names: Sequence[str]) -> None:
        """Delete topics and wait until no broker knows them."""
        if names:
            self.each("delete_topics", list(names), unless="UNKNOWN_TOPIC_OR_PART")
            wait_until(lambda: not self.topics().keys() & set(names), f"{', '.join(names)} is deleted", seconds=SECONDS)

    def _connect(self) -> None:
        """Ask for metadata until it comes. Raises `Denied` when the login is refused, else what the last try raised."""
        from confluent_kafka import KafkaException

        deadline, first_refusal = time.monotonic() + SECONDS, 0.0
        while True:
            try:
                self._client.list_topics("", timeout=0.5)
            except KafkaException:
                self._client.poll(0)
                now = time.monotonic()
                if self._refused:
                    first_refusal = first_refusal or now
                    if now - first_refusal > REFUSALS_SECONDS:
                        raise of_kafka(self._refused[-1]) from None
                if now > deadline:
                    raise
            else:
                return

    def _heard(self, error: KafkaError) -> None:
        if is_refused_login(error):
            self._refused.append(error)
