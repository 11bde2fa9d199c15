"""Waiting for a run: a live view of its tasks on a terminal, a line per change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from testenv_cli.client import ControlPlane
from testenv_cli.errors import CliError, Exit

STYLES = {
    "success": "green",
    "running": "bold cyan",
    "deferred": "magenta",
    "queued": "yellow",
    "scheduled": "yellow",
    "failed": "bold red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "skipped": "dim",
}


@dataclass(frozen=True)
class Run:
    """A run of a management DAG, as it was last seen."""

    dag_id: str
    run_id: str
    state: str
    note: str
    tasks: tuple[dict[str, Any], ...]
    names: Mapping[str, str]

    @property
    def has_ended(self) -> bool:
        return self.state in ("success", "failed")

    def task(self, task_id: str) -> dict[str, Any] | None:
        return next((task for task in self.tasks if task["task_id"] == task_id), None)

    def label(self, task: dict[str, Any]) -> str:
        """What a task is called in the grid."""
        name = self.names.get(task["task_id"], task["task_id"])
        return f"{name} [{task['rendered_map_index']}]" if task.get("rendered_map_index") else name


def look(plane: ControlPlane, dag_id: str, run_id: str, names: Mapping[str, str]) -> Run:
    """The run as it is now; its state is read before its tasks, so that an ended run has all of them."""
    run = plane.run(dag_id, run_id)
    note = (run.get("note") or "").replace("**", "").replace("`", "")  # it is Markdown, for the grid
    tasks = sorted(plane.tasks(dag_id, run_id), key=lambda task: task["start_date"] or "9999")
    return Run(dag_id, run_id, run["state"], note, tuple(tasks), names)


def wait(
    plane: ControlPlane,
    dag_id: str,
    run_id: str,
    *,
    timeout: float,
    console: Console,
    until: Callable[[Run], bool] = lambda run: run.has_ended,
) -> Run:
    """Show the run until it is as wanted. Raises `CliError` when that takes longer than `timeout` seconds."""
    began = time.monotonic()
    names = plane.task_names(dag_id)
    seen: dict[str, str] = {}
    with _view(console) as live:
        while True:
            run = look(plane, dag_id, run_id, names)
            if live is not None:
                live.update(table(run))
            else:
                _tell_changes(run, seen, console)
            if until(run):
                return run
            waited = time.monotonic() - began
            if waited > timeout:
                raise CliError(
                    Exit.TIMED_OUT,
                    f"{dag_id} is not done after {timeout:.0f} s; it goes on. Follow it: {plane.grid(dag_id, run_id)}",
                )
            time.sleep(pause(waited))


def pause(waited: float) -> float:
    """Seconds until the next look, a twentieth of those that were waited: each look costs the web server CPU, and
    thirty verdicts are waited for at once. Looks every five seconds took a tenth of all CPU from them.
    """
    return min(20.0, max(0.5, waited / 20))


def table(run: Run) -> Table:
    """The tasks that have begun, with state and seconds; models of a dbt build as one row."""
    view = Table(title=f"{run.dag_id}, {run.run_id}", title_justify="left", box=None, padding=(0, 1))
    for heading, justify in (("task", "left"), ("state", "left"), ("seconds", "right")):
        view.add_column(heading, justify=justify)  # type: ignore[arg-type]
    models = [task for task in run.tasks if is_model(task)]
    for task in run.tasks:
        if has_begun(task) and not is_model(task):
            view.add_row(run.label(task), coloured(task["state"]), _seconds(task))
    if any(task["state"] for task in models):
        built = sum(task["state"] == "success" for task in models)
        view.add_row("  dbt models", f"{built} of {len(models)} built", "")
    if run.note:
        view.caption = run.note.splitlines()[0]
        view.caption_justify = "left"
    return view


def has_begun(task: dict[str, Any]) -> bool:
    """Whether a task has anything to tell: it was queued, and not only left out for the failure of another."""
    return task["state"] not in (None, "scheduled", "upstream_failed", "skipped")


def is_model(task: dict[str, Any]) -> bool:
    """Whether a task only watches a dbt build."""
    return task["task_id"].startswith("build.") and not task["task_id"].endswith("dbt_producer_watcher")


def coloured(state: str) -> str:
    """A state, in rich's markup."""
    style = STYLES.get(state)
    return f"[{style}]{state}[/]" if style else state


def _view(console: Console) -> AbstractContextManager[Live | None]:
    return Live(console=console, refresh_per_second=4) if console.is_terminal else nullcontext()


def _tell_changes(run: Run, seen: dict[str, str], console: Console) -> None:
    for task in run.tasks:
        key, state = f"{task['task_id']}[{task['map_index']}]", task["state"]
        if has_begun(task) and seen.get(key) != state and not is_model(task):
            seen[key] = state
            console.print(f"{state:<12} {run.label(task)} {_seconds(task)}".rstrip(), markup=False, highlight=False)


def _seconds(task: dict[str, Any]) -> str:
    if task.get("duration") is not None:
        return f"{task['duration']:.1f}"
    if task.get("start_date"):
        started = datetime.fromisoformat(task["start_date"])
        return f"{(datetime.now(UTC) - started).total_seconds():.1f}"
    return ""
