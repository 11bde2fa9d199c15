"""The runs of one step of a trial: each in a forked child, a few at once, each with a limit."""

from __future__ import annotations

import os
import select
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from testenv.checks.trial.plan import Plan, Runs
from testenv.checks.trial.plan import Run as Planned
from testenv.checks.trial.record import Moment, Run, Side
from testenv_airflow.orchestrator.settings import Deployment
from testenv_airflow.orchestrator.trial_run import Order, Report, fork_run, read_report

PLACES = 3
"""Runs at once."""


class OutOfTime(Exception):
    """The whole trial took too long."""


@dataclass(frozen=True)
class Kills:
    """Orders that a streaming job be killed at a point, and withdraws the order: whether it was carried out."""

    order: Callable[[str], None]
    withdraw: Callable[[], bool]


@dataclass
class _Child:
    """A run at work. `files` are its log's and report's, without the ending."""

    at: int
    planned: Planned
    pid: int
    descriptor: int
    files: Path
    began: float
    killed: str = ""
    cpu: float = 0.0


@dataclass
class RunStep:
    """Takes steps of runs. What failed on the way to `base` or `head` is not run again on that side."""

    plan: Plan
    sides: Mapping[Side, Deployment]
    current: Deployment
    folder: Path
    deadline: float
    store_log: Callable[[str, Path], str]
    kills: Kills
    _working: dict[int, _Child] = field(default_factory=dict)
    _broken: dict[tuple[Side, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _at_once: dict[str, int] = field(default_factory=dict)
    _number: int = 0

    def take(self, step: Runs) -> Iterator[tuple[Run, Report]]:
        """Run all, and give each as it ends; what cannot run, as its turn comes."""
        for moment in step.moments:
            self._broken[step.side, moment].clear()
        waiting = dict(enumerate(step.runs))
        ended: set[int] = set()
        while waiting or self._working:
            if time.monotonic() > self.deadline:
                waiting.clear()
            for at, planned in list(waiting.items()):
                if not ended.issuperset(planned.after):
                    continue
                if because := self._hindered(step, planned.pipeline):
                    ended.add(at)
                    del waiting[at]
                    yield self._skipped(step, planned, because), Report("skipped")
                elif self._has_room(planned):
                    del waiting[at]
                    self._start(step, at, planned)
            for child in self._ended():
                if result := self._finish(step, child):
                    ended.add(child.at)
                    yield result

    def end_all(self) -> None:
        """Kill what is at work."""
        for child in self._working.values():
            self._kill(child, "the trial was ended")

    # ---------------------------------------------------------------- whether

    def _hindered(self, step: Runs, pipeline: str) -> str:
        """What failed before, so that the pipeline cannot run; empty if nothing did."""
        main = Moment.BASE if step.side == "base" else Moment.HEAD
        broken = set().union(*(self._broken[step.side, moment] for moment in (main, *step.moments)))
        return next((each for each in (pipeline, *self.plan.upstream.get(pipeline, ())) if each in broken), "")

    def _has_room(self, planned: Planned) -> bool:
        same = sum(child.planned.pipeline == planned.pipeline for child in self._working.values())
        return len(self._working) < PLACES and same < self._at_once.get(planned.pipeline, 1)

    # ---------------------------------------------------------------- begin

    def _start(self, step: Runs, at: int, planned: Planned, resumed: _Child | None = None) -> None:
        if planned.kill_at:
            self.kills.order(planned.kill_at)
        self._number += 1
        order = Order(
            planned.pipeline,
            planned.logical_date,
            first_task_only=planned.interrupted and not resumed,
            resume=resumed is not None,
            retried=not planned.kill_at,
        )
        files = self.folder / f"{self._number:03}-{step.side}-{planned.pipeline}"
        pid = fork_run(order, self.sides[step.side], self.current, files)
        began, cpu = (resumed.began, resumed.cpu) if resumed else (time.monotonic(), 0.0)
        child = _Child(at, planned, pid, os.pidfd_open(pid), files, began, cpu=cpu)
        self._working[child.descriptor] = child

    # ---------------------------------------------------------------- end

    def _ended(self) -> list[_Child]:
        """Waits until a run ends or is out of time, and gives those that have ended; at once if none is at work."""
        if not self._working:
            return []
        now = time.monotonic()
        limits = {each.descriptor: each.began + self.plan.run_seconds for each in self._working.values()}
        until = min([*limits.values(), self.deadline])
        ready, _, _ = select.select(list(self._working), [], [], max(0.0, until - now))
        if not ready and time.monotonic() > self.deadline:
            self.end_all()
            ready = list(self._working)
        if not ready:
            for descriptor, limit in limits.items():
                if time.monotonic() > limit:
                    self._kill(
                        self._working[descriptor], f"it ran longer than {self.plan.run_seconds} s, and was ended"
                    )
        return [self._working.pop(descriptor) for descriptor in ready]

    def _kill(self, child: _Child, why: str) -> None:
        child.killed = why
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has just ended, or has not yet a group of its own
            os.kill(child.pid, signal.SIGKILL)

    def _finish(self, step: Runs, child: _Child) -> tuple[Run, Report] | None:
        """What became of the run; None if it was interrupted, and goes on."""
        _, _, usage = os.wait4(child.pid, 0)
        os.close(child.descriptor)
        child.cpu += usage.ru_utime + usage.ru_stime
        planned, report = child.planned, read_report(child.files, child.killed)
        moment = step.moment_of(planned)
        log = self.store_log(f"{child.files.name}.log", child.files.with_suffix(".log"))
        self._at_once[planned.pipeline] = report.at_once
        killed = bool(planned.kill_at) and self.kills.withdraw() and report.state == "failed" and not child.killed
        if report.state == "interrupted":
            self._start(step, child.at, planned, child)
            return None
        if report.state == "failed" and not killed:
            self._broken[step.side, moment].add(planned.pipeline)
        run = Run(
            pipeline=planned.pipeline,
            logical_date=planned.logical_date,
            side=step.side,
            moment=moment,
            state="killed" if killed else "success" if report.state == "success" else "failed",
            killed_at=planned.kill_at if killed else "",
            error=report.error,
            seconds=round(time.monotonic() - child.began, 3),
            cpu_seconds=round(child.cpu, 3),
            spark_seconds=report.spark_seconds,
            log=log,
        )
        return run, report

    def _skipped(self, step: Runs, planned: Planned, because: str) -> Run:
        why = "it" if because == planned.pipeline else because
        return Run(
            pipeline=planned.pipeline,
            logical_date=planned.logical_date,
            side=step.side,
            moment=step.moment_of(planned),
            state="skipped",
            error=f"not run: {why} failed before",
        )
