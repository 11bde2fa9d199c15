"""One DAG run of a trial, in a process of its own that was forked for it."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from airflow.models.dag import DAG

from testenv_airflow.orchestrator.dag_run import Outcome, RunStopped, execute
from testenv_airflow.orchestrator.run import Refused, load_dag, parse_date
from testenv_airflow.orchestrator.settings import Deployment
from testenv_airflow.orchestrator.warmth import reconfigure

_PR_SET_PDEATHSIG = 1

LOOK_SECONDS = 5
"""How often a task looks whether the job that it waits for has ended. The Amazon provider's operators look each minute,
which is most of a run where a job takes seconds.
"""

_EXCEPTION = re.compile(r"(?:[^:\s]+\.py: )?[A-Za-z_][\w.]*(: |$)")
"""A line of a traceback that names an exception; the first line of all has the file before it."""


@dataclass(frozen=True)
class Order:
    """What to run. `first_task_only` and `resume` as `execute` has them; `retried`: whether its tasks try again."""

    pipeline: str
    logical_date: str
    first_task_only: bool = False
    resume: bool = False
    retried: bool = True


@dataclass(frozen=True)
class Report:
    """What became of it. `state` is success, failed or interrupted; `tasks` in order of start; `at_once` is how many
    runs the DAG allows side by side; `spark_seconds` how long its Spark jobs ran.
    """

    state: str
    error: str = ""
    tasks: tuple[str, ...] = ()
    at_once: int = 1
    spark_seconds: float = 0.0


def fork_run(order: Order, side: Deployment, instead_of: Deployment, files: Path) -> int:
    """Start the run in a child, and return its process id. It writes `files`.log, and at its end `files`.json."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 70  # EX_SOFTWARE
        try:
            os.setpgid(0, 0)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a run does not outlive its trial
            _redirect(files.with_suffix(".log"))
            side.enter(instead_of)
            reconfigure()
            report = _attempt(order, side)
            files.with_suffix(".json").write_text(json.dumps(asdict(report)))
            code = 0
        except BaseException:  # noqa: BLE001 (the last place where a child's error can be told)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return pid


def read_report(files: Path, killed: str) -> Report:
    """What the child said; where it could not, that it failed: `killed` says why, if the trial ended it."""
    path = files.with_suffix(".json")
    if path.exists() and not killed:
        content: dict[str, Any] = json.loads(path.read_text())
        return Report(**{**content, "tasks": tuple(content["tasks"])})
    return Report("failed", killed or "its process ended without a word; its log may say why")


def _redirect(log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)


def _attempt(order: Order, side: Deployment) -> Report:
    try:
        dag = load_dag(side.dags, order.pipeline)
        for task in dag.tasks:
            look_often(task)
            if not order.retried:
                task.retries = 0
        outcome = execute(
            dag, parse_date(order.logical_date), first_task_only=order.first_task_only, resume=order.resume
        )
    except Refused as refused:
        print(f"orchestrator: {refused}", flush=True)
        return Report("failed", told(str(refused)))
    except RunStopped as stopped:
        return Report("failed", str(stopped), tuple(each.task_id for each in stopped.tasks))
    except Exception as error:  # noqa: BLE001 (whatever is raised is the run's failure, and reported)
        traceback.print_exc()
        return Report("failed", f"{type(error).__name__}: {error}")
    state = "interrupted" if outcome.interrupted else "success" if outcome.succeeded else "failed"
    return Report(
        state,
        "" if state != "failed" else outcome.error or "its log says why",
        tuple(dict.fromkeys(each.task_id for each in outcome.tasks)),
        dag.max_active_runs,
        sum(_spark_seconds(dag, order, outcome)),
    )


def look_often(task: Any) -> None:
    """Have a task that waits for a job look every `LOOK_SECONDS`; it waits as long as before, at most."""
    delay, most = (getattr(task, name, None) for name in ("waiter_delay", "waiter_max_attempts"))
    if isinstance(delay, int) and isinstance(most, int) and delay > LOOK_SECONDS:
        task.waiter_delay, task.waiter_max_attempts = LOOK_SECONDS, -(-delay * most // LOOK_SECONDS)


def told(refusal: str) -> str:
    """The first line of a refusal, which says what, and the exception: Airflow's time-out has advice after it."""
    lines = [line for line in refusal.splitlines() if line.strip()]
    exceptions = [line for line in lines[1:] if _EXCEPTION.match(line)] or lines[1:]
    return ": ".join(line.strip() for line in [*lines[:1], *exceptions[-1:]])


def _spark_seconds(dag: DAG, order: Order, outcome: Outcome) -> Iterator[float]:
    """How long each Spark job of the run took, as EMR Serverless says; its id is what the task returned."""
    if not (tasks := [task for task in dag.tasks if "EmrServerlessStartJob" in type(task).__name__]):
        return
    import boto3
    from airflow.models import Variable, XCom
    from airflow.models.dagrun import DagRun
    from airflow.utils.types import DagRunType

    run_id = DagRun.generate_run_id(DagRunType.MANUAL, parse_date(order.logical_date))
    emr, application = boto3.client("emr-serverless"), Variable.get("emr_application_id")
    for task in tasks:
        if job := XCom.get_one(key="return_value", dag_id=dag.dag_id, task_id=task.task_id, run_id=run_id):
            found = emr.get_job_run(applicationId=application, jobRunId=str(job))["jobRun"]
            yield float(found.get("totalExecutionDurationSeconds") or 0)
