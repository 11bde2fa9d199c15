"""Verdicts on releases: what to run is planned, a trial is started, each check is judged, and a report is written.

Every step is one call, and leaves what it found with the environment's artifacts (`checks.kept`): so the steps may be
tasks of different workers, and one may be repeated. docs/decisions/0008 says why there is one environment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from testenv.checks.history import GitHistory
from testenv.checks.impact import tree_at
from testenv.checks.isolation.canary import LateCanary
from testenv.checks.kept import Artifacts, Kept, cpu_clock
from testenv.checks.plan import Asked, Plan
from testenv.checks.protocol import Measured, Verdict, judge
from testenv.checks.registry import STATIC, chosen, known, make
from testenv.checks.release import NoHistory, Release, Tree, Trial
from testenv.checks.report import NO_TRIAL, TRIAL, Report, Side, Stage, answer, gathered, judged_runs
from testenv.checks.repository import SIDES, Parse, read_repository
from testenv.checks.trial.record import Record
from testenv.core.contract import Contracts
from testenv.core.errors import NotFound, Terminal
from testenv.core.naming import EnvId
from testenv.core.pipelines import Pipelines
from testenv.core.prices import Prices, Usage
from testenv.core.spec import WORKING_TREE
from testenv.datasets.avro import Registry
from testenv.engine import Engine

CUT = "what to run was not selected: the task was ended before that"
IDLE = "no pipeline is affected, so there is nothing to compare"


UNRUNNABLE = ("cannot be imported", "it ran longer than")
"""What a run says that tells nothing of its outputs: head's code has an error, a cycle of tasks, or it hangs."""


class OpenTrial(Trial, Protocol):
    """A trial for checks to read."""

    def environment(self, side: str) -> Any:
        """An `Environment`: tables as the code of `base` or `head` left them."""


class Trials(Protocol):
    """Running what a verdict is about, in its environment: `testenv.trials`."""

    def plan(
        self,
        env_id: EnvId,
        affected: Collection[str],
        base: Pipelines,
        head: Pipelines,
        contracts: Contracts,
        by_data: Collection[str] = (),
    ) -> Any:
        """What to do, of both sides' whole catalogues; a pydantic model with `seconds`, its limit."""

    def start(self, env_id: EnvId, plan: Any, base_ref: str) -> str:
        """Begin it; returns the id of the task it runs as."""

    def record(self, env_id: EnvId) -> Record:
        """What it left. Raises `NotFound`."""

    def open(self, env_id: EnvId) -> AbstractContextManager[OpenTrial]:
        """The same with its tables, while the environment is there. Raises `NotFound`."""


@dataclass(frozen=True)
class Validator:
    """Uses of an engine that judge releases. `repo` is the folder of the repository under test.

    `registry` has the schemas of topics of a dataset version; `parse` reads a dbt project; `production` are names that
    only production has. `outside` takes fingerprints of what a trial on a dataset version may not touch.
    """

    engine: Engine
    repo: Path
    artifacts: Artifacts
    trials: Trials
    prices: Prices
    registry: Callable[[str], Registry]
    parse: Parse
    outside: Callable[[str], Mapping[str, str]]
    production: frozenset[str] = frozenset()

    def kept(self, env_id: EnvId) -> Kept:
        """What there is of a verdict."""
        return Kept(self.artifacts, env_id)

    # ---------------------------------------------------------------- select

    def begin(self, env_id: EnvId, asked: Asked) -> Plan:
        """Resolve what was asked for, and select what the change affects; the plan is kept.

        Raises `Invalid` and its kin for a request that is wrong. A repository that cannot be read is no error here:
        the plan has the reason, and the report will say it.
        """
        source, tier, kept = self.engine.source, self.engine.kinds["ci"].dataset_tier, self.kept(env_id)
        kept.forget()
        plan = Plan(
            env_id=str(env_id),
            base=Side(asked=asked.base, commit=source.resolve(asked.base)),
            head=Side(asked=asked.head, commit=source.resolve(asked.head)),
            dataset=self.engine.datasets.resolve(asked.dataset, tier),
            checks=known(),
            reason=CUT,
        )
        kept.put_plan(plan)
        with kept.measured("select"):
            plan = self._selected(kept, plan, asked.checks)
        kept.put_plan(plan)
        return plan

    def _selected(self, kept: Kept, plan: Plan, asked: Collection[str]) -> Plan:
        try:
            found = read_repository(self.repo, plan.base.commit, plan.head.commit, self.parse)
            places = known(found.checks)
        except Terminal as error:
            return plan.model_copy(update={"reason": f"the repository cannot be read. {error}"})
        for side in SIDES:
            kept.put_contracts(side, found.contracts[side])
            kept.put_pipelines(side, found.pipelines[side])
            if side in found.manifests:
                kept.put_manifest(side, found.manifests[side])
        stated = {
            "checks": {name: places[name] for name in chosen(asked, places)},
            "choice": found.choice,
            "contracts_at": found.contracts_at,
            "batches": found.batches,
            "reason": "",
        }
        return plan.model_copy(update=stated)

    # ---------------------------------------------------------------- run

    def start_trial(self, env_id: EnvId, seconds: int) -> str:
        """Run what the plan selected, with both sides' code, within `seconds`; returns the id of the task."""
        kept = self.kept(env_id)
        plan, base, head = kept.plan(), kept.pipelines("base"), kept.pipelines("head")
        kept.put_outside(self.outside(plan.dataset))
        choice, contracts = plan.choice, kept.contracts("head")
        steps = self.trials.plan(env_id, choice.names, base, head, contracts, by_data=choice.by_data)
        stated = {"seconds": seconds, "batches": plan.batches}
        return self.trials.start(env_id, steps.model_copy(update=stated), plan.base.commit)

    def end_trial(self, env_id: EnvId) -> str:
        """The trial's task has ended: write down what it took. Returns why nothing can be judged by it, or nothing."""
        record = self._record(env_id)
        if record is None:
            return "the trial died before it could write its record"
        spark, seconds = sum(run.spark_seconds for run in record.runs), record.seconds
        usage = Usage(spark_cpu_seconds=spark, warehouse_seconds=seconds, task_seconds=seconds)
        took = Stage(name="trial", seconds=seconds, cpu_seconds=record.cpu_seconds, dollars=self.prices.dollars(usage))
        self.kept(env_id).put_stage(took)
        return record.error or _unrunnable(record)

    def _record(self, env_id: EnvId) -> Record | None:
        try:
            return self.trials.record(env_id)
        except NotFound:
            return None

    # ---------------------------------------------------------------- judge

    def judge(self, env_id: EnvId, name: str) -> Verdict:
        """What one check says of the release as far as it has run; it is kept. Raises what is `Transient` alone."""
        kept = self.kept(env_id)
        plan = kept.plan()
        with ExitStack() as stack:
            try:
                release = self._release(kept, plan, stack)
                verdict = judge(make(name, plan.checks), release, time.monotonic, cpu_clock)
            except Terminal as error:
                verdict = Verdict.error(name, str(error))
        measured = verdict.measured or Measured(seconds=0.0, cpu_seconds=0.0)
        usage = Usage(warehouse_seconds=0.0 if name in STATIC else measured.seconds)
        priced = measured.model_copy(update={"dollars": self.prices.dollars(usage)})
        verdict = verdict.model_copy(update={"check": name, "measured": priced})
        kept.put_verdict(verdict)
        return verdict

    def _release(self, kept: Kept, plan: Plan, stack: ExitStack) -> Release:
        has_trial = plan.needs_trial and self._record(kept.env_id) is not None
        trial = stack.enter_context(self.trials.open(kept.env_id)) if has_trial else None
        has_history = plan.base.commit != WORKING_TREE
        return Release(
            base=self._tree(kept, plan, "base", trial),
            head=self._tree(kept, plan, "head", trial),
            pipelines={name: each for name, each in kept.pipelines("head").items() if name in plan.choice.names},
            registry=self.registry(plan.dataset),
            history=GitHistory(self.repo, plan.base.commit) if has_history else NoHistory(),
            trial=trial,
            canary=LateCanary(kept.outside(), lambda: self.outside(plan.dataset)) if trial else None,
            production=self.production,
            keep=kept.put_for_people,
        )

    def _tree(self, kept: Kept, plan: Plan, side: str, trial: OpenTrial | None) -> Tree:
        commit = (plan.base if side == "base" else plan.head).commit
        environment = trial.environment(side) if trial else None
        files = tree_at(self.repo, commit)
        return Tree(commit, files, kept.contracts(side), plan.contracts_at, kept.manifest(side), environment)

    # ---------------------------------------------------------------- report

    def report(self, env_id: EnvId, problem: str = "") -> Report:
        """All that was found, written as a page, as JUnit XML and as JSON.

        `problem` is what kept a stage from its end; empty if nothing did.
        """
        kept = self.kept(env_id)
        plan = kept.plan()
        with kept.measured("report"):
            record = self._record(env_id) if plan.needs_trial else None
            verdicts = self._verdicts(kept, plan, record, problem)
        self._put_stages(kept, plan, verdicts)
        reason = problem if plan.reason in ("", CUT) and problem else plan.reason
        report = Report(
            env_id=str(env_id),
            base=plan.base,
            head=plan.head,
            dataset=plan.dataset,
            answer=answer(verdicts, reason),
            reason=reason,
            verdicts=verdicts,
            choice=plan.choice,
            intervals=record.intervals if record else {},
            runs=record.runs if record else (),
            stages=kept.stages(),
            emulated=tuple(sorted({each for verdict in verdicts for each in verdict.emulated})),
            made_at=self.engine.clock(),
        )
        kept.put_report(report)
        return report

    def _verdicts(self, kept: Kept, plan: Plan, record: Record | None, problem: str) -> tuple[Verdict, ...]:
        """One of each check, after that of the runs themselves."""
        if plan.reason:
            return ()
        left = kept.verdicts(plan.checks)
        missing = NO_TRIAL if problem and not left.keys() - STATIC else ""
        found = gathered(tuple(plan.checks), left, ran=plan.needs_trial, idle=IDLE, missing=missing)
        if record is None:
            return found
        return (_of_runs(record), *found)

    def _put_stages(self, kept: Kept, plan: Plan, verdicts: Collection[Verdict]) -> None:
        """What checks took together, and how long the environment was being made."""
        took = [verdict.measured for verdict in verdicts if verdict.measured]
        seconds, cpu, dollars = (sum(getattr(each, name) for each in took) for name in Measured.model_fields)
        kept.put_stage(Stage(name="checks", seconds=seconds, cpu_seconds=cpu, dollars=dollars))
        if not plan.needs_trial:
            return
        try:
            environment = self.engine.ledger.environment(kept.env_id)
        except NotFound:
            return  # the run ended before it was asked for
        if environment.ready_at:
            waited = (environment.ready_at - environment.requested_at).total_seconds()
            kept.put_stage(Stage(name="provision", seconds=waited))


def _unrunnable(record: Record) -> str:
    """Why head's code could not be run at all, in the words of its first run that says so; empty if it could."""
    errors = (f"{run.pipeline}: {run.error}" for run in record.failed("head"))
    return next((each for each in errors if any(words in each for words in UNRUNNABLE)), "")


def _of_runs(record: Record) -> Verdict:
    """What the runs say by themselves: nothing, where head's code could not be run."""
    if why := record.error or _unrunnable(record):
        return Verdict.error(TRIAL, why)
    return judged_runs(record.runs, record.emulated)
