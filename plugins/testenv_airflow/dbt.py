"""Building an environment's models with Cosmos: one dbt process, watched model by model in the grid.

The DAG is drawn from the manifest of the deployment's own checkout. At run time the build is bound to the run's
environment by an interceptor: the project of the environment's ref, its login from the vault. The login goes into the
variables of the dbt process and nowhere else, so neither templates nor XCom nor logs ever hold it.

An environment's database is a clone that has the models of its dataset, so dbt builds only those that the environment's
code changes, and what depends on them; where it changes none, the whole group is skipped.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowFailException
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior

from testenv import dbt
from testenv.build import prepare_build
from testenv.core.naming import EnvId
from testenv_airflow.hooks.testenv import TestenvHook, airflow_errors
from testenv_airflow.manifest import MANIFEST, PROJECT
from testenv_airflow.triggers.model import watch_without_worker

if TYPE_CHECKING:
    from airflow.models import BaseOperator
    from airflow.utils.context import Context

PRODUCER = "dbt_producer_watcher"
"""Cosmos' name of the task that runs dbt; the group's other tasks watch it."""


def build_group(group_id: str, *, checkout: Path, environment: str, **kwargs: Any) -> DbtTaskGroup:
    """The task group that builds the models of `environment` (a template of its id).

    `checkout` is the repository whose manifest draws the group. Raises
    `FileNotFoundError` saying how to make it.
    """
    project = checkout / PROJECT
    manifest = checkout / MANIFEST
    if not manifest.is_file():
        raise FileNotFoundError(f"{MANIFEST} is not there. Make it: python -m testenv_airflow.manifest (make install)")
    executable = os.environ.get("TESTENV_DBT", "dbt")
    group = DbtTaskGroup(
        group_id=group_id,
        project_config=ProjectConfig(dbt_project_path=project, manifest_path=manifest, install_dbt_deps=False),
        profile_config=ProfileConfig("finsight", "env", profiles_yml_filepath=project / "profiles.yml"),
        execution_config=ExecutionConfig(
            dbt_executable_path=executable,
            invocation_mode=InvocationMode.SUBPROCESS,
            execution_mode=ExecutionMode.WATCHER,
            setup_operator_args={"task_display_name": "dbt build", "pool": "dbt"},
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            invocation_mode=InvocationMode.SUBPROCESS,
            dbt_executable_path=executable,
            test_behavior=TestBehavior.NONE,  # testenv.dbt.BUILT says why
            emit_datasets=False,
        ),
        operator_args={
            "interceptors": [functools.partial(bind, environment)],
            "callback": conclude,
            "should_store_compiled_sql": False,
            "retries": 0,  # the producer does not know how to: Cosmos would skip it
        },
        **kwargs,
    )
    watch_without_worker(group)
    return group


def bind(environment: str, context: Context, operator: BaseOperator) -> None:
    """Interceptor: make `operator` build the environment of this run, from the code it was asked for."""
    env_id = EnvId(operator.render_template(environment, context))
    with airflow_errors():
        hook = TestenvHook()
        folder = hook.config.home / "code" / str(env_id)
        build = prepare_build(hook.engine, hook.config, env_id, folder, query_tag(context))
    operator.project_dir = str(build.project)
    operator.dbt_cmd_flags = [*operator.dbt_cmd_flags, *build.arguments]
    operator.profile_config = dataclasses.replace(
        operator.profile_config, profiles_yml_filepath=build.project / "profiles.yml"
    )
    operator.get_env = lambda _context: dict(build.environ)  # Cosmos' own would add the whole environment of the task


def conclude(target: str, context: Context) -> None:
    """Cosmos' callback when dbt has ended, well or not: the exported code goes, and what failed is named.

    Raises `AirflowFailException` with dbt's own words; Cosmos would tell the exit code.
    """
    operator = context["task_instance"].task
    shutil.rmtree(Path(operator.project_dir).parents[len(PROJECT.parts) - 1], ignore_errors=True)
    if failures := dbt.failures(Path(target, "target")):
        raise AirflowFailException(f"dbt build failed: {'; '.join(failures)}")


def query_tag(context: Context) -> str:
    """What stands beside each of the build's statements in Snowflake's query history."""
    instance = context["task_instance"]
    return json.dumps({"dag": instance.dag_id, "task": instance.task_id, "run": instance.run_id})
