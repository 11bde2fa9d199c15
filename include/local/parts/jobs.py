"""What is done between the services' being ready and Airflow's start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from local import envfile
from local.errors import StackError
from local.home import INCLUDE, REPO, venv_bin
from local.parts.base import Job


class Ledger(Job):
    """Brings the ledger's tables to their newest shape."""

    name = "ledger"
    after = ("postgres", "environment")

    def run(self) -> None:
        _engine(self, ["testenv.ledger", "migrate"])


class Seed(Job):
    """Publishes the seed data that environments hold."""

    name = "seed"
    after = ("postgres", "kafka", "dbt", "aws", "snowflake", "environment", "ledger")

    def run(self) -> None:
        _engine(self, ["testenv.datasets", "publish-seed"])


def _engine(job: Job, module_and_arguments: Sequence[str]) -> None:
    """Run a module of the engine in Airflow's environment, as the control plane."""
    environ = {**envfile.read(job.site.home.stack_env), "PYTHONPATH": str(INCLUDE), "PATH": os.environ.get("PATH", "")}
    command = [str(venv_bin("airflow")), "-m", *module_and_arguments]
    answer = subprocess.run(command, env=environ, cwd=REPO, capture_output=True, text=True, check=False)
    if answer.returncode:
        output = (answer.stdout + answer.stderr)[-3000:]
        raise StackError(f"`python -m {' '.join(module_and_arguments)}` failed:\n{output}")
    print(answer.stdout, end="", flush=True)
