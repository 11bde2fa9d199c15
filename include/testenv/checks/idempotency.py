"""The idempotency check: an interval that runs once more leaves every output as it was."""

from __future__ import annotations

from testenv.checks.protocol import Verdict
from testenv.checks.release import Release
from testenv.checks.trial.compare import compare
from testenv.checks.trial.findings import failures, is_empty, of_difference
from testenv.checks.trial.record import Moment, broken

NAME = "idempotency"
REMEDY = (
    "Let a run replace or merge what it wrote before, by key or by interval, and write nothing that differs from one "
    "run to the next; or let the contract say that the column does not count (ignoreInComparison)"
)


class IdempotencyCheck:
    """Compares `again` with `head`. What may differ between two runs, the contract says: ignored columns, tolerance."""

    name = NAME

    def check(self, release: Release) -> Verdict:
        """The verdict; not applicable where nothing ran twice."""
        trial = release.trial
        if trial is None:
            return Verdict.of(self.name, (), ())
        record = trial.record
        findings = failures("run-failed", record.runs, (Moment.AGAIN,), "once more")
        ran = [f"{run.pipeline} {run.logical_date} once more" for run in record.ran(Moment.AGAIN)]
        if ran and (comparison := compare(release, Moment.HEAD, Moment.AGAIN)):
            for found in comparison.differing(but=broken(record.runs, Moment.HEAD, Moment.AGAIN)):
                if not is_empty(found.difference):
                    findings.append(of_difference("not-idempotent", found, "another run changed it", REMEDY))
        return Verdict.of(self.name, findings, ran, record.emulated)
