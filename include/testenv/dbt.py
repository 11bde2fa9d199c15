"""The repository's dbt project: what tells two versions of it apart, how dbt logs in, and building it in a database."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from testenv.backends.protocol import Credentials
from testenv.config import Config
from testenv.core.errors import Failed

PROJECT = "include/dbt/finsight"
"""Folder of the dbt project, below the root of the repository."""

BUILT = ("model", "seed", "snapshot")
"""What is built. No tests: an environment is where one finds out why a test fails, so none may keep it from being."""

SECONDS = 900
"""How long a build may take."""

PARSE_SECONDS = 120
"""How long it may take to read a project."""

_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SNOWFLAKE_DISABLE_PLATFORM_DETECTION",
)


def project_digest(archive: bytes) -> str:
    """Hash of the project's files in an archive of the repository; empty if there are none."""
    digest, found = hashlib.sha256(), False
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            if member.name.startswith(f"{PROJECT}/") and (content := tar.extractfile(member)):
                found = True
                digest.update(f"{member.name}\n{hashlib.sha256(content.read()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16] if found else ""


def variables(
    config: Config, login: Credentials, *, role: str, database: str, warehouse: str, query_tag: str
) -> dict[str, str]:
    """All the variables of a dbt process: those that the project's profile reads, and the few that any process needs.

    dbt runs the code under test, so it sees none of the control plane's own settings.
    """
    snowflake = config.snowflake
    profile = {
        "ACCOUNT": snowflake.account,
        "HOST": snowflake.host,
        "PORT": snowflake.port,
        "USER": login["user"],
        "PRIVATE_KEY": login["private_key"],
        "ROLE": role,
        "DATABASE": database,
        "WAREHOUSE": warehouse,
    }
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **{f"DBT_SNOWFLAKE_{name}": value for name, value in profile.items() if value},
        "DBT_QUERY_TAG": query_tag,
    }


def build(dbt: str, project: Path, target: Path, environ: Mapping[str, str], *arguments: str) -> None:
    """Build `project`, or what `arguments` select of it; artifacts go to `target`. Raises `Failed` with dbt's words."""
    command = [dbt, "--quiet", "--log-level-file", "none", "build", "--no-partial-parse"]
    command += [argument for kind in BUILT for argument in ("--resource-type", kind)]
    command += ["--project-dir", str(project), "--profiles-dir", str(project), "--target-path", str(target)]
    command += arguments
    try:
        done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"dbt could not be run: {error}") from error
    if done.returncode:
        raise Failed(f"dbt build failed: {'; '.join(failures(target)) or (done.stdout + done.stderr).strip()[-1000:]}")


def parse(dbt: str, project: Path, target: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """dbt's manifest of `project`, which asks no database for anything. Raises `Failed` with dbt's words."""
    command = [dbt, "--quiet", "--log-level-file", "none", "parse", "--no-partial-parse"]
    command += ["--project-dir", str(project), "--profiles-dir", str(project), "--target-path", str(target)]
    try:
        done = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, timeout=PARSE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"dbt could not be run: {error}") from error
    if done.returncode:
        raise Failed(f"dbt cannot read the project: {(done.stdout + done.stderr).strip()[-1000:]}")
    manifest: dict[str, Any] = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def reader(config: Config) -> Callable[[Path], dict[str, Any]]:
    """What reads a project's manifest without a login: `parse` with names in place of what would be logged in to."""

    def read(project: Path) -> dict[str, Any]:
        nowhere = dict.fromkeys(("role", "database", "warehouse"), "TESTENV")
        environ = variables(config, {"user": "TESTENV", "private_key": "none"}, query_tag="{}", **nowhere)
        with TemporaryDirectory(prefix="testenv-parse-") as target:
            return parse(config.dbt, project, Path(target), environ)

    return read


def failures(target: Path) -> list[str]:
    """Each node that failed according to `run_results.json` in `target`, with dbt's words about it on one line."""
    results = target / "run_results.json"
    if not results.is_file():
        return []
    nodes: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))["results"]
    return [
        f"{node['unique_id']}: {' '.join(str(node['message']).split())}"
        for node in nodes
        if node["status"] in ("error", "fail", "runtime error")
    ]
