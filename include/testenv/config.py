"""The engine's settings, read from environment variables in one place. docs/architecture.md lists them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from testenv.core.errors import Invalid


@dataclass(frozen=True)
class PostgresConfig:
    """Server of the environments' databases, and the control plane's role on it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class KafkaConfig:
    """Cluster of the environments' topics, and its administrator."""

    bootstrap: str
    user: str
    password: str = field(repr=False)
    security_protocol: str
    sasl_mechanism: str

    def client(self, user: str, password: str) -> dict[str, str | int]:
        """librdkafka configuration to log in as `user`."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": user,
            "sasl.password": password,
        }


@dataclass(frozen=True)
class SnowflakeConfig:
    """Account, and the control plane's login by key pair.

    `host`, `port` and `ca_bundle` (the file of the authorities that a client must trust) are empty on the real one.
    """

    account: str
    user: str
    private_key: str = field(repr=False)
    role: str
    host: str
    port: str
    ca_bundle: str
    storage_integration: str


@dataclass(frozen=True)
class EcsConfig:
    """Where orchestrators run."""

    cluster: str
    task_definition: str
    subnets: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """Everything the engine needs to know of where it stands."""

    home: Path
    repo: Path
    ledger_url: str = field(repr=False)
    bucket: str
    region: str
    endpoint_url: str
    dbt: str
    postgres: PostgresConfig
    kafka: KafkaConfig
    snowflake: SnowflakeConfig
    ecs: EcsConfig
    emr_applications: Mapping[str, str]
    alerts_topic: str = ""
    """ARN of the SNS topic that people hear alerts from; without one, nobody does."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """The settings in `environ`. Raises `Invalid` naming every variable that is missing, at once."""
        missing: list[str] = []

        def get(name: str) -> str:
            value = environ.get(name, "")
            if not value:
                missing.append(name)
            return value

        config = cls(
            home=Path(get("TESTENV_HOME")),
            repo=Path(get("TESTENV_REPO")),
            ledger_url=get("TESTENV_LEDGER_URL"),
            bucket=get("TESTENV_BUCKET"),
            region=get("AWS_REGION"),
            endpoint_url=environ.get("AWS_ENDPOINT_URL", ""),
            dbt=environ.get("TESTENV_DBT", "dbt"),
            postgres=PostgresConfig(
                host=get("TESTENV_POSTGRES_HOST"),
                port=int(get("TESTENV_POSTGRES_PORT") or 0),
                user=get("TESTENV_POSTGRES_USER"),
                password=get("TESTENV_POSTGRES_PASSWORD"),
            ),
            kafka=KafkaConfig(
                bootstrap=get("TESTENV_KAFKA_BOOTSTRAP"),
                user=get("TESTENV_KAFKA_USER"),
                password=get("TESTENV_KAFKA_PASSWORD"),
                security_protocol=get("TESTENV_KAFKA_SECURITY_PROTOCOL"),
                sasl_mechanism=get("TESTENV_KAFKA_SASL_MECHANISM"),
            ),
            snowflake=SnowflakeConfig(
                account=get("TESTENV_SNOWFLAKE_ACCOUNT"),
                user=get("TESTENV_SNOWFLAKE_USER"),
                private_key=get("TESTENV_SNOWFLAKE_PRIVATE_KEY"),
                role=get("TESTENV_SNOWFLAKE_ROLE"),
                host=environ.get("TESTENV_SNOWFLAKE_HOST", ""),
                port=environ.get("TESTENV_SNOWFLAKE_PORT", ""),
                ca_bundle=environ.get("REQUESTS_CA_BUNDLE", "") if environ.get("TESTENV_SNOWFLAKE_HOST") else "",
                storage_integration=get("TESTENV_SNOWFLAKE_STORAGE_INTEGRATION"),
            ),
            ecs=EcsConfig(
                cluster=get("TESTENV_ECS_CLUSTER"),
                task_definition=get("TESTENV_ECS_TASK_DEFINITION"),
                subnets=tuple(filter(None, get("TESTENV_ECS_SUBNETS").split(","))),
            ),
            emr_applications={
                kind: get(f"TESTENV_EMR_APPLICATION_{kind.upper()}") for kind in ("ci", "sandbox", "integration")
            },
            alerts_topic=environ.get("TESTENV_ALERTS_TOPIC", ""),
        )
        if missing:
            raise Invalid(
                f"these environment variables are not set: {', '.join(missing)}. On one machine `make up` writes "
                "them to .local/stack.env; docs/architecture.md says what each is"
            )
        return config
