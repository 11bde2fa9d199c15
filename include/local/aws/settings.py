"""The settings file of the AWS stand-in: what it runs jobs with, and the root user's access key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class AccessKey:
    """A long-lived access key pair."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """The JSON settings file, read. Keys of the file are the field names.

    work_dir: folder for logs and scratch files of jobs and tasks.
    spark_python, spark_submit: executables of the Spark virtual environment.
    spark_jars: folder of the jars that Spark lacks (`hadoop-aws`, the AWS SDK modules, the Kafka source).
    region: the only region that is prepared; clients name it in AWS_REGION.
    account_root: `{"access_key_id", "secret_access_key"}`; every other key of the account is derived from it.
    task_environment: environment of every ECS task (the CA bundle, TESTENV_DBT), as a task definition's is.
    """

    work_dir: Path
    spark_python: Path
    spark_submit: Path
    spark_jars: Path
    region: str
    account_root: AccessKey
    task_environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read `path`. Raises ValueError that names the file and the key at fault."""
        try:
            document: dict[str, Any] = json.loads(path.read_text())
            return cls(
                **{key: Path(document[key]) for key in ("work_dir", "spark_python", "spark_submit", "spark_jars")},
                region=document["region"],
                account_root=AccessKey(**document["account_root"]),
                task_environment=dict(document.get("task_environment", {})),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: not the settings of local.aws ({error!r}); see {__name__}.Settings") from error
