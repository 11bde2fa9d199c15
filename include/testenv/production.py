"""Where production is, and the credentials that may read it. Nothing here may write it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from testenv.config import Config, KafkaConfig, SnowflakeConfig
from testenv.core.errors import Invalid

PREFIX = "TESTENV_PRODUCTION_"


@dataclass(frozen=True)
class Production:
    """Production's stores, as its reader."""

    postgres_url: str = field(repr=False)
    kafka: KafkaConfig
    snowflake: SnowflakeConfig
    snowflake_database: str
    bucket: str
    aws: Mapping[str, str] = field(repr=False)
    """A session's credentials, as `testenv.backends.aws.session_client` wants them."""

    @classmethod
    def from_environ(cls, config: Config, environ: Mapping[str, str] = os.environ) -> Production:
        """Production's settings; what it shares with the environments is `config`'s. Raises `Invalid`."""
        missing: list[str] = []

        def get(name: str) -> str:
            if not environ.get(PREFIX + name):
                missing.append(PREFIX + name)
            return environ.get(PREFIX + name, "")

        production = cls(
            postgres_url=get("POSTGRES_URL").replace("postgresql+psycopg2://", "postgresql://", 1),
            kafka=replace(
                config.kafka, bootstrap=get("KAFKA_BOOTSTRAP"), user=get("KAFKA_USER"), password=get("KAFKA_PASSWORD")
            ),
            snowflake=replace(
                config.snowflake,
                user=get("SNOWFLAKE_USER"),
                private_key=get("SNOWFLAKE_PRIVATE_KEY"),
                role=get("SNOWFLAKE_ROLE"),
            ),
            snowflake_database=get("SNOWFLAKE_DATABASE"),
            bucket=get("BUCKET"),
            aws={
                "AccessKeyId": get("AWS_ACCESS_KEY_ID"),
                "SecretAccessKey": get("AWS_SECRET_ACCESS_KEY"),
                "SessionToken": environ.get(f"{PREFIX}AWS_SESSION_TOKEN", ""),
            },
        )
        if missing:
            raise Invalid(
                f"these environment variables are not set: {', '.join(missing)}. docs/architecture.md says what each is"
            )
        return production


def production_names(config: Config, environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Names that only production has, as far as the settings say: its database and its bucket."""
    found = (environ.get(PREFIX + name, "") for name in ("SNOWFLAKE_DATABASE", "BUCKET"))
    return frozenset(name for name in found if name and name != config.bucket)
