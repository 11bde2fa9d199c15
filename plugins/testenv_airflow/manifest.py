"""Makes the manifest that `provision_env` is drawn from: `python -m testenv_airflow.manifest`, part of `make install`.

`dbt parse` reads no database, but it does read the profile, whose variables must be there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from testenv import dbt

REPO = Path(__file__).parents[2]

PROJECT = Path(dbt.PROJECT)

MANIFEST = PROJECT / "target" / "manifest.json"
"""Its manifest, below the root of a checkout. Not part of the code: made from it."""

_PROFILE = {
    f"DBT_SNOWFLAKE_{name}": "none" for name in ("ACCOUNT", "USER", "PRIVATE_KEY", "ROLE", "DATABASE", "WAREHOUSE")
}


def is_current(checkout: Path) -> bool:
    """Whether the manifest is newer than every file of the project."""
    manifest = checkout / MANIFEST
    files = (file for file in (checkout / PROJECT).rglob("*") if file.is_file() and manifest.parent not in file.parents)
    return manifest.is_file() and manifest.stat().st_mtime > max(file.stat().st_mtime for file in files)


def make(checkout: Path, executable: str) -> None:
    """Run `dbt parse`. Raises `CalledProcessError` when the project cannot be parsed; dbt says why."""
    project = checkout / PROJECT
    target = project / "target"
    quietly = ["--quiet", "--log-level-file", "none"]
    folders = ["--project-dir", project, "--profiles-dir", project, "--target-path", target, "--log-path", target]
    subprocess.run(
        [executable, *quietly, "parse", "--no-partial-parse", *folders],
        env={**os.environ, **_PROFILE},
        check=True,
    )


def main() -> int:
    """Make the manifest unless it is current."""
    if is_current(REPO):
        return 0
    try:
        make(REPO, os.environ.get("TESTENV_DBT") or str(REPO / ".venv" / "dbt" / "bin" / "dbt"))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"the manifest of {PROJECT} was not made: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
