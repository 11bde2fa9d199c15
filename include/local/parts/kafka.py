"""Kafka: one KRaft broker that lets nobody in without SCRAM and nobody do anything without an ACL."""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from local import jars
from local.errors import StackError
from local.home import write_private
from local.parts.base import Part

ADMIN, CONTROL, CONTROLLER = "admin", "testenv", "controller"
WRITER, READER = "finsight-writer", "finsight-reader"
MECHANISM, PROTOCOL = "SCRAM-SHA-512", "SASL_PLAINTEXT"
PLACEHOLDER = "placeholder-ejcemsg"
"""A user that never logs in, and without whom, one day, nobody could.

Kafka 3.9 reads its metadata log anew when it starts. Where the first SCRAM user of a hash map of them all is one that
was removed meanwhile, it forgets every user (org.apache.kafka.image.ScramDelta.apply drops the map while it is empty,
and goes on to fill it). The hash of this name is 0, so it comes first, whoever else there was.
"""
SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"
PLAIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"

# Topics of environments begin with this; production's credentials have no business there.
ENVIRONMENTS_PREFIX = "te."

LOG4J = """\
log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d %p %c: %m%n
log4j.logger.kafka.server.KafkaRaftServer=INFO
"""


class Kafka(Part):
    name = "kafka"
    port_names = ("kafka", "kafka_controller")

    @property
    def _data(self) -> Path:
        return self.site.home.data / "kafka"

    @property
    def _properties(self) -> Path:
        return self.site.home.conf / "kafka.properties"

    def _java(self, main: str) -> list[str]:
        log4j = self.site.home.conf / "kafka.log4j.properties"
        return [
            str(self.site.java),
            f"-Xmx{self.site.settings.kafka['heap']}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # one broker with little to do: a quick start is worth more than peak speed
            f"-Dlog4j.configuration=file:{log4j}",
            "-cp",
            f"{jars.folder('kafka')}/*",
            main,
        ]

    def command(self) -> list[str]:
        return [*self._java("kafka.Kafka"), str(self._properties)]

    def prepare(self) -> None:
        write_private(self.site.home.conf / "kafka.log4j.properties", LOG4J)
        properties = self._server_properties()
        write_private(self._properties, "".join(f"{name}={value}\n" for name, value in properties.items()))
        if not (self._data / "meta.properties").exists():
            self._format()

    def _server_properties(self) -> dict[str, str]:
        password = self.site.secrets.password
        given = self.site.settings.kafka["properties"]
        controller = self.site.address("kafka_controller")
        return {
            **{name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()},
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"CLIENTS://{self.site.address('kafka')},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENTS://{self.site.address('kafka')}",
            "listener.security.protocol.map": f"CLIENTS:{PROTOCOL},CONTROLLER:{PROTOCOL}",
            "inter.broker.listener.name": "CLIENTS",
            "sasl.mechanism.inter.broker.protocol": MECHANISM,
            "listener.name.clients.scram-sha-512.sasl.jaas.config": (
                f'{SCRAM_MODULE} required username="{ADMIN}" password="{password("kafka_admin")}";'
            ),
            # SCRAM users live in the metadata log, which the controller serves: it cannot ask itself who it is.
            "controller.listener.names": "CONTROLLER",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": (
                f'{PLAIN_MODULE} required username="{CONTROLLER}" password="{password("kafka_controller")}" '
                f'user_{CONTROLLER}="{password("kafka_controller")}";'
            ),
            "super.users": ";".join(f"User:{user}" for user in (ADMIN, CONTROLLER, CONTROL)),
            "log.dirs": str(self._data),
        }

    def _format(self) -> None:
        """Write the metadata's first records, users among them. The arguments go by file: they hold passwords."""
        shutil.rmtree(self._data, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        program, *options = self._java("kafka.tools.StorageTool")
        arguments = [*options, "format", f"--cluster-id={cluster}", "--config", str(self._properties)]
        for user in (PLACEHOLDER, ADMIN, CONTROL, WRITER, READER):
            password = self.site.secrets.password(f"kafka_{user}")
            arguments += ["--add-scram", f"{MECHANISM}=[name={user},password={password}]"]
        lines = "".join(f'"{argument}"\n' for argument in arguments)
        argument_file = write_private(self.site.home.run / "kafka-format.args", lines)
        answer = subprocess.run([program, f"@{argument_file}"], capture_output=True, text=True, check=False)
        argument_file.unlink()
        if answer.returncode:
            shutil.rmtree(self._data, ignore_errors=True)
            raise StackError(f"Kafka's storage could not be formatted: {(answer.stdout + answer.stderr)[-1500:]}")

    def client(self, user: str) -> dict[str, str | int]:
        """librdkafka configuration to log in as USER."""
        return {
            "bootstrap.servers": self.site.address("kafka"),
            "security.protocol": PROTOCOL,
            "sasl.mechanism": MECHANISM,
            "sasl.username": user,
            "sasl.password": self.site.secrets.password(f"kafka_{user}"),
            "log_level": 0,
        }

    def probe(self, started: int) -> None:
        metadata = AdminClient(self.client(CONTROL)).list_topics(timeout=3)
        if not metadata.brokers:
            raise StackError("the broker's metadata names no broker")

    def bootstrap(self) -> None:
        admin = AdminClient(self.client(CONTROL))
        for binding, future in admin.create_acls(list(_production_acls()), request_timeout=20).items():
            try:
                future.result()
            except KafkaException as error:
                raise StackError(f"Kafka refused the ACL {binding}: {error}") from error

    def exports(self) -> dict[str, str]:
        password = self.site.secrets.password
        return {
            "TESTENV_KAFKA_BOOTSTRAP": self.site.address("kafka"),
            "TESTENV_KAFKA_USER": CONTROL,
            "TESTENV_KAFKA_PASSWORD": password(f"kafka_{CONTROL}"),
            "TESTENV_KAFKA_SECURITY_PROTOCOL": PROTOCOL,
            "TESTENV_KAFKA_SASL_MECHANISM": MECHANISM,
            "TESTENV_PRODUCTION_KAFKA_BOOTSTRAP": self.site.address("kafka"),
            "TESTENV_PRODUCTION_KAFKA_USER": READER,
            "TESTENV_PRODUCTION_KAFKA_PASSWORD": password(f"kafka_{READER}"),
        }

    def production_exports(self) -> dict[str, str]:
        return {
            "PRODUCTION_KAFKA_BOOTSTRAP": self.site.address("kafka"),
            "PRODUCTION_KAFKA_USER": WRITER,
            "PRODUCTION_KAFKA_PASSWORD": self.site.secrets.password(f"kafka_{WRITER}"),
            "PRODUCTION_KAFKA_SECURITY_PROTOCOL": PROTOCOL,
            "PRODUCTION_KAFKA_SASL_MECHANISM": MECHANISM,
        }


def _production_acls() -> list[AclBinding]:
    """Every topic but the environments': the writer may all there, the reader read, in groups named after it."""
    reading = (AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)
    bindings = [_acl(WRITER, ResourceType.TOPIC, "*", AclOperation.ALL)]
    bindings += [_acl(READER, ResourceType.TOPIC, "*", operation) for operation in reading]
    bindings += [_acl(user, ResourceType.GROUP, f"{user}.", AclOperation.ALL) for user in (WRITER, READER)]
    bindings += [
        _acl(user, ResourceType.TOPIC, ENVIRONMENTS_PREFIX, AclOperation.ALL, AclPermissionType.DENY)
        for user in (WRITER, READER)
    ]
    return bindings


def _acl(
    user: str,
    kind: ResourceType,
    name: str,
    operation: AclOperation,
    permission: AclPermissionType = AclPermissionType.ALLOW,
) -> AclBinding:
    pattern = ResourcePatternType.LITERAL if name == "*" else ResourcePatternType.PREFIXED
    return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, permission)
