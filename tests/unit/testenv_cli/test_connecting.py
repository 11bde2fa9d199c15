from __future__ import annotations

import json
import subprocess

import pytest

from testenv_cli.connecting import Format, render

PASSWORD = 'p\'w "$(exit 1)" /@:'
PEM = "-----BEGIN PRIVATE KEY-----\nMIIE\nvQIB\n-----END PRIVATE KEY-----\n"
CONNECTIONS = {
    "postgres": {
        "host": "127.0.0.1",
        "port": "5432",
        "database": "te_sbx_a_src",
        "user": "te_sbx_a",
        "password": PASSWORD,
    },
    "snowflake": {
        "account": "testenv",
        "host": "localhost",
        "port": "443",
        "ca_bundle": "/stack/ca-bundle.pem",
        "user": "TE_SBX_A",
        "private_key": PEM,
        "role": "TE_SBX_A_RW",
        "database": "TE_SBX_A",
        "warehouse": "TE_WH_SANDBOX",
    },
    "kafka": {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "te-sbx-a",
        "sasl.password": PASSWORD,
        "topic_prefix": "te.sbx-a.",
    },
    "s3": {
        "url": "s3://bucket/env/sbx-a/",
        "endpoint_url": "",
        "region": "eu-central-1",
        "access_key_id": "AKIA",
        "secret_access_key": "s",
        "session_token": "t",
        "expires": "2026-01-02T13:00:00+00:00",
    },
    "airflow": {"user": "admin", "password": PASSWORD, "url": ""},
}


def sourced(text: str, name: str) -> str:
    """What a shell that pasted `text` has in the variable `name`."""
    script = f'{text}\nprintf %s "${name}"'
    return subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["PGPASSWORD", "KAFKA_SASL_PASSWORD"])
def test_a_shell_gets_every_character_of_a_password(name: str) -> None:
    assert sourced(render(CONNECTIONS, Format.ENV), name) == PASSWORD


def test_what_is_empty_is_not_set() -> None:
    """An empty AWS_ENDPOINT_URL would send boto3 nowhere."""
    assert "AWS_ENDPOINT_URL" not in render(CONNECTIONS, Format.ENV)


def test_addresses_escape_the_password() -> None:
    first = render(CONNECTIONS, Format.DSN).splitlines()[0]
    assert first.startswith("postgresql://te_sbx_a:p%27w") and first.endswith("@127.0.0.1:5432/te_sbx_a_src")


def test_dbt_gets_the_key_on_one_line() -> None:
    assert sourced(render(CONNECTIONS, Format.DBT), "DBT_SNOWFLAKE_PRIVATE_KEY") == "MIIEvQIB"


def test_airflows_connections_are_json_with_the_key_whole() -> None:
    text = render(CONNECTIONS, Format.AIRFLOW)
    snowflake = json.loads(sourced(text, "AIRFLOW_CONN_SNOWFLAKE_DEFAULT"))
    assert snowflake["extra"]["private_key_content"] == PEM
    assert "endpoint_url" not in json.loads(sourced(text, "AIRFLOW_CONN_AWS_DEFAULT"))["extra"]
    assert "topic_prefix" not in json.loads(sourced(text, "AIRFLOW_CONN_FINSIGHT_KAFKA"))["extra"]
