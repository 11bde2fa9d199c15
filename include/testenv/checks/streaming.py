"""The streaming check: a stream that is killed and restarted leaves what it leaves undisturbed, and loses no record.

Restart equality: at the moment `crashed`, after each pipeline was killed at every point of a batch's commit and
restarted, its outputs are what they are at `head`. Replay equality: every record of a topic that it reads is in what it
writes, or in its quarantine. Bounded state: what it remembers from batch to batch has a watermark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from testenv.checks.diff import Difference, Rules, diff
from testenv.checks.diff.fingerprint import Mismatch, mismatches
from testenv.checks.diff.result import Example, Kind
from testenv.checks.diff.rules import rules_of
from testenv.checks.diff.table import Table
from testenv.checks.places import columns, places, rows_of, told
from testenv.checks.protocol import Finding, Severity, Verdict, Where, Witness
from testenv.checks.release import Release, Trial
from testenv.checks.trial.kills import Point
from testenv.checks.trial.record import Moment, Output, Run, State
from testenv.core.contract import Store
from testenv.core.errors import NoRows, NotFound
from testenv.core.pipelines import Pipeline

EXAMPLES = 20
"""Records of each kind that a finding names."""

QUARANTINE = "quarantine"
"""A folder of this name holds what a pipeline could not read."""

_REMEDIES = {
    "records-doubled": "Let a batch that is run again replace what it wrote: write to a place that its number names, "
    "or merge by partition and offset",
    "records-lost": "Let the commit come last: a batch is done only when the sink has all of it, and one that is run "
    "again must write again",
    "records-added": "Let a batch that is run again write the same records: those of the checkpoint's offsets, not "
    "what the topic holds at the time",
    "records-changed": "Let what is written depend on the record alone: not on the time, the run, or how batches fall",
}


@dataclass
class StreamingCheck:
    """Every streaming pipeline of the release."""

    name: str = "streaming"

    def check(self, release: Release) -> Verdict:
        """The verdict. Raises `NotFound` where the trial did not come to the moments that are compared."""
        streams = [pipeline for _, pipeline in sorted(release.pipelines.items()) if pipeline.streaming]
        if not streams:
            return Verdict.of(self.name, (), ())
        if release.trial is None:
            raise NotFound("nothing was run for this release, so no stream was killed. Run its trial first")
        looks = [_Look(release, release.trial, pipeline) for pipeline in streams]
        findings = [finding for look in looks for finding in look.findings()]
        findings += _growing(release.trial, streams)
        return Verdict.of(
            self.name, findings, (ran for look in looks for ran in look.ran), release.trial.record.emulated
        )


@dataclass
class _Look:
    """One pipeline."""

    release: Release
    trial: Trial
    pipeline: Pipeline
    ran: list[str] = field(default_factory=list)

    def findings(self) -> Iterator[Finding]:
        failed = list(self._failed_restarts())
        yield from failed
        head, crashed = (self.trial.record.state(moment) for moment in (Moment.HEAD, Moment.CRASHED))
        if head is None or (crashed is None and not failed):
            moment = Moment.CRASHED if head else Moment.HEAD
            raise NotFound(
                f"the trial did not come to the moment '{moment}', so {self.pipeline.id} cannot be compared. "
                f"{self._why_not(moment)}"
            )
        yield from self._missing(head)
        if crashed is not None:
            yield from self._not_killed()
            yield from self._unequal(head, crashed)

    def _why_not(self, moment: str) -> str:
        failed = next((run for run in self.trial.record.runs if run.state == "failed" and run.moment == moment), None)
        return f"{failed.pipeline} failed before: {failed.error}" if failed else "Its record says how far it came"

    # ---------------------------------------------------------------- restarts

    @property
    def _crash_runs(self) -> list[Run]:
        runs = self.trial.record.runs
        return [r for r in runs if r.pipeline == self.pipeline.id and r.moment.split("/")[0] == Moment.CRASHED]

    def _failed_restarts(self) -> Iterator[Finding]:
        killed_at = ""
        for run in self._crash_runs:
            if run.state == "failed":
                after = f"after it was killed {_at(killed_at)}" if killed_at else "before it was killed"
                yield Finding(
                    rule="restart-failed",
                    severity=Severity.BREAKING,
                    what=f"{self.pipeline.id} failed for {run.logical_date} {after}: {run.error or 'its log says why'}",
                    where=Where(pipeline=self.pipeline.id),
                    remedy="Let a run go on from what a killed one leaves: a checkpoint, files of half a batch, locks",
                )
            killed_at = run.killed_at or killed_at

    def _not_killed(self) -> Iterator[Finding]:
        killed = {run.killed_at for run in self._crash_runs if run.state == "killed"}
        self.ran += [f"{self.pipeline.id} killed {point} and restarted" for point in Point if point in killed]
        if missed := [point.value for point in Point if point not in killed]:
            yield Finding(
                rule="not-killed",
                severity=Severity.WARNING,
                what=f"{self.pipeline.id} never came to {', '.join(missed)}, so a crash there was not tried",
                where=Where(pipeline=self.pipeline.id),
                remedy="Let its topic have records, and its checkpoint lie below the environment's checkpoints "
                "(docs/streams.md)",
                unsure=True,
            )

    # ---------------------------------------------------------------- restart equality

    def _unequal(self, head: State, crashed: State) -> Iterator[Finding]:
        outputs = {output.id: output for state in (crashed, head) for output in self._outputs(state)}
        self.ran += [f"{self.pipeline.id}: {id_} at {Moment.CRASHED} against {Moment.HEAD}" for id_ in outputs]
        for mismatch in self._mismatches(head, crashed):
            yield from self._difference(outputs[mismatch.output], mismatch, self._points(head, mismatch.output))

    def _outputs(self, state: State) -> list[Output]:
        return [
            output
            for output in state.outputs
            if self.pipeline.id in output.writers or output.dataset in self.pipeline.outputs
        ]

    def _mismatches(self, head: State, other: State) -> tuple[Mismatch, ...]:
        one, two = ({each.id: each.fingerprint for each in self._outputs(state)} for state in (head, other))
        return mismatches(one, two)

    def _points(self, head: State, output: str) -> list[Point]:
        """The points at which a crash alone makes the output differ, where the trial has tried them apart."""
        found = []
        for point in Point:
            state = self.trial.record.state(f"{Moment.CRASHED}/{point}")
            if state and any(each.output == output for each in self._mismatches(head, state)):
                found.append(point)
        return found

    def _difference(self, output: Output, mismatch: Mismatch, points: list[Point]) -> Iterator[Finding]:
        moment = f"{Moment.CRASHED}/{points[0]}" if points else Moment.CRASHED.value
        when = " or ".join(_at(point) for point in points) or "and restarted at every point of a batch's commit"
        whole = Where(dataset=output.dataset, pipeline=self.pipeline.id)
        unlike = f"{mismatch}, where {self.pipeline.id} was killed {when}"
        if None in mismatch.rows or output.store is Store.KAFKA:
            yield _finding(_by_count(mismatch), unlike, whole, None)
            return
        try:
            undisturbed, restarted = (
                self.trial.table(each, output.store, output.name) for each in (Moment.HEAD, moment)
            )
        except NotFound:  # of one side there is no row, or none that can be read
            yield _finding("records-changed", unlike, whole, None)
            return
        rules = self._rules(output, undisturbed)
        found = diff(undisturbed, restarted, rules, EXAMPLES)
        for rule, number, what, kind in _told_apart(found):
            examples = [example for example in found.examples if example.kind == kind]
            rows = tuple(_row(rules.key, example) for example in examples) if rules.key else ()
            text = f"{number} {what} {output.name} where {self.pipeline.id} was killed {when}: {told(rows)}"
            place = Where(dataset=output.dataset, pipeline=self.pipeline.id, rows=rows)
            witness = _row(rules.key, examples[0]) if examples else None
            yield _finding(rule, text.rstrip(": "), place, witness)
        if found.columns_only_in_base or found.columns_only_in_head or found.retyped:
            yield _finding("records-changed", unlike, whole, None)

    def _rules(self, output: Output, table: Table) -> Rules:
        """The contract's; its key, or partition and offset where the table has them."""
        contract = self.release.head.contracts.get(output.dataset)
        rules = rules_of(contract) if contract else Rules()
        place = columns(table.types)
        if place and not (rules.key and set(rules.key) <= set(table.types)):
            return Rules(place, rules.ignored, rules.tolerances)
        return rules

    # ---------------------------------------------------------------- replay equality

    def _missing(self, head: State) -> Iterator[Finding]:
        outputs = self._outputs(head)
        quarantine = self._places(output for output in outputs if QUARANTINE in output.name.split("/"))
        for topic in self._topics():
            try:
                wanted = places(self.trial.table(Moment.HEAD, Store.KAFKA, topic))
            except NotFound as error:
                yield self._unread(topic, str(error))
                continue
            for store in (Store.S3, Store.SNOWFLAKE, Store.POSTGRES):
                written = [each for each in outputs if each.store is store and QUARANTINE not in each.name.split("/")]
                found = self._places(written)
                if wanted is None or found is None:
                    continue
                names = ", ".join(sorted(output.name for output in written))
                self.ran.append(f"{self.pipeline.id}: every record of {topic} in {names}, or in the quarantine")
                if lost := wanted - found - (quarantine or set()):
                    yield self._lost(topic, names, lost)

    def _topics(self) -> list[str]:
        contracts = [self.release.head.contracts.get(id_) for id_ in self.pipeline.inputs]
        return [contract.name for contract in contracts if contract and contract.store is Store.KAFKA]

    def _places(self, outputs: Iterable[Output]) -> set[tuple[int, int]] | None:
        """Of all outputs together; None if none of them has places."""
        known = [found for each in outputs if (found := self._places_in(each)) is not None]
        return set().union(*known) if known else None

    def _places_in(self, output: Output) -> set[tuple[int, int]] | None:
        try:
            return places(self.trial.table(Moment.HEAD, output.store, output.name))
        except NoRows:  # as of a batch that quarantined nothing
            return None

    def _unread(self, topic: str, why: str) -> Finding:
        return Finding(
            rule="topic-not-read",
            severity=Severity.NOTE,
            what=f"whether every record of {topic} has come through was not compared: {why}",
            where=Where(dataset=f"{Store.KAFKA}.{topic}", pipeline=self.pipeline.id),
            remedy="Let the environment have the topic",
            unsure=True,
        )

    def _lost(self, topic: str, names: str, lost: set[tuple[int, int]]) -> Finding:
        rows = rows_of(lost)
        return Finding(
            rule="records-missing",
            severity=Severity.BREAKING,
            what=f"{len(lost)} records of the topic {topic} are neither in {names} nor in the quarantine: {told(rows)}",
            where=Where(dataset=f"{Store.KAFKA}.{topic}", pipeline=self.pipeline.id, rows=rows[:EXAMPLES]),
            remedy="Write each record that cannot be used to the quarantine, with its partition and offset",
            witness=Witness(
                kind="record", content=rows[0], proved=True, how=f"the topic was read back and compared with {names}"
            ),
        )


def _growing(trial: Trial, streams: Iterable[Pipeline]) -> Iterator[Finding]:
    head = trial.record.state(Moment.HEAD)
    for checkpoint in head.unbounded if head else ():
        folder = checkpoint.rstrip("/").rpartition("/")[2]
        yield Finding(
            rule="unbounded-state",
            severity=Severity.BREAKING,
            what=f"the stream of the checkpoint {checkpoint} keeps state that nothing bounds: it has no watermark",
            where=Where(pipeline=next((each.id for each in streams if each.id.startswith(folder)), "")),
            remedy="Set a watermark before the operator that remembers, as withWatermark('occurred_at', '1 day'), and "
            "let its column be among those that are told apart",
            witness=Witness(
                kind="value",
                content={"batchWatermarkMs": 0},
                proved=True,
                how=f"the last batch in {checkpoint}offsets/, after all records were read",
            ),
        )


def _at(point: str) -> str:
    """`at after-offsets (after the offsets were written, before the sink wrote)`."""
    known = next((each for each in Point if each == point), None)
    return f"at {point} ({known.meaning})" if known else f"at {point}"


def _by_count(mismatch: Mismatch) -> str:
    """The rule where rows cannot be compared: of a topic that was written, their number says the most."""
    before, after = mismatch.rows
    if before is None or after is None or before == after:
        return "records-changed"
    return "records-doubled" if before < after else "records-lost"


def _told_apart(found: Difference) -> Iterator[tuple[str, int, str, Kind]]:
    """Rule, how many records, in words, and the kind of their examples."""
    doubled = found.duplicates[1] - found.duplicates[0]
    if found.only_in_base:
        yield "records-lost", found.only_in_base, "records are missing in", "only in base"
    if doubled > 0:
        yield "records-doubled", doubled, "records are there more than once in", "duplicate in head"
    elif found.only_in_head:
        yield "records-added", found.only_in_head, "records more are in", "only in head"
    if found.changed:
        yield "records-changed", found.changed, "records are others in", "changed"


def _row(key: tuple[str, ...], example: Example) -> dict[str, JsonValue]:
    """The key of an example; its whole row where the table has none."""
    if key:
        return {name: _plain(value) for name, value in zip(key, example.key, strict=True)}
    side = 1 if example.kind == "only in head" else 0
    return {name: _plain(values[side]) for name, values in example.values.items()}


def _plain(value: Any) -> JsonValue:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _finding(rule: str, what: str, where: Where, row: dict[str, JsonValue] | None) -> Finding:
    how = "it was run undisturbed, and killed and restarted, on the same records, and the outputs compared"
    return Finding(
        rule=rule,
        severity=Severity.BREAKING,
        what=what,
        where=where,
        remedy=_REMEDIES[rule],
        witness=Witness(kind="row", content=row, proved=True, how=how) if row else None,
    )
