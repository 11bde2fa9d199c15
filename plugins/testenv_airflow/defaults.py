"""What the management DAGs share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.models.param import Param

from testenv_airflow.conf import ENVIRONMENT_PATTERN
from testenv_airflow.notes import note_failure

TASKS: dict[str, Any] = {
    "owner": "testenv",
    "retries": 3,  # what is terminal fails at once: testenv_airflow.hooks.testenv.airflow_errors
    "retry_delay": timedelta(seconds=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
    "on_failure_callback": note_failure,
    "weight_rule": "upstream",  # of environments that wait for a worker, the one that is nearest to its end goes first
}
"""`default_args` of every management DAG."""


@dataclass(frozen=True)
class Part:
    """What one task makes: a title for the grid, the systems it goes to, and the pool it runs in."""

    title: str
    systems: tuple[str, ...]
    pool: str


PARTS = {
    "snowflake": Part("Snowflake database, role and user", ("snowflake",), "snowflake"),
    "postgres": Part("Postgres databases and role", ("postgres",), "postgres"),
    "kafka": Part("Kafka user, ACLs, topics and their records", ("kafka",), "kafka"),
    "aws": Part("S3 files, IAM role, code, settings and secrets", ("secrets", "s3", "spark", "orchestrator"), "aws"),
}
"""The tasks that make an environment, in parallel: one for each vendor, as a task costs more than most of its steps.

A pool (include/catalog/pools.json) has far fewer slots than there are workers: a system that hangs holds up the tasks
that speak to it, and no others.
"""

INVENTORY = "inventory"
"""Pool of tasks that go to every system."""

CHECKS = "checks"
"""Pool of tasks that judge releases."""

TRIALS = "trials"
"""Pool of trials, which count in it while they are waited for: more at once would each take longer than it may."""


ENVIRONMENT_RULE = "The id of an environment, such as sbx-payments-fix; Test environments in the menu lists them"


def environment_param() -> Param:
    """The parameter `environment` of the DAGs that act on one. It has no default: there is none that works."""
    return Param(
        type="string",
        title="Environment",
        pattern=ENVIRONMENT_PATTERN,
        maxLength=24,
        description=ENVIRONMENT_RULE,
        **{"$comment": ENVIRONMENT_RULE},  # Airflow tells a refused value its schema, not its description
    )
