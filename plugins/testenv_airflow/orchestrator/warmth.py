"""Forking runs from a parent that has imported Airflow: what the parent loads, and what a child sets anew."""

from __future__ import annotations

import gc
import importlib
import inspect

# What DAGs of the estate's kind import; none of these starts a thread when imported (the runner checks that).
_COMMON = (
    "boto3",
    "airflow.models.dagbag",
    "airflow.models.dagrun",
    "airflow.models.taskinstance",
    "airflow.operators.python",
    "airflow.operators.empty",
    "airflow.utils.task_group",
    "airflow.providers.amazon.aws.secrets.systems_manager",
    "airflow.providers.amazon.aws.operators.emr",
    "airflow.providers.amazon.aws.hooks.s3",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.common.sql.operators.sql",
    "testenv_airflow.orchestrator.run",
)


_CLIENTS = (
    "pandas",
    "pyarrow.parquet",
    "snowflake.connector",
    "airflow.providers.snowflake.hooks.snowflake",
    "airflow.providers.common.sql.operators.sql",
    "airflow.providers.common.sql.hooks.sql",
)
"""What tasks of the estate's kind import when they run: worth it where one parent forks many. No threads either."""


def import_all() -> None:
    """In the parent. Its database connection, if Airflow made one, is closed: children must not share a socket."""
    for module in _COMMON:
        importlib.import_module(module)
    from airflow import settings

    from testenv_airflow.orchestrator.dag_run import import_tables

    import_tables()
    settings.engine.dispose()


def import_clients() -> None:
    """In a parent that forks many runs, after `import_all`."""
    for module in _CLIENTS:
        importlib.import_module(module)
    from airflow.plugins_manager import integrate_macros_plugins
    from airflow.providers_manager import ProvidersManager

    integrate_macros_plugins()
    ProvidersManager().initialize_providers_hooks()
    inspect.stack()  # of which the AWS hook asks: where each module lies is looked up once
    gc.collect()
    gc.freeze()  # no child goes through what the parent has loaded, nor copies it by doing so


def reconfigure() -> None:
    """In the child, after the environment is set: read settings, secrets backends and logging again."""
    from airflow import configuration, settings
    from airflow.logging_config import configure_logging
    from airflow.models import crypto

    settings.configure_vars()
    settings.configure_orm()
    configure_logging()
    configuration.secrets_backend_list = configuration.initialize_secrets_backends()
    crypto._fernet = None
