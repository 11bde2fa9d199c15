"""The environment's topics and consumer groups: what was written since the start, and groups back where they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testenv.backends.errors import kafka_errors

SECONDS = 20


class Topics:
    """By a librdkafka configuration of the environment's user. `start` is when it is made.

    A topic cannot be taken back: of one that pipelines write, what counts is how many offsets a pass adds.
    """

    def __init__(self, settings: Mapping[str, Any], prefix: str) -> None:
        from confluent_kafka.admin import AdminClient

        self._client = AdminClient({**settings, "socket.timeout.ms": SECONDS * 1000, "log_level": 0})
        self._prefix = prefix
        self._groups = self._committed()
        self._ends = self._offsets()

    @kafka_errors()
    def written(self) -> dict[str, int]:
        """Topic, without the prefix → offsets since the start or the last reset, where there are any."""
        now = self._offsets()
        counts = {topic: ends - self._ends.get(topic, 0) for topic, ends in now.items()}
        return {topic.removeprefix(self._prefix): number for topic, number in sorted(counts.items()) if number}

    @kafka_errors()
    def reset(self) -> None:
        """Groups are those of the start, at its offsets; what topics have is counted from here."""
        from confluent_kafka import ConsumerGroupTopicPartitions

        there = self._committed()
        if gone := sorted(there.keys() - self._groups.keys()):
            for future in self._client.delete_consumer_groups(gone, request_timeout=SECONDS).values():
                future.result(SECONDS)
        for group, offsets in self._groups.items():
            if there.get(group) != offsets:
                wanted = [ConsumerGroupTopicPartitions(group, list(offsets))]
                for future in self._client.alter_consumer_group_offsets(wanted, request_timeout=SECONDS).values():
                    future.result(SECONDS)
        self._ends = self._offsets()

    def _committed(self) -> dict[str, tuple[Any, ...]]:
        """Group → the partitions it has committed, with their offsets."""
        from confluent_kafka import ConsumerGroupTopicPartitions

        listed = self._client.list_consumer_groups(request_timeout=SECONDS).result(SECONDS).valid
        names = sorted(each.group_id for each in listed if each.group_id.startswith(self._prefix))
        found = {}
        for name in names:
            asked = [ConsumerGroupTopicPartitions(name)]
            [future] = self._client.list_consumer_group_offsets(asked, request_timeout=SECONDS).values()
            found[name] = tuple(future.result(SECONDS).topic_partitions)
        return found

    def _offsets(self) -> dict[str, int]:
        """Topic → the sum of its partitions' ends."""
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import OffsetSpec

        topics = self._client.list_topics(timeout=SECONDS).topics
        every = {
            TopicPartition(name, number): OffsetSpec.latest()
            for name, topic in topics.items()
            if name.startswith(self._prefix)
            for number in topic.partitions
        }
        ends: dict[str, int] = {}
        for partition, future in self._client.list_offsets(every, request_timeout=SECONDS).items() if every else ():
            ends[partition.topic] = ends.get(partition.topic, 0) + future.result(SECONDS).offset
        return ends
