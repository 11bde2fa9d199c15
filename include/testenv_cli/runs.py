"""Starting management runs, following them, and telling how they ended."""

from __future__ import annotations

from typing import Any

from testenv_cli import printing, watching
from testenv_cli.client import ControlPlane
from testenv_cli.errors import CliError, Exit
from testenv_cli.watching import Run

PROVISION = "provision_env"
PIPELINE = "run_pipeline"
REAP = "reap_environments"
VALIDATE = "validate_release"


def provision(plane: ControlPlane, conf: dict[str, Any], *, wait: bool, timeout: float) -> dict[str, Any]:
    """Request an environment; returns what `environments/ID` says, or without `wait` the run's id and address.

    Raises `CliError`: bad request, refused, or failed, with the reason that the run's note gives.
    """
    run_id = plane.trigger(PROVISION, conf)
    if not wait:
        return {"dag_id": PROVISION, "run_id": run_id, "url": plane.grid(PROVISION, run_id)}
    run = watching.wait(
        plane,
        PROVISION,
        run_id,
        timeout=timeout,
        console=printing.err,
        until=lambda run: run.has_ended or is_ready(run),
    )
    env_id = plane.returned(PROVISION, run_id, "admit")
    if env_id and is_ready(run):
        return plane.environment(env_id)
    raise CliError(_why(plane, env_id), _told(plane, run))


def is_ready(run: Run) -> bool:
    """Whether the environment of a provisioning run was handed over: what runs on only watches."""
    ready = run.task("ready")
    return ready is not None and ready["state"] == "success"


def validate(plane: ControlPlane, conf: dict[str, Any], *, wait: bool, timeout: float) -> dict[str, Any]:
    """Ask for a verdict; returns what `verdicts/RUN` says, or without `wait` the run's id and address.

    Does not wait for the end of the environment. Raises `CliError`: bad request, or failed without a verdict.
    """
    run_id = plane.trigger(VALIDATE, conf)
    started = {"dag_id": VALIDATE, "run_id": run_id, "url": plane.grid(VALIDATE, run_id)}
    if not wait:
        return started
    run = watching.wait(
        plane,
        VALIDATE,
        run_id,
        timeout=timeout,
        console=printing.err,
        until=lambda run: run.has_ended or is_judged(run),
    )
    found = plane.verdict(run_id) if is_judged(run) else None
    if found is None:
        selected = run.task("select")
        refused = selected is not None and selected["state"] == "failed"
        raise CliError(Exit.BAD_REQUEST if refused else Exit.FAILED, _told(plane, run))
    return found | started


def is_judged(run: Run) -> bool:
    """Whether a validating run has its report: what runs on only cleans up."""
    report, gate = run.task("report"), run.task("gate")
    written = report is not None and report["state"] == "success"
    return written and gate is not None and gate["state"] in ("success", "failed", "upstream_failed")


def act(
    plane: ControlPlane, dag_id: str, env_id: str, conf: dict[str, Any], *, wait: bool, timeout: float
) -> dict[str, Any]:
    """Run a management DAG on an environment that exists. Raises `CliError` when there is none, or the run fails."""
    found = plane.environment(env_id)
    if found["state"] in ("destroyed", "refused"):
        raise CliError(Exit.NOT_FOUND, f"{env_id} is {found['state']}: there is nothing left of it")
    started = _start(plane, dag_id, {"environment": env_id, **conf}, wait=wait, timeout=timeout)
    return {"environment": env_id, **started}


def group_offsets(text: str) -> tuple[str, dict[str, int]]:
    """A consumer group and its offsets by partition, from `reader=0:12,1:4`. Raises `CliError`."""
    name, _, offsets = text.rpartition("=")
    pairs = [each.partition(":") for each in offsets.split(",")]
    if not name or not all(partition.isdecimal() and offset.isdecimal() for partition, _, offset in pairs):
        raise CliError(Exit.BAD_REQUEST, f"--group: must be NAME=PARTITION:OFFSET,…, as reader=0:12,1:4; got {text!r}")
    return name, {partition: int(offset) for partition, _, offset in pairs}


def reap(plane: ControlPlane, *, wait: bool, timeout: float) -> dict[str, Any]:
    """End what is to end, and forget what is old. Raises `CliError` when something could not be ended."""
    return _start(plane, REAP, {}, wait=wait, timeout=timeout)


def _start(plane: ControlPlane, dag_id: str, conf: dict[str, Any], *, wait: bool, timeout: float) -> dict[str, Any]:
    run_id = plane.trigger(dag_id, conf)
    ended = {"dag_id": dag_id, "run_id": run_id, "url": plane.grid(dag_id, run_id)}
    if not wait:
        return ended | {"state": "queued", "note": ""}
    run = watching.wait(plane, dag_id, run_id, timeout=timeout, console=printing.err)
    if run.state != "success":
        raise CliError(Exit.FAILED, _told(plane, run))
    return ended | {"state": run.state, "note": run.note}


def logs(plane: ControlPlane, env_id: str) -> list[dict[str, Any]]:
    """What `log` can print: tasks of the provisioning, then runs of pipelines, newest first."""
    found = plane.environment(env_id)
    run = watching.look(plane, PROVISION, found["run_id"], plane.task_names(PROVISION))
    tasks = [
        {"log": task["task_id"], "what": run.label(task), "state": task["state"]}
        for task in run.tasks
        if watching.has_begun(task) and not watching.is_model(task)
    ]
    return tasks + [
        {
            "log": run["dag_run_id"],
            "what": f"{run['conf'].get('dag_id')} for {run['conf'].get('logical_date', 'the default date')}",
            "state": run["state"],
        }
        for run in _pipeline_runs(plane, env_id)
    ]


def log(plane: ControlPlane, env_id: str, what: str) -> str:
    """The log of the newest try of a task of the provisioning, or of a pipeline's run. Raises `CliError`."""
    if any(run["dag_run_id"] == what for run in _pipeline_runs(plane, env_id)):
        return _newest_log(plane, PIPELINE, what, "run")
    provisioning = str(plane.environment(env_id)["run_id"])
    if any(task["task_id"] == what for task in plane.tasks(PROVISION, provisioning)):
        return _newest_log(plane, PROVISION, provisioning, what)
    raise CliError(Exit.NOT_FOUND, f"{env_id} has no log {what!r}. bin/testenv logs {env_id} lists those there are")


def _newest_log(plane: ControlPlane, dag_id: str, run_id: str, task_id: str) -> str:
    task = next(task for task in plane.tasks(dag_id, run_id) if task["task_id"] == task_id)
    return plane.log(dag_id, run_id, task_id, task["try_number"])


def _pipeline_runs(plane: ControlPlane, env_id: str) -> list[dict[str, Any]]:
    return [run for run in plane.runs(PIPELINE) if run["conf"].get("environment") == env_id]


def _why(plane: ControlPlane, env_id: str | None) -> Exit:
    """Why a provision did not succeed: nothing was requested, no place was left, or it went wrong."""
    if env_id is None:
        return Exit.BAD_REQUEST
    return Exit.REFUSED if plane.environment(env_id)["state"] == "refused" else Exit.FAILED


def _told(plane: ControlPlane, run: Run) -> str:
    reason = run.note or f"{run.dag_id} failed"
    return f"{reason}\nThe run: {plane.grid(run.dag_id, run.run_id)}"
