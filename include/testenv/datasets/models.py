"""The models of a golden database: built once, so that environments clone them and build only what they change."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from testenv import dbt
from testenv.backends.aws import client, translate
from testenv.config import Config
from testenv.core.naming import golden_prefix, golden_snowflake
from testenv.source import unpack

STATE = "dbt/manifest.json"
"""dbt's manifest of what was built, below the version's prefix: what an environment's code is compared with."""


def build_models(config: Config, version: str, archive: bytes, warehouse: str) -> str:
    """Build the project of a repository's `archive` in the golden database of `version`; returns the project's digest.

    Empty where the repository has no project. Building again changes nothing. Raises `Failed` with dbt's words.
    """
    digest = dbt.project_digest(archive)
    if not digest:
        return ""
    environ = dbt.variables(
        config,
        {"user": config.snowflake.user, "private_key": config.snowflake.private_key},
        role=config.snowflake.role,
        database=golden_snowflake(version),
        warehouse=warehouse,
        query_tag=json.dumps({"app": "testenv", "dataset": version}),
    )
    with tempfile.TemporaryDirectory(prefix="testenv-golden-") as folder:
        code, target = Path(folder, "code"), Path(folder, "target")
        unpack(archive, code)
        dbt.build(config.dbt, code / dbt.PROJECT, target, environ)
        _put_state(config, version, (target / "manifest.json").read_bytes())
    return digest


@translate
def _put_state(config: Config, version: str, manifest: bytes) -> None:
    client("s3", config).put_object(Bucket=config.bucket, Key=golden_prefix(version) + STATE, Body=manifest)


@translate
def read_state(config: Config, version: str) -> bytes:
    """dbt's manifest of the models of `version`."""
    found = client("s3", config).get_object(Bucket=config.bucket, Key=golden_prefix(version) + STATE)
    return bytes(found["Body"].read())
