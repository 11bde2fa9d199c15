"""Where production is, and the credentials that may write it.

The file `production.env` of the embedded stack, which has them as `NAME=value` lines, or environment variables of the
same names. Where there is a file it wins: its variables belong together, and a stray one of the shell's (a proxy's
certificates, another stack's endpoint) must not come between them.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class SettingsError(ValueError):
    """A variable is missing."""


@dataclass(frozen=True)
class SnowflakeLogin:
    """A login by key pair. `private_key` is the base64 of the PKCS#8 DER; `host` is empty for Snowflake's own."""

    account: str
    user: str
    private_key: str = field(repr=False)
    role: str
    database: str
    warehouse: str
    storage_integration: str
    host: str
    port: int


@dataclass(frozen=True)
class Settings:
    postgres_url: str = field(repr=False)
    bucket: str
    aws: Mapping[str, str | None] = field(repr=False)
    """Keyword arguments of a boto3 client."""
    kafka: Mapping[str, str] = field(repr=False)
    """Configuration of a librdkafka client."""
    snowflake: SnowflakeLogin
    trust: Mapping[str, str]
    """Environment variables that name the certificate authorities to trust; empty for the system's own."""

    @classmethod
    def read(cls, file: Path, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings in `file`, which need not exist, and `environ`.

        Raises `SettingsError`, naming all that is missing.
        """
        known = {**environ, **_file_variables(file)}
        missing: list[str] = []

        def get(name: str) -> str:
            if not known.get(name):
                missing.append(name)
            return known.get(name, "")

        settings = cls(
            # The stack writes the URL as SQLAlchemy wants it, with the driver's name in the scheme.
            postgres_url=get("PRODUCTION_POSTGRES_URL").replace("postgresql+psycopg2://", "postgresql://", 1),
            bucket=get("PRODUCTION_BUCKET"),
            aws={
                "endpoint_url": known.get("AWS_ENDPOINT_URL") or None,
                "region_name": get("AWS_REGION"),
                "aws_access_key_id": get("PRODUCTION_AWS_ACCESS_KEY_ID"),
                "aws_secret_access_key": get("PRODUCTION_AWS_SECRET_ACCESS_KEY"),
            },
            kafka={
                "bootstrap.servers": get("PRODUCTION_KAFKA_BOOTSTRAP"),
                "security.protocol": get("PRODUCTION_KAFKA_SECURITY_PROTOCOL"),
                "sasl.mechanism": get("PRODUCTION_KAFKA_SASL_MECHANISM"),
                "sasl.username": get("PRODUCTION_KAFKA_USER"),
                "sasl.password": get("PRODUCTION_KAFKA_PASSWORD"),
            },
            snowflake=SnowflakeLogin(
                account=get("PRODUCTION_SNOWFLAKE_ACCOUNT"),
                user=get("PRODUCTION_SNOWFLAKE_USER"),
                private_key=get("PRODUCTION_SNOWFLAKE_PRIVATE_KEY"),
                role=get("PRODUCTION_SNOWFLAKE_ROLE"),
                database=get("PRODUCTION_SNOWFLAKE_DATABASE"),
                warehouse=get("PRODUCTION_SNOWFLAKE_WAREHOUSE"),
                storage_integration=get("PRODUCTION_SNOWFLAKE_STORAGE_INTEGRATION"),
                host=known.get("PRODUCTION_SNOWFLAKE_HOST", ""),
                port=int(known.get("PRODUCTION_SNOWFLAKE_PORT") or 443),
            ),
            trust={name: known[name] for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE") if known.get(name)},
        )
        if missing:
            raise SettingsError(
                f"not set: {', '.join(missing)}. They stand in {file} once the embedded stack is up (make up); "
                "elsewhere set them in the environment"
            )
        return settings


def _file_variables(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    words = shlex.split(file.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)
