"""
### FinSight's dbt project

Builds `dbt/finsight` on what the other pipelines loaded: snapshot, staging, intermediate, marts, and all tests.

One task runs `dbt build`: dbt orders and parallelises its models better than one Airflow task per model (8 s against
a minute for 20 models), and a run in one process, as in tests, stays short. Which model failed stands in the log.

**Run it again** whenever you like: incremental models take in what they have not seen, in whatever order it came.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.decorators import dag
from cosmos import ProfileConfig
from cosmos.constants import InvocationMode
from cosmos.operators.local import DbtBuildLocalOperator

from estate.tasks import DAG_DEFAULTS, TASK_DEFAULTS

if TYPE_CHECKING:
    from airflow.utils.context import Context

PROJECT = Path(__file__).parents[2] / "dbt" / "finsight"


def bind(context: Context, operator: Any) -> None:
    """Point dbt at this run's Snowflake, project folder and executable.

    Runs within the task, after its templates were rendered: so no credential is stored with the rendered fields.
    """
    from airflow.models import Variable

    from estate.dbt_profile import snowflake_environment

    operator.env = snowflake_environment("snowflake_default", context)
    operator.dbt_executable_path = Variable.get("dbt_executable", default_var="dbt")
    operator.project_dir = Variable.get("dbt_project_dir", default_var=str(PROJECT))
    operator.profile_config.profiles_yml_filepath = Path(operator.project_dir) / "profiles.yml"


@dag(
    schedule="@daily",
    max_active_runs=1,
    tags=["finsight", "dbt", "critical"],
    default_args=TASK_DEFAULTS | {"owner": "analytics"},
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def finsight_dbt() -> None:
    DbtBuildLocalOperator(
        task_id="build",
        project_dir=str(PROJECT),
        profile_config=ProfileConfig("finsight", "env", profiles_yml_filepath=PROJECT / "profiles.yml"),
        interceptors=[bind],
        invocation_mode=InvocationMode.SUBPROCESS,
        install_deps=False,
        # Runs on one machine must not share a cache, and the rendered fields are not to be written again.
        partial_parse=False,
        should_store_compiled_sql=False,
        emit_datasets=False,
    )


finsight_dbt()
