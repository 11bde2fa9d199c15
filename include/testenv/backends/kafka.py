"""An environment's part of the Kafka cluster: a SCRAM user, its rights below one prefix, topics and their records."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from testenv.backends.aws import client, translate
from testenv.backends.errors import kafka_errors
from testenv.backends.guards import require_counts, require_derived
from testenv.backends.kafka_admin import KafkaAdmin
from testenv.backends.kafka_records import RecordProducer
from testenv.backends.kafka_rights import bindings_of, exactly, rights
from testenv.backends.protocol import Site, Vault
from testenv.backends.waiting import wait_until
from testenv.config import Config
from testenv.core.dataset import Topic
from testenv.core.errors import Drifted, Failed
from testenv.core.naming import EnvId, Names, golden_prefix, owner_of, require_owned
from testenv.core.resources import Resource, System

ITERATIONS = 8192
"""Of SCRAM; Kafka takes 4096 to 16384."""

SESSION_SECONDS = 60
"""How long to wait for a consumer group to lose its members: a client's session lasts 45 unless it asks for another."""

_DERIVED = {
    "user": lambda names, name: name == names.kafka_user,
    "acls": lambda names, name: name == names.kafka_user,
    "topic": lambda names, name: name.startswith(names.topic_prefix),
    "records": lambda names, name: name.startswith(names.topic_prefix),
}


class KafkaBackend:
    """Kinds: `user`; `acls` (its rights, and the consumer groups it made); `topic` (setting `partitions`); `records`.

    Kafka cannot tell which dataset a topic's records are of: any record counts as `records` when observed.
    """

    system = System.KAFKA

    def __init__(self, config: Config, vault: Vault) -> None:
        self._config = config
        self._vault = vault

    @kafka_errors()
    def ensure(self, resource: Resource, site: Site) -> None:
        names = require_derived(resource, _DERIVED)
        match resource.kind:
            case "user":
                self._ensure_user(names)
            case "acls":
                self._change_acls(names, set(rights(names)))
            case "topic":
                self._ensure_topic(resource.name, site.dataset.topic(resource.name.removeprefix(names.topic_prefix)))
            case "records":
                self._ensure_records(resource, site)

    @kafka_errors()
    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        found = [
            *(Resource(self.system, "user", name) for name in self._users(env_id)),
            *(Resource(self.system, "acls", name) for name in self._principals(env_id)),
        ]
        topics = {name: count for name, count in self._admin.topics().items() if _is_of(name, env_id)}
        found += [Resource(self.system, "topic", t, (("partitions", str(n)),)) for t, n in topics.items()]
        found += [Resource(self.system, "records", t) for t, n in self._admin.counts(topics).items() if n]
        return frozenset(part for part in found if _is_of(part.name, env_id))

    @kafka_errors()
    def destroy(self, resource: Resource) -> None:
        names = require_derived(resource, _DERIVED)
        match resource.kind:
            case "user":
                self._delete_user(names)
            case "acls":
                self._change_acls(names, set())  # puts out whoever still consumes, so that its groups empty
                self._delete_groups(names)
            case "topic":
                self._admin.delete_topics([resource.name])
            case "records":
                self._delete_records(resource.name)

    @kafka_errors()
    def probe(self, site: Site) -> Mapping[str, int]:
        """Read every topic's watermarks as the environment's user."""
        login = self._vault.find(site.spec.env_id, self.system)
        if not login:
            raise Drifted(f"{site.spec.env_id} has no Kafka credentials. Heal it, or destroy and provision anew")
        admin = KafkaAdmin(self._config.kafka, login["user"], login["password"])
        expected = site.keeping.others(self.system, {topic.name: topic.records for topic in site.dataset.topics})
        topics = [topic for topic in site.dataset.topics if topic.name in expected]
        found = admin.counts({site.names.topic(topic.name): topic.partitions for topic in topics})
        counts = {name.removeprefix(site.names.topic_prefix): number for name, number in found.items()}
        require_counts(f"Kafka {site.names.topic_prefix}*", counts, expected)
        return {f"kafka.{name}": number for name, number in counts.items()}

    @kafka_errors()
    def holds(self, env_id: EnvId, name: str) -> bool:
        """Whether the environment has the topic."""
        return Names(env_id).topic(name) in self._admin.topics()

    # ---------------------------------------------------------------- user and rights

    def _ensure_user(self, names: Names) -> None:
        from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

        login = self._vault.credentials(names.env_id, self.system)
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        change = UserScramCredentialUpsertion(names.kafka_user, info, login["password"].encode())
        self._admin.each("alter_user_scram_credentials", [change])
        known = functools.partial(self._users, names.env_id)
        wait_until(lambda: bool(known()), f"Kafka knows the user {names.kafka_user}", seconds=20)

    def _users(self, env_id: EnvId | None) -> list[str]:
        if env_id:
            found = self._admin.each("describe_user_scram_credentials", [Names(env_id).kafka_user], unless=_NO_USER)
        else:
            found = self._admin.call("describe_user_scram_credentials")
        return [name for name in found if _is_of(name, env_id)]

    def _delete_user(self, names: Names) -> None:
        from confluent_kafka.admin import ScramMechanism, UserScramCredentialDeletion

        deletion = UserScramCredentialDeletion(names.kafka_user, ScramMechanism.SCRAM_SHA_512)
        self._admin.each("alter_user_scram_credentials", [deletion], unless=_NO_USER)
        wait_until(lambda: not self._users(names.env_id), f"the user {names.kafka_user} is deleted", seconds=20)

    def _change_acls(self, names: Names, wanted: set[Any]) -> None:
        """Make the user's rights be exactly `wanted`, and wait until brokers say so: the controller answers before."""
        there = self._acls(names)
        if surplus := there - wanted:
            self._admin.each("delete_acls", [exactly(binding) for binding in surplus])
        if missing := wanted - there:
            self._admin.each("create_acls", list(missing))
        wait_until(lambda: self._acls(names) == wanted, f"the rights of {names.kafka_user} are changed", seconds=20)

    def _acls(self, names: Names) -> set[Any]:
        return set(self._admin.call("describe_acls", bindings_of(names.kafka_user)))

    def _principals(self, env_id: EnvId | None) -> set[str]:
        """Users that have rights, or whose consumer groups are there."""
        bindings = self._admin.call("describe_acls", bindings_of(Names(env_id).kafka_user if env_id else None))
        with_rights = {binding.principal.removeprefix("User:") for binding in bindings}
        return with_rights | {Names(require_owned(group)).kafka_user for group in self._groups(env_id)}

    def _groups(self, env_id: EnvId | None) -> list[str]:
        listed = self._admin.call("list_consumer_groups")
        if listed.errors:  # a broker that does not answer may have more
            raise listed.errors[0]
        return [group.group_id for group in listed.valid if _is_of(group.group_id, env_id)]

    def _delete_groups(self, names: Names) -> None:
        """Wait until nobody is a member any more: a consumer that was killed is one until its session is over."""
        from confluent_kafka import KafkaException

        def deleted() -> bool:
            try:
                if groups := self._groups(names.env_id):
                    self._admin.each("delete_consumer_groups", groups, unless="GROUP_ID_NOT_FOUND")
            except KafkaException as error:
                if error.args[0].name() != "NON_EMPTY_GROUP":
                    raise
                return False
            return True

        wait_until(deleted, f"the consumer groups of {names.env_id} have no members", seconds=SESSION_SECONDS)

    # ---------------------------------------------------------------- topics

    def _ensure_topic(self, name: str, topic: Topic) -> None:
        partitions = self._admin.topics().get(name)
        if partitions not in (
            None,
            topic.partitions,
        ):  # partitions cannot be taken away; what was in them is seeded again
            self._admin.delete_topics([name])
            partitions = None
        if partitions is None:
            self._create_topic(name, topic)
        else:
            self._mend_config(name, topic)

    def _create_topic(self, name: str, topic: Topic) -> None:
        from confluent_kafka.admin import NewTopic

        new = NewTopic(name, num_partitions=topic.partitions, replication_factor=-1, config=topic.config)
        self._admin.each("create_topics", [new], unless="TOPIC_ALREADY_EXISTS")
        wait_until(lambda: self._admin.topics().get(name) == topic.partitions, f"the topic {name} is there", seconds=20)

    def _mend_config(self, name: str, topic: Topic) -> None:
        """Make what is set on the topic itself be the dataset's, and nothing more."""
        from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

        own = self._own_config(name)
        if own == topic.config:
            return
        operations = {
            **{key: (value, AlterConfigOpType.SET) for key, value in topic.config.items()},
            **dict.fromkeys(own.keys() - topic.config, (None, AlterConfigOpType.DELETE)),
        }
        entries = [ConfigEntry(key, value, incremental_operation=verb) for key, (value, verb) in operations.items()]
        changes = [ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)]
        self._admin.each("incremental_alter_configs", changes)
        wait_until(lambda: self._own_config(name) == topic.config, f"{name} is configured anew", seconds=20)

    def _own_config(self, name: str) -> dict[str, str]:
        from confluent_kafka.admin import ConfigResource, ConfigSource, ResourceType

        [described] = self._admin.each("describe_configs", [ConfigResource(ResourceType.TOPIC, name)]).values()
        set_here = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {entry.name: entry.value for entry in described.values() if entry.source == set_here}

    # ---------------------------------------------------------------- records

    def _ensure_records(self, resource: Resource, site: Site) -> None:
        name, topic = resource.name, site.dataset.topic(resource.name.removeprefix(site.names.topic_prefix))
        self._ensure_topic(name, topic)
        found = self._admin.counts({name: topic.partitions})[name]
        if found == topic.records:
            return
        if found:  # a part of them, or someone else's: a topic cannot be emptied and begin at offset 0 again
            self._admin.delete_topics([name])
            self._create_topic(name, topic)
        if topic.tape:
            sent, whence = self._replay(name, topic.tape), f"the tape {topic.tape}"
        else:
            sent = self._producer.produce(name, self._lines(site.dataset.version, topic.name))
            whence = f"the dataset {site.dataset.version}"
        if sent != topic.records:
            raise Failed(
                f"{whence} has {sent} records for {topic.name}, its manifest says {topic.records}. Publish it again"
            )

    def _replay(self, name: str, prefix: str) -> int:
        from testenv.datasets.tapes.replay import replay  # Arrow: only for environments that are filled so
        from testenv.datasets.tapes.stored import fetch

        with tempfile.TemporaryDirectory(prefix="testenv-tape-") as folder:
            return replay(self._config.kafka, name, fetch(self._config, prefix, Path(folder)), exact=False)

    @translate
    def _lines(self, version: str, topic: str) -> Iterator[dict[str, Any]]:
        key = f"{golden_prefix(version)}kafka/{topic}.jsonl"
        body = client("s3", self._config).get_object(Bucket=self._config.bucket, Key=key)["Body"]
        return (json.loads(line) for line in body.iter_lines(chunk_size=1 << 16) if line.strip())

    def _delete_records(self, name: str) -> None:
        from confluent_kafka import OFFSET_END, TopicPartition

        partitions = self._admin.topics().get(name, 0)
        ends = [TopicPartition(name, number, OFFSET_END) for number in range(partitions)]
        if ends:
            self._admin.each("delete_records", ends, unless="UNKNOWN_TOPIC_OR_PART")

    @functools.cached_property
    def _producer(self) -> RecordProducer:
        return RecordProducer(self._config.kafka)

    @functools.cached_property
    def _admin(self) -> KafkaAdmin:
        return KafkaAdmin(self._config.kafka, self._config.kafka.user, self._config.kafka.password)


_NO_USER = "RESOURCE_NOT_FOUND"


def _is_of(name: str, env_id: EnvId | None) -> bool:
    owner = owner_of(name)
    return owner is not None and env_id in (None, owner)
