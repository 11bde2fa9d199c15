"""What records a trial's moments, logged in with the connections that the environment's own tasks have."""

from __future__ import annotations

import json
from typing import Any

import boto3

from testenv.checks.trial.lake import Lake
from testenv.checks.trial.login import of_connection, snowflake
from testenv.checks.trial.moments import Moments
from testenv.checks.trial.plan import Plan
from testenv.checks.trial.tables import Tables
from testenv.checks.trial.topics import Topics
from testenv.checks.trial.writers import Writers
from testenv_airflow.orchestrator.settings import Deployment


def moments(deployment: Deployment, plan: Plan) -> Moments:
    """Logs in to Snowflake and S3, and to Kafka where a pipeline streams."""
    login = of_connection(_connection(deployment, "snowflake_default"))
    session = boto3.Session()
    topics = None
    if plan.streaming:
        settings = _connection(deployment, "finsight_kafka")["extra"]
        topics = Topics(settings, f"te.{deployment.env_id}.")
    return Moments(
        Tables(snowflake(login), login["database"]),
        Lake(session, session.client("s3"), deployment.bucket, f"env/{deployment.env_id}/"),
        topics,
        Writers(plan.writes),
        by_column=[each.partition(":")[2] for each in plan.allowed],
        batches=plan.batches,
    )


def _connection(deployment: Deployment, name: str) -> dict[str, Any]:
    parameter = f"/testenv/{deployment.env_id}/connections/{name}"
    found = boto3.client("ssm").get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"]
    content: dict[str, Any] = json.loads(found)
    return content
