"""How a person logs in to each part of an environment: the only place that hands out credentials."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from testenv.backends.aws import client, translate
from testenv.backends.keys import pem
from testenv.backends.protocol import Site, Vault
from testenv.config import Config
from testenv.core.naming import Names
from testenv.core.resources import System

SESSION_SECONDS = 3600
"""Life of a session of an environment's IAM role; a role assumed from a role gets no longer one."""


class Access:
    """Settings to log in as the environment."""

    def __init__(self, config: Config, vault: Vault) -> None:
        self._config = config
        self._vault = vault

    def connections(self, site: Site) -> dict[str, dict[str, str]]:
        """Part → setting → value, credentials included: to be shown to the environment's user and kept nowhere."""
        login = {system: self._vault.credentials(site.spec.env_id, system) for system in _SYSTEMS}
        return {
            "postgres": self._postgres(site.names, login[System.POSTGRES]),
            "snowflake": self._snowflake(site, login[System.SNOWFLAKE]),
            "kafka": self._kafka(site.names, login[System.KAFKA]),
            "s3": self._s3(site.names),
            "airflow": {
                "user": login[System.ORCHESTRATOR]["user"],
                "password": login[System.ORCHESTRATOR]["password"],
            },
        }

    @translate
    def session(self, names: Names) -> dict[str, Any]:
        """Temporary credentials of the environment's role: AccessKeyId, SecretAccessKey, SessionToken, Expiration."""
        sts = client("sts", self._config)
        account = sts.get_caller_identity()["Account"]
        answer = sts.assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/{names.iam_role}",
            RoleSessionName=names.iam_role,
            DurationSeconds=SESSION_SECONDS,
        )
        return dict(answer["Credentials"])

    def _postgres(self, names: Names, login: Mapping[str, str]) -> dict[str, str]:
        server = self._config.postgres
        return {
            "host": server.host,
            "port": str(server.port),
            "database": names.postgres_source,
            "user": login["user"],
            "password": login["password"],
        }

    def _snowflake(self, site: Site, login: Mapping[str, str]) -> dict[str, str]:
        snowflake = self._config.snowflake
        return {
            "account": snowflake.account,
            "host": snowflake.host,
            "port": snowflake.port,
            "ca_bundle": snowflake.ca_bundle,
            "user": login["user"],
            "private_key": pem(login["private_key"]),
            "role": site.names.snowflake_role,
            "database": site.names.snowflake_database,
            "warehouse": site.spec.warehouse,
        }

    def _kafka(self, names: Names, login: Mapping[str, str]) -> dict[str, str]:
        settings = self._config.kafka.client(login["user"], login["password"])
        return {**{key: str(value) for key, value in settings.items()}, "topic_prefix": names.topic_prefix}

    def _s3(self, names: Names) -> dict[str, str]:
        session = self.session(names)
        expires: datetime = session["Expiration"]
        return {
            "url": f"s3://{self._config.bucket}/{names.prefix}",
            "endpoint_url": self._config.endpoint_url,
            "region": self._config.region,
            "access_key_id": session["AccessKeyId"],
            "secret_access_key": session["SecretAccessKey"],
            "session_token": session["SessionToken"],
            "expires": expires.isoformat(),
        }


_SYSTEMS = (System.POSTGRES, System.SNOWFLAKE, System.KAFKA, System.ORCHESTRATOR)
