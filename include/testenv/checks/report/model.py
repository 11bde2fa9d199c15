"""What is said of a release as a whole: yes, no, or that it could not be judged; and everything that led to it.

A report is data: `Report.data` is the same bytes for the same two refs and dataset version, whenever, wherever and in
whichever environment they were judged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from testenv.checks.impact import Selection
from testenv.checks.protocol import Finding, Outcome, Severity, Verdict, Where
from testenv.checks.trial.record import Run
from testenv.core.naming import EnvId, Names

NO_TRIAL = "the pipelines were not run to their end, so there is nothing to compare"
"""Why a check has no verdict where the trial failed: the report's own reason says more."""

TRIAL = "trial"
"""Name of the verdict on the runs themselves: no check of its own, and first of all."""


class Answer(StrEnum):
    """The verdict. `error`: nothing is known to be wrong, and it could not all be looked at. That is no yes."""

    YES = "yes"
    NO = "no"
    ERROR = "error"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Side(_Frozen):
    """One side of the change: what was asked for, and the commit that it is."""

    asked: str
    commit: str


class Affected(_Frozen):
    """A pipeline or dbt node that the change affects; `chain` leads from a changed file to it.

    `by_data`: it runs as it did, on what others write otherwise.
    """

    name: str
    chain: tuple[str, ...]
    by_data: bool = False


class Choice(_Frozen):
    """What was selected to be run, and why. `excluded` are the pipelines that are not affected."""

    changes: tuple[str, ...] = ()
    harmless: tuple[tuple[str, str], ...] = ()
    selected: tuple[Affected, ...] = ()
    excluded: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    models: tuple[Affected, ...] = ()

    @classmethod
    def of(cls, selection: Selection) -> Self:
        """Of what impact selects."""
        return cls(
            changes=selection.changes,
            harmless=selection.harmless,
            selected=tuple(
                Affected(name=each.name, chain=each.chain, by_data=each.by_data) for each in selection.selected
            ),
            excluded=tuple(each.name for each in selection.excluded),
            removed=selection.removed,
            models=tuple(Affected(name=each.name, chain=each.chain) for each in selection.models),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The selected pipelines."""
        return tuple(each.name for each in self.selected)

    @property
    def by_data(self) -> frozenset[str]:
        """Those that run as they did, on other data."""
        return frozenset(each.name for each in self.selected if each.by_data)


class Stage(_Frozen):
    """What a stage took. `cpu_seconds` is None where they are not known."""

    name: str
    seconds: float
    cpu_seconds: float | None = None
    dollars: float = 0.0


class Report(_Frozen):
    """All of a verdict. `reason` says what kept it from being judged, where something did."""

    env_id: str
    base: Side
    head: Side
    dataset: str
    answer: Answer
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    choice: Choice = Choice()
    intervals: dict[str, tuple[str, ...]] = {}
    runs: tuple[Run, ...] = ()
    stages: tuple[Stage, ...] = ()
    emulated: tuple[str, ...] = ()
    made_at: datetime | None = None

    @property
    def seconds(self) -> float:
        """Of all stages, one after another."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def cpu_seconds(self) -> float:
        """Of all stages, as far as they are known."""
        return sum(stage.cpu_seconds or 0.0 for stage in self.stages)

    @property
    def dollars(self) -> float:
        """Of all stages."""
        return sum(stage.dollars for stage in self.stages)

    def verdict(self, check: str) -> Verdict | None:
        """What one check says."""
        return next((each for each in self.verdicts if each.check == check), None)

    def data(self) -> bytes:
        """JSON of all but times, sums, ids and paths. The environment's names are written as those of `ENV`."""
        content: dict[str, Any] = {
            "base": self.base.commit,
            "head": self.head.commit,
            "dataset": self.dataset,
            "answer": self.answer,
            "reason": self.reason,
            "verdicts": [json.loads(each.data()) for each in self.verdicts],
            "choice": self.choice.model_dump(mode="json"),
            "intervals": self.intervals,
            "runs": sorted(
                [run.moment, run.side, run.pipeline, run.logical_date, run.state, run.killed_at] for run in self.runs
            ),
            "emulated": self.emulated,
        }
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return _without_names(text, EnvId(self.env_id)).encode()


def _without_names(text: str, env_id: EnvId) -> str:
    """`text` with every name of the environment as that of one which is called ENV."""
    names = Names(env_id)
    for name, form in (
        (names.snowflake_database, "TE_ENV"),
        (names.postgres_role, "te_env"),
        (str(env_id), "ENV"),
    ):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", form, text)
    return text


def judged_runs(runs: Iterable[Run], emulated: Iterable[str] = ()) -> Verdict:
    """What the runs say by themselves: one that fails with head's code is a no, whatever a check finds in its outputs.

    Where base's fails for the same date, too, that is said; the release still cannot be let through on such data.
    """
    ran = [run for run in runs if run.state in ("success", "failed")]
    base = {(run.pipeline, run.logical_date) for run in ran if run.side == "base" and run.state == "failed"}
    findings = [_failed(run, (run.pipeline, run.logical_date) in base) for run in ran if run.state == "failed"]
    return Verdict.of(
        TRIAL, findings, (f"{run.pipeline} for {run.logical_date}, {run.moment}" for run in ran), emulated
    )


def _failed(run: Run, base_too: bool) -> Finding:
    of_head = run.side == "head"
    too = " (base's code fails, too)" if of_head and base_too else ""
    why = f": {run.error.splitlines()[-1]}" if run.error.strip() else ""
    return Finding(
        rule="run-failed",
        severity=Severity.BREAKING if of_head else Severity.WARNING,
        what=f"{run.pipeline} failed for {run.logical_date} with {run.side}'s code, leading to {run.moment}{too}{why}",
        where=Where(pipeline=run.pipeline),
        remedy="Its log stands with the environment's artifacts; bin/testenv up and run repeat it in a sandbox",
    )


def answer(verdicts: Sequence[Verdict], reason: str = "") -> Answer:
    """A check that fails decides, whatever else could not be looked at; else an error does."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if Outcome.FAILED in outcomes:
        return Answer.NO
    return Answer.ERROR if reason or Outcome.ERROR in outcomes else Answer.YES


def gathered(
    names: Sequence[str], verdicts: Mapping[str, Verdict], *, ran: bool, idle: str = "", missing: str = ""
) -> tuple[Verdict, ...]:
    """A verdict for each of `names`, in order: the one that was left, else why there is none.

    `ran` says whether there was to be a trial; `idle`, why there was none. `missing` is what to say of a lost one.
    """

    def of(name: str) -> Verdict:
        if name in verdicts:
            return verdicts[name]
        if not ran:
            return Verdict(check=name, outcome=Outcome.NOT_APPLICABLE, why=idle)
        return Verdict.error(name, missing or "the check left no verdict: its task was ended, and its log has more")

    return tuple(of(name) for name in names)
