"""An Airflow connection to Snowflake, as the environment variables that dbt's profile reads."""

from __future__ import annotations

import base64
import json
from typing import Any

from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from cryptography.hazmat.primitives import serialization


def snowflake_environment(conn_id: str, context: Any) -> dict[str, str]:
    """Return `DBT_SNOWFLAKE_*` and `DBT_QUERY_TAG` for the connection `conn_id`, which must log in by key pair.

    `context` is the Airflow task's. Host and port are there only when the connection's extra has them. Raises
    `ValueError` when the connection has no private key.
    """
    hook = SnowflakeHook(conn_id)
    if not (private_key := hook.get_private_key()):
        raise ValueError(
            f"the connection {conn_id!r} has no private key; dbt logs in by key pair: "
            "put the PEM into the connection's extra as private_key_content"
        )
    der = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    connection = hook.get_connection(conn_id)
    extra = connection.extra_dejson
    settings = {
        "ACCOUNT": extra.get("account"),
        "HOST": extra.get("host"),
        "PORT": extra.get("port"),
        "USER": connection.login,
        "PRIVATE_KEY": base64.b64encode(der).decode(),
        "ROLE": extra.get("role"),
        "DATABASE": extra.get("database"),
        "WAREHOUSE": extra.get("warehouse"),
    }
    tag = {"dag": context["dag"].dag_id, "task": context["task"].task_id, "run": context["run_id"]}
    return {f"DBT_SNOWFLAKE_{name}": str(value) for name, value in settings.items() if value} | {
        "DBT_QUERY_TAG": json.dumps(tag)
    }
