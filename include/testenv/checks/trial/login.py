"""Logging in as the environment, where its tasks run and from the control plane alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from testenv.backends.errors import snowflake_errors

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@snowflake_errors()
def snowflake(settings: Mapping[str, Any]) -> SnowflakeConnection:
    """A session by `account`, `user`, `private_key` (PEM), `role`, `database`, `warehouse`, and `host` and `port`."""
    import snowflake.connector
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(str(settings["private_key"]).encode(), password=None)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    elsewhere = {"host": settings["host"], "port": int(settings["port"])} if settings.get("host") else {}
    return snowflake.connector.connect(
        **{name: settings[name] for name in ("account", "user", "role", "database", "warehouse")},
        private_key=der,
        login_timeout=30,
        network_timeout=120,
        session_parameters={"QUERY_TAG": '{"app": "testenv", "trial": true}'},
        application="testenv",
        **elsewhere,
    )


def of_connection(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings from the Airflow connection that the environment's tasks have."""
    extra = connection["extra"]
    return {**extra, "user": connection["login"], "private_key": extra["private_key_content"]}
