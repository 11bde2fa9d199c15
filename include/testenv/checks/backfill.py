"""The backfill check: intervals in whatever order, at once, and interrupted, give what the plain sequence gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from testenv.checks.protocol import Finding, Verdict
from testenv.checks.release import Release
from testenv.checks.trial.compare import Comparison, compare
from testenv.checks.trial.findings import failures, is_empty, of_difference
from testenv.checks.trial.plan import AT_ONCE, DISTURBANCES, INTERRUPTED, SHUFFLED
from testenv.checks.trial.record import Moment, Record, broken

NAME = "backfill"

REMEDIES = {
    SHUFFLED: "Let a run read and write its own interval alone, by data_interval_start and data_interval_end: not the "
    "latest rows, not what earlier runs left, not the clock",
    AT_ONCE: "Let runs of one DAG not share names of temporary tables, files or folders; or let the DAG allow one run "
    "at a time (max_active_runs=1)",
    INTERRUPTED: "Let each task do its part wholly or not at all, and again without harm: the second half of a run "
    "must not need what the first kept in memory, or left half done",
}
_TOGETHER = "Look at what the run keeps outside of its own interval: none of the disturbances alone shows it"


class BackfillCheck:
    """Compares `backfill` with `head`, and where they differ, each disturbance alone, to say which it was."""

    name = NAME

    def check(self, release: Release) -> Verdict:
        """The verdict; not applicable where no batch pipeline ran."""
        trial = release.trial
        if trial is None:
            return Verdict.of(self.name, (), ())
        record = trial.record
        ran = [f"{run.pipeline} {run.logical_date} on the way to {run.moment}" for run in record.ran(Moment.BACKFILL)]
        findings: list[Finding] = []
        if ran and (comparison := compare(release, Moment.HEAD, Moment.BACKFILL)):
            findings += _findings(comparison)
        if not findings:
            findings = failures("run-failed", record.runs, (Moment.BACKFILL,), "in a backfill")
        return Verdict.of(self.name, findings, ran, record.emulated)


def _findings(together: Comparison) -> Iterator[Finding]:
    """Of each output the first disturbance that shows its difference alone; of all together where none does by itself.

    What is wrong in another order may be wrong at once, too, or not: that is chance, and one reason is enough.
    """
    record, told = together.trial.record, set[str]()
    for each in DISTURBANCES:
        moment = f"{Moment.BACKFILL}/{each}"
        state = record.state(moment)
        found = [*failures(f"backfill-{each}", record.runs, (moment,), f"in a backfill that was {each}")]
        if state:
            found += _differing(replace(together, after=state), each)
        new = [finding for finding in found if (finding.where.dataset or finding.where.pipeline) not in told]
        told |= {finding.where.dataset or finding.where.pipeline for finding in new}
        yield from new
    if not told:
        yield from _differing(together, "")


def _differing(comparison: Comparison, by: str) -> Iterator[Finding]:
    record = comparison.trial.record
    wanted = _batch(record)
    for found in comparison.differing(but=broken(record.runs, Moment.HEAD, comparison.after.moment)):
        if is_empty(found.difference) or (found.output.writers and not wanted & set(found.output.writers)):
            continue
        what = f"a backfill whose runs were {by}" if by else "a backfill"
        rule, remedy = (f"backfill-{by}", REMEDIES[by]) if by else ("backfill-differs", _TOGETHER)
        yield of_difference(rule, found, f"{what} left it otherwise than the plain sequence", remedy)


def _batch(record: Record) -> set[str]:
    """Pipelines that a backfill disturbs."""
    return {run.pipeline for run in record.runs if run.moment.partition("/")[0] == Moment.BACKFILL}
