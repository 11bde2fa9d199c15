"""An environment's orchestrator: the entry point of its ECS task.

    python -m testenv_airflow.orchestrator run DAG_ID LOGICAL_DATE
    python -m testenv_airflow.orchestrator trial
    python -m testenv_airflow.orchestrator serve

`run` executes one DAG run to its end in this process and exits with 0 if it succeeded, 1 if it failed, 2 if there is
no such DAG or the command is wrong, 3 if the code under test cannot be imported, 4 if the environment's settings or
code cannot be read, 143 if it was stopped. `trial` goes through the plan that lies with the environment's artifacts,
and exits with 0 when its record is whole, whatever became of the runs (see `trial`). `serve` runs scheduler, triggerer
(if a DAG defers) and web server until
one ends or SIGTERM comes.

In its process environment: TESTENV_ENV_ID, TESTENV_BUCKET, credentials of the environment's role (see `settings`).
A warm parent (`local.aws.runner`) calls `warm()` once and, in each forked child, `main(…, forked=True)`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

__all__ = ["EXIT_FAILED", "EXIT_IMPORT_ERROR", "EXIT_SETTINGS", "EXIT_UNKNOWN_DAG", "main", "warm"]

EXIT_FAILED = 1
EXIT_UNKNOWN_DAG = 2
EXIT_IMPORT_ERROR = 3
EXIT_SETTINGS = 4


def main(argv: Sequence[str] | None = None, *, forked: bool = False) -> int:
    """Run the command and return the exit code. `forked`: Airflow was imported by the parent, with other settings."""
    parser = argparse.ArgumentParser(prog="testenv_airflow.orchestrator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="execute one DAG run to its end")
    run.add_argument("dag_id")
    run.add_argument("logical_date", help="ISO 8601; UTC unless it says otherwise")
    commands.add_parser("trial", help="run a release's pipelines by the plan of its trial")
    commands.add_parser("serve", help="scheduler, triggerer and web server")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as refused:  # a forked child must come back to its parent's code
        return int(refused.code or 0)

    from testenv_airflow.orchestrator.settings import Deployment, SettingsError

    try:
        deployment = Deployment.prepare()
    except SettingsError as error:
        print(f"orchestrator: {error}", file=sys.stderr, flush=True)
        return EXIT_SETTINGS
    if arguments.command == "serve":
        from testenv_airflow.orchestrator.service import serve

        return serve(deployment)
    if forked:
        from testenv_airflow.orchestrator.warmth import reconfigure

        reconfigure()
    if arguments.command == "trial":
        from testenv_airflow.orchestrator.trial import run_trial

        return run_trial(deployment)
    from testenv_airflow.orchestrator.run import run_dag

    return run_dag(deployment, arguments.dag_id, arguments.logical_date)


def warm() -> None:
    """Import what every run needs, and drop what children must not share. For a parent that will fork."""
    from testenv_airflow.orchestrator.warmth import import_all

    import_all()
