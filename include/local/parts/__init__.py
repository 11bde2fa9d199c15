"""The parts of the embedded stack, in the order of `status`; a step stands after those that it comes after."""

from __future__ import annotations

from local.parts.airflow import Scheduler, Triggerer, Webserver
from local.parts.airflow_database import AirflowDatabase
from local.parts.aws import Aws, Runner
from local.parts.base import Job, Part, Step
from local.parts.dbt import Dbt
from local.parts.environment import Environment
from local.parts.jobs import Ledger, Seed
from local.parts.kafka import Kafka
from local.parts.pgbouncer import PgBouncer
from local.parts.postgres import Postgres
from local.parts.snowflake import Snowflake
from local.site import Site

STEPS: tuple[type[Step], ...] = (
    Postgres,
    Kafka,
    Runner,
    Dbt,
    Aws,
    Snowflake,
    AirflowDatabase,
    PgBouncer,
    Environment,
    Ledger,
    Seed,
    Scheduler,
    Triggerer,
    Webserver,
)


def steps(site: Site) -> list[Step]:
    """One of each step, for SITE."""
    return [step(site) for step in STEPS]


__all__ = ["STEPS", "Job", "Part", "Step", "steps"]
