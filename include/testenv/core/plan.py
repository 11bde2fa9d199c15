"""Decide: what an environment consists of, and the steps from what is to what shall be. Pure and total."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from testenv.core.dataset import Dataset
from testenv.core.naming import Names, golden_postgres, golden_snowflake
from testenv.core.resources import Action, Resource, Step, System
from testenv.core.spec import EnvironmentSpec

AIRFLOW_TEMPLATE = "te_template_airflow"
"""Postgres template with Airflow's migrated metadata tables."""

_ORDER = [
    (System.SECRETS, "credentials"),
    (System.S3, "role"),
    (System.S3, "prefix"),
    (System.S3, "landing"),
    (System.POSTGRES, "role"),
    (System.POSTGRES, "database"),
    (System.SNOWFLAKE, "role"),
    (System.SNOWFLAKE, "user"),
    (System.SNOWFLAKE, "database"),
    (System.KAFKA, "user"),
    (System.KAFKA, "acls"),
    (System.KAFKA, "topic"),
    (System.KAFKA, "records"),
    (System.SPARK, "code"),
    (System.SPARK, "job"),
    (System.ORCHESTRATOR, "code"),
    (System.ORCHESTRATOR, "connections"),
    (System.ORCHESTRATOR, "settings"),
    (System.ORCHESTRATOR, "task"),
]
"""Order of creation; destruction is the reverse, so that what runs stops before what it runs on goes."""


def desired(spec: EnvironmentSpec, dataset: Dataset) -> frozenset[Resource]:
    """Every resource of the environment that `spec` describes, holding `dataset`."""
    names, version = Names(spec.env_id), dataset.version

    def part(system: System, kind: str, name: str, **settings: str) -> Resource:
        return Resource(system, kind, name, tuple(sorted(settings.items())))

    return frozenset(
        [
            *(
                part(System.SECRETS, "credentials", names.parameter("credentials", system))
                for system in (System.POSTGRES, System.SNOWFLAKE, System.KAFKA, System.ORCHESTRATOR)
            ),
            part(System.S3, "role", names.iam_role),
            part(System.S3, "prefix", names.prefix),
            part(System.S3, "landing", names.prefix + "landing/", dataset=version),
            part(System.POSTGRES, "role", names.postgres_role),
            part(System.POSTGRES, "database", names.postgres_source, template=golden_postgres(version)),
            part(System.POSTGRES, "database", names.postgres_airflow, template=AIRFLOW_TEMPLATE),
            part(System.SNOWFLAKE, "role", names.snowflake_role),
            part(System.SNOWFLAKE, "user", names.snowflake_user),
            part(System.SNOWFLAKE, "database", names.snowflake_database, clone=golden_snowflake(version)),
            part(System.KAFKA, "user", names.kafka_user),
            part(System.KAFKA, "acls", names.kafka_user),
            *(
                part(System.KAFKA, "topic", names.topic(topic.name), partitions=str(topic.partitions))
                for topic in dataset.topics
            ),
            # Of records Kafka tells only how many there are: not of which dataset, and of none nothing.
            *(part(System.KAFKA, "records", names.topic(topic.name)) for topic in dataset.topics if topic.records),
            part(System.SPARK, "code", names.prefix + "code/spark/"),
            part(System.ORCHESTRATOR, "code", names.prefix + "code/code.tar.gz"),
            part(System.ORCHESTRATOR, "connections", names.parameter("connections")),
            part(System.ORCHESTRATOR, "settings", names.parameter("orchestrator")),
        ]
    )


def plan(wanted: Collection[Resource], observed: Collection[Resource]) -> tuple[Step, ...]:
    """Steps that turn `observed` into `wanted`, in the order to apply them; empty when they agree.

    What is wanted and missing, or there and made from something else, is ensured; what is there and not wanted is
    destroyed. Provision is `plan(wanted, ())`, destroy is `plan((), observed)`, drift is a plan that is not applied.
    """
    there = {resource: set(resource.settings) for resource in observed}
    goal = set(wanted)
    wrong = {resource for resource in goal if not set(resource.settings) <= there.get(resource, set())}
    return (
        *(Step(Action.DESTROY, resource) for resource in in_order(there.keys() - goal, reverse=True)),
        *(Step(Action.ENSURE, resource) for resource in in_order((goal - there.keys()) | wrong)),
    )


def in_order(resources: Iterable[Resource], *, reverse: bool = False) -> list[Resource]:
    """Resources in the order of creation, or of destruction if `reverse`."""
    rank = {key: position for position, key in enumerate(_ORDER)}
    return sorted(resources, key=lambda r: (rank[r.system, r.kind], r.name), reverse=reverse)
