"""The diff check: head's outputs against base's, of the same dataset version, within what the contracts allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from testenv.checks.diff import Difference, Thresholds, passes, thresholds_of, violations
from testenv.checks.protocol import Finding, Severity, Verdict, Where
from testenv.checks.release import Release
from testenv.checks.trial.compare import Compared, compare
from testenv.checks.trial.findings import failures, of_difference, of_failed
from testenv.checks.trial.lake import unpartitioned
from testenv.checks.trial.record import Moment, Record, State
from testenv.core.contract import Store

NAME = "diff"
REMEDY = (
    "If the change means to do this, let the contract say how much may differ (the custom property differences), and "
    "take it out after the release; if not, look at the first row"
)
_UNDECLARED = "Let the pipeline's entry in the catalogue name what it writes, or write nothing else"


class DifferenceCheck:
    """Compares `head` with `base`. Also tells of runs of head that failed, and of outputs that nobody declares."""

    name = NAME

    def check(self, release: Release) -> Verdict:
        """The verdict; not applicable where nothing ran."""
        trial = release.trial
        if trial is None:
            return Verdict.of(self.name, (), ())
        record = trial.record
        findings = failures("run-failed", record.runs, (Moment.HEAD,), "as it is in head")
        if record.error:
            findings.append(_unfinished(record))
        ran = [f"{run.pipeline} {run.logical_date} {run.side}" for run in record.ran(Moment.BASE, Moment.HEAD)]
        without = {
            run.pipeline: run for run in reversed(record.runs) if run.state == "failed" and run.moment == Moment.BASE
        }
        findings += [of_failed("base-failed", run, "as it is in base", Severity.WARNING) for run in without.values()]
        base = record.state(Moment.BASE)
        if base and record.state(Moment.HEAD) and (comparison := compare(release, Moment.BASE, Moment.HEAD)):
            for found in comparison.differing():
                if not without.keys() & set(found.output.writers):
                    findings += _findings(found, base)
        findings += _undeclared(release, record)
        return Verdict.of(self.name, findings, ran, record.emulated)


def _findings(found: Compared, base: State) -> Iterator[Finding]:
    allowed = thresholds_of(found.contract) if found.contract else Thresholds()
    if found.difference is None:
        rows, new = found.output.fingerprint.rows, _is_new(found, base)
        if found.before is None and not new and passes(Difference(0, rows, only_in_head=rows), allowed):
            return
        severity = Severity.NOTE if new else Severity.BREAKING
        yield of_difference("output-differs", found, "head and base do not leave it alike", REMEDY, severity=severity)
        return
    columns = found.difference.columns_only_in_head or found.difference.retyped
    if passed := violations(replace(found.difference, columns_only_in_head=(), retyped={}), allowed):
        yield of_difference("output-differs", found, "head does not leave what base does", REMEDY, why=passed)
    elif columns:  # whether a new column, or another type for the same values, breaks anything, the schema check says
        what = "head has columns that base has not, or of other types"
        yield of_difference("columns-differ", found, what, REMEDY, severity=Severity.NOTE)


def _is_new(found: Compared, base: State) -> bool:
    """Whether base has nothing of the kind: neither this output nor another partition of the same folder."""
    folder = unpartitioned(found.output.name)
    if found.output.store is not Store.S3 or folder == found.output.name:
        return found.before is None
    return not any(each.store is Store.S3 and unpartitioned(each.name) == folder for each in base.outputs)


def _undeclared(release: Release, record: Record) -> Iterator[Finding]:
    """Tables that runs of head changed, and that no affected pipeline says it writes. Who declares nothing is free."""
    start, state = record.state(Moment.START), record.state(Moment.HEAD)
    ran = {run.pipeline for run in record.runs if run.side == "head"}
    declared = {dataset for each in release.pipelines.values() for dataset in each.outputs}
    if start is None or state is None or not ran <= release.pipelines.keys():
        return
    for output in state.outputs:
        before = start.output(output.id)
        changed = before is None or before.fingerprint != output.fingerprint
        if changed and output.store is not Store.S3 and f"{output.store}.{output.name}" not in declared:
            found = Compared(before, output, None, None)
            what = "it is written, and no affected pipeline declares it"
            yield of_difference("undeclared-output", found, what, _UNDECLARED, severity=Severity.WARNING)


def _unfinished(record: Record) -> Finding:
    return Finding(
        rule="trial-unfinished",
        severity=Severity.BREAKING,
        what=f"the trial did not come to its end: {record.error}",
        where=Where(),
        remedy="Look at its log, below trial/ of the environment's artifacts",
    )
