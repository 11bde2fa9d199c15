"""The tasks that make what is planned for an environment, the same for a provision and a move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.utils.task_group import TaskGroup
from airflow.utils.trigger_rule import TriggerRule

from testenv_airflow.dbt import PRODUCER, build_group
from testenv_airflow.defaults import INVENTORY, PARTS
from testenv_airflow.operators.provision import EnsureOperator, VerifyOperator

if TYPE_CHECKING:
    from airflow.models import BaseOperator

BUILD = "build"
"""Id of the group that builds the models."""

CHECKOUT = Path(__file__).parents[2]
"""The deployment's own repository, whose manifest draws the group."""


@dataclass(frozen=True)
class Making:
    """`parts` first, then `verify`; `building`, the one task that runs dbt, is between them."""

    parts: TaskGroup
    building: BaseOperator
    verify: VerifyOperator


def make(group_id: str, tooltip: str, environment: str) -> Making:
    """Tasks of the DAG that is being defined, for `environment` (a template of its id), in their order."""
    with TaskGroup(group_id, tooltip=tooltip) as parts:
        made = {
            name: EnsureOperator(task_id=name, task_display_name=part.title, systems=part.systems, pool=part.pool)
            for name, part in PARTS.items()
        }
    build = build_group(
        BUILD,
        checkout=CHECKOUT,
        environment=environment,
        tooltip="Build the dbt models that the environment's code changes, in its own database",
    )
    verify = VerifyOperator(
        task_id="verify",
        task_display_name="verify: log in everywhere and count",
        pool=INVENTORY,
        trigger_rule=TriggerRule.NONE_FAILED,  # the build is skipped where the dataset brings the models along
    )
    building = build.children[f"{BUILD}.{PRODUCER}"]  # the models' tasks only watch it
    made["snowflake"] >> build  # dbt needs nothing else, so it runs beside the rest
    [parts, building] >> verify
    return Making(parts, building, verify)
