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
from testenv.core.naming import EnvId, Names
from testenv.core.resources import System
from testenv.datasets.models import read_state
from testenv_airflow.hooks.testenv import TestenvHook, airflow_errors
from testenv_airflow.manifest import MANIFEST, PROJECT
from testenv_airflow.triggers.model import watch_without_worker

if TYPE_CHECKING:
    from airflow.models import BaseOperator
    from airflow.utils.context import Context

    from testenv.config import Config
    from testenv.engine import Engine
    from testenv.ledger import Environment

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
            setup_operator_args={"task_display_name": "dbt build"},
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
        engine, config = hook.engine, hook.config
        found = engine.ledger.environment(env_id)
        project = export(engine, found, config.home) / PROJECT
        operator.dbt_cmd_flags = [*operator.dbt_cmd_flags, *only_changed(config, engine, found, project)]
        names = Names(env_id)
        variables = dbt.variables(
            config,
            engine.vault.credentials(env_id, System.SNOWFLAKE),
            role=names.snowflake_role,
            database=names.snowflake_database,
            warehouse=found.spec.warehouse,
            query_tag=query_tag(context),
        )
    operator.project_dir = str(project)
    operator.profile_config = dataclasses.replace(
        operator.profile_config, profiles_yml_filepath=project / "profiles.yml"
    )
    operator.get_env = lambda _context: variables  # Cosmos' own would add the whole environment of the task


def only_changed(config: Config, engine: Engine, environment: Environment, project: Path) -> list[str]:
    """dbt's arguments to build what differs from the models of the environment's dataset; none if it has no models."""
    dataset = engine.datasets.get(environment.spec.dataset)
    if not dataset.models:
        return []
    state = project.parent / "state"
    state.mkdir()
    (state / "manifest.json").write_bytes(read_state(config, dataset.version))
    return ["--select", "state:modified+", "--state", str(state)]


def export(engine: Engine, environment: Environment, home: Path) -> Path:
    """Put the code of the environment's ref into a folder of its own below `home`; returns the folder."""
    from testenv.source import unpack

    folder = home / "code" / str(environment.env_id)
    shutil.rmtree(folder, ignore_errors=True)
    unpack(engine.source.archive(environment.spec.ref), folder)
    return folder


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
