"""How to log in to an environment, ready to paste: for a shell, as addresses, for dbt, for Airflow."""

from __future__ import annotations

import json
import shlex
from enum import StrEnum
from urllib.parse import quote, urlencode

Connections = dict[str, dict[str, str]]


class Format(StrEnum):
    """What `connect` prints."""

    ENV = "env"
    DSN = "dsn"
    DBT = "dbt"
    AIRFLOW = "airflow"


def render(connections: Connections, form: Format) -> str:
    """The settings in one of the forms."""
    match form:
        case Format.ENV:
            return _exports(environment(connections))
        case Format.DSN:
            return "\n".join(addresses(connections))
        case Format.DBT:
            return _exports(dbt(connections))
        case Format.AIRFLOW:
            return _exports(airflow(connections))


def environment(connections: Connections) -> dict[str, str]:
    """Variables that psql, the AWS CLI and boto3 read themselves; for the others, in the same manner."""
    postgres, snowflake, s3, kafka = (connections[part] for part in ("postgres", "snowflake", "s3", "kafka"))
    return _filled(
        {
            "PGHOST": postgres["host"],
            "PGPORT": postgres["port"],
            "PGDATABASE": postgres["database"],
            "PGUSER": postgres["user"],
            "PGPASSWORD": postgres["password"],
            "SNOWFLAKE_ACCOUNT": snowflake["account"],
            "SNOWFLAKE_HOST": snowflake["host"],
            "SNOWFLAKE_PORT": snowflake["port"],
            "SNOWFLAKE_USER": snowflake["user"],
            "SNOWFLAKE_ROLE": snowflake["role"],
            "SNOWFLAKE_DATABASE": snowflake["database"],
            "SNOWFLAKE_WAREHOUSE": snowflake["warehouse"],
            "SNOWFLAKE_PRIVATE_KEY_RAW": snowflake["private_key"],
            "REQUESTS_CA_BUNDLE": snowflake["ca_bundle"],
            "AWS_ENDPOINT_URL": s3["endpoint_url"],
            "AWS_REGION": s3["region"],
            "AWS_DEFAULT_REGION": s3["region"],
            "AWS_ACCESS_KEY_ID": s3["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": s3["secret_access_key"],
            "AWS_SESSION_TOKEN": s3["session_token"],
            "TESTENV_S3_URL": s3["url"],
            **{f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in kafka.items()},
            **{f"TESTENV_AIRFLOW_UI_{name.upper()}": value for name, value in connections["airflow"].items()},
        }
    )


def addresses(connections: Connections) -> list[str]:
    """One address for each part that has such a thing."""
    postgres, snowflake, kafka = connections["postgres"], connections["snowflake"], connections["kafka"]
    login = f"{quote(postgres['user'])}:{quote(postgres['password'], safe='')}"
    scram = f"{quote(kafka['sasl.username'])}:{quote(kafka['sasl.password'], safe='')}"
    target = urlencode({"warehouse": snowflake["warehouse"], "role": snowflake["role"]})
    return [
        f"postgresql://{login}@{postgres['host']}:{postgres['port']}/{postgres['database']}",
        f"snowflake://{quote(snowflake['user'])}@{snowflake['account']}/{snowflake['database']}?{target}",
        connections["s3"]["url"],
        f"kafka://{scram}@{kafka['bootstrap.servers']}",
    ]


def dbt(connections: Connections) -> dict[str, str]:
    """The variables that the project's profile reads."""
    snowflake = connections["snowflake"]
    names = ("account", "host", "port", "user", "role", "database", "warehouse")
    variables = {f"DBT_SNOWFLAKE_{name.upper()}": snowflake[name] for name in names}
    variables |= {
        "DBT_SNOWFLAKE_PRIVATE_KEY": one_line(snowflake["private_key"]),
        "REQUESTS_CA_BUNDLE": snowflake["ca_bundle"],
    }
    return _filled(variables)


def airflow(connections: Connections) -> dict[str, str]:
    """Airflow's connections, as JSON in its own variables."""
    postgres, snowflake, s3, kafka = (connections[part] for part in ("postgres", "snowflake", "s3", "kafka"))
    extra = {name: snowflake[name] for name in ("account", "host", "port", "role", "database", "warehouse")}
    client = {name: value for name, value in kafka.items() if name != "topic_prefix"}
    made = {
        "FINSIGHT_POSTGRES": {
            "conn_type": "postgres",
            "host": postgres["host"],
            "port": int(postgres["port"]),
            "schema": postgres["database"],
            "login": postgres["user"],
            "password": postgres["password"],
        },
        "SNOWFLAKE_DEFAULT": {
            "conn_type": "snowflake",
            "login": snowflake["user"],
            "schema": "RAW",
            "extra": _filled(extra) | {"private_key_content": snowflake["private_key"]},
        },
        "AWS_DEFAULT": {
            "conn_type": "aws",
            "login": s3["access_key_id"],
            "password": s3["secret_access_key"],
            "extra": _filled(
                {
                    "aws_session_token": s3["session_token"],
                    "region_name": s3["region"],
                    "endpoint_url": s3["endpoint_url"],
                }
            ),
        },
        "FINSIGHT_KAFKA": {"conn_type": "kafka", "extra": client},
    }
    return {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in made.items()}


def one_line(pem: str) -> str:
    """The base64 of a PEM without its armour."""
    return "".join(line for line in pem.splitlines() if line and not line.startswith("-----"))


def _exports(variables: dict[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def _filled(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if value}
