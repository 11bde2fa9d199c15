"""The command `run`: one DAG run to its end, its log and result stored beside the environment's other artifacts."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from airflow.models.dag import DAG
from airflow.models.dagbag import DagBag
from airflow.utils import timezone
from airflow.utils.dag_parsing_context import _airflow_parsing_context_manager

from testenv_airflow.orchestrator import EXIT_FAILED, EXIT_IMPORT_ERROR, EXIT_UNKNOWN_DAG
from testenv_airflow.orchestrator.dag_run import RunStopped, TaskResult, execute
from testenv_airflow.orchestrator.output import tee
from testenv_airflow.orchestrator.settings import Deployment

EXIT_STOPPED = 143


@dataclass(frozen=True)
class Result:
    """What `result.json` says of a run. Times are ISO 8601; `error` is the first failure's text, or None."""

    dag_id: str
    logical_date: str
    state: str
    tasks: list[TaskResult]
    error: str | None


class Refused(Exception):
    """The run cannot start; `code` is the exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def run_dag(deployment: Deployment, dag_id: str, logical_date: str) -> int:
    """Execute and store; returns the exit code. `log.txt` and `result.json` are stored however the run ends."""
    with TemporaryDirectory(prefix="testenv-run-") as folder:
        log_file = Path(folder) / "log.txt"
        with tee(log_file):
            code, result = _attempt(deployment, dag_id, logical_date)
        _store(deployment, log_file, result)
    return code


def _attempt(deployment: Deployment, dag_id: str, logical_date: str) -> tuple[int, Result]:
    try:
        date = parse_date(logical_date)
        outcome = execute(load_dag(deployment.dags, dag_id), date)
    except Refused as refused:
        print(f"orchestrator: {refused}", flush=True)
        return refused.code, Result(dag_id, logical_date, "refused", [], str(refused))
    except RunStopped as stopped:
        print(f"orchestrator: {stopped}", flush=True)
        return EXIT_STOPPED, Result(dag_id, logical_date, "failed", stopped.tasks, str(stopped))
    except Exception as error:  # noqa: BLE001 (whatever is raised is the run's failure, and reported)
        traceback.print_exc()
        return EXIT_FAILED, Result(dag_id, logical_date, "failed", [], f"{type(error).__name__}: {error}")
    state = "success" if outcome.succeeded else "failed"
    print(f"orchestrator: {dag_id} {date.isoformat()} {state}", flush=True)
    return 0 if outcome.succeeded else EXIT_FAILED, Result(dag_id, logical_date, state, outcome.tasks, outcome.error)


def parse_date(text: str) -> datetime:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a date; write ISO 8601, such as 2024-03-01T00:00:00+00:00"
        raise Refused(EXIT_UNKNOWN_DAG, message) from None
    return timezone.make_aware(date) if date.tzinfo is None else date


def load_dag(folder: Path, dag_id: str) -> DAG:
    """The DAG; files that cannot be imported matter only if it may be in one of them."""
    logging.getLogger("airflow.models.dagbag.DagBag").setLevel(logging.WARNING)
    with _airflow_parsing_context_manager(dag_id=dag_id):  # a file that makes many DAGs may make this one alone
        bag = _parse(folder)
    broken = "\n".join(
        # Where the code lies is another place in each environment.
        f"{Path(file).relative_to(folder)}: {error.strip().replace(f'{folder}/', '')}"
        for file, error in bag.import_errors.items()
    )
    if dag_id in bag.dags:
        if broken:
            print(f"orchestrator: other files cannot be imported\n{broken}", flush=True)
        return bag.dags[dag_id]
    if broken:
        raise Refused(
            EXIT_IMPORT_ERROR, f"the code under test cannot be imported, and {dag_id!r} was not found\n{broken}"
        )
    known = ", ".join(sorted(_parse(folder).dags)) or "none"
    raise Refused(EXIT_UNKNOWN_DAG, f"there is no DAG {dag_id!r}; the DAGs are: {known}")


def _parse(folder: Path) -> DagBag:
    return DagBag(folder, include_examples=False, read_dags_from_db=False)


def _store(deployment: Deployment, log_file: Path, result: Result) -> None:
    s3: Any = boto3.client("s3")
    prefix = f"artifacts/{deployment.env_id}/runs/{result.dag_id}/{result.logical_date}"
    s3.upload_file(str(log_file), deployment.bucket, f"{prefix}/log.txt", ExtraArgs={"ContentType": "text/plain"})
    body = json.dumps(asdict(result), indent=2).encode()
    s3.put_object(Bucket=deployment.bucket, Key=f"{prefix}/result.json", Body=body, ContentType="application/json")
