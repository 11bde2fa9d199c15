"""What an orchestrator is told, and where: its process environment, an SSM parameter, an archive in S3. Imports no
Airflow.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from testenv.source import extract

_SECRETS_BACKEND = "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
_WITH_OWN_VARIABLES = "testenv_airflow.orchestrator.secrets.ParametersWithOwnVariables"


class SettingsError(Exception):
    """The orchestrator cannot be set up; the message says what is missing and where it should be."""


@dataclass(frozen=True)
class Deployment:
    """A prepared orchestrator: whose it is, its AIRFLOW_HOME, and the unpacked code under test.

    `variables` are Airflow variables that this code has in place of the environment's.
    """

    env_id: str
    bucket: str
    home: Path
    code: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def dags(self) -> Path:
        return self.code / "include" / "estate" / "dags"

    @classmethod
    def prepare(cls) -> Deployment:
        """Read `/testenv/ENV_ID/orchestrator`, unpack the code, and set this process's environment for Airflow.

        Airflow must not have been imported, or be reconfigured after. Raises SettingsError.
        """
        env_id, bucket = _required("TESTENV_ENV_ID"), _required("TESTENV_BUCKET")
        variables = _orchestrator_variables(env_id)
        base = os.environ.get("TESTENV_TASK_HOME") or str(Path(tempfile.gettempdir()) / "testenv")
        home = Path(base) / env_id
        home.mkdir(parents=True, exist_ok=True)
        code = _unpack(bucket, f"env/{env_id}/code/code.tar.gz", home)
        deployment = cls(env_id, bucket, home, code)
        os.environ.update(deployment._airflow_variables() | variables)
        sys.path.insert(0, str(code / "include"))
        return deployment

    def other(self, archive: str, variables: Mapping[str, str]) -> Deployment:
        """The same orchestrator with the code of another archive below `env/ID/code/`. Raises SettingsError."""
        code = _unpack(self.bucket, f"env/{self.env_id}/code/{archive}", self.home)
        return replace(self, code=code, variables=variables)

    def enter(self, instead_of: Deployment) -> None:
        """Let this process, in which nothing of the code under test was imported, run this deployment's code."""
        os.environ.update(self._airflow_variables())
        sys.path[:] = [path for path in sys.path if path != str(instead_of.code / "include")]
        sys.path.insert(0, str(self.code / "include"))

    def _airflow_variables(self) -> dict[str, str]:
        """Airflow's settings that follow from the place; the SSM parameter's take precedence."""
        prefix = f"/testenv/{self.env_id}"
        secrets: dict[str, Any] = {
            "connections_prefix": f"{prefix}/connections",
            "variables_prefix": f"{prefix}/variables",
            "config_prefix": None,  # Airflow's own configuration is not looked up in SSM
        }
        if self.variables:
            secrets["own_variables"] = dict(self.variables)
        include = str(self.code / "include")
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_CONFIG": str(self.home / "airflow.cfg"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.home / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "utc",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "AIRFLOW__SCHEDULER__CHILD_PROCESS_LOG_DIRECTORY": str(self.home / "logs" / "scheduler"),
            "AIRFLOW__SECRETS__BACKEND": _WITH_OWN_VARIABLES if self.variables else _SECRETS_BACKEND,
            "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(secrets),
            "AIRFLOW__COSMOS__ENABLE_DATASET_ALIAS": "False",  # aliases break a run without a scheduler
            "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
            "AIRFLOW__COSMOS__ENABLE_CACHE_PARTIAL_PARSE": "False",  # one file for all environments of a machine
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONPATH": os.pathsep.join([include, *filter(None, [os.environ.get("PYTHONPATH")])]),
        }


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SettingsError(f"{name} is not set; the ECS task's container override must set it")
    return value


def _orchestrator_variables(env_id: str) -> dict[str, str]:
    name = f"/testenv/{env_id}/orchestrator"
    try:
        parameter = boto3.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        variables: Any = json.loads(parameter)
    except (ClientError, BotoCoreError) as error:
        raise SettingsError(f"SSM parameter {name} cannot be read: {error}; provisioning writes it") from error
    except json.JSONDecodeError as error:
        raise SettingsError(
            f"SSM parameter {name} is not JSON ({error}); it must map variable names to texts"
        ) from error
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise SettingsError(f"SSM parameter {name} must be a JSON object of texts, such as AIRFLOW__CORE__FERNET_KEY")
    return variables


def _unpack(bucket: str, key: str, home: Path) -> Path:
    """The folder of the archive's content, named by its ETag; unpacked once, however many runs start at once."""
    s3 = boto3.client("s3")
    try:
        etag = s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
        target = home / f"code-{etag}"
        if target.is_dir():
            return target
        draft = Path(tempfile.mkdtemp(prefix="code-", suffix=".new", dir=home))
        with tempfile.TemporaryFile() as archive:
            s3.download_fileobj(bucket, key, archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive, mode="r:gz") as members:
                extract(members, draft)
    except (ClientError, BotoCoreError, tarfile.TarError) as error:
        raise SettingsError(f"s3://{bucket}/{key} cannot be unpacked: {error}; provisioning writes it") from error
    draft.chmod(0o755)
    try:
        draft.rename(target)
    except OSError:  # another run was faster
        shutil.rmtree(draft)
    return target
