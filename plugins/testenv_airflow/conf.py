"""The conf of a run: Airflow checks the values of known keys against their schema, and lets unknown keys pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testenv.core.errors import UnknownKey

if TYPE_CHECKING:
    from airflow.utils.context import Context

ENVIRONMENT_PATTERN = r"^(ci|sbx|int)(-[a-z0-9]+)+$"
"""JSON-schema form of an environment's id; `EnvId` decides."""


def refuse_unknown_keys(context: Context) -> None:
    """For the first task of a DAG. Raises `UnknownKey` naming the keys there are."""
    dag, conf = context["dag"], context["dag_run"].conf or {}
    if unknown := sorted(set(conf) - set(dag.params)):
        allowed = ", ".join(sorted(dag.params))
        raise UnknownKey(f"{dag.dag_id} does not know {', '.join(map(repr, unknown))}. Allowed keys are {allowed}")
