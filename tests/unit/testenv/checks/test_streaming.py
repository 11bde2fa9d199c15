"""A stream that a crash changes is found out, record by record; one that it does not change passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import pyarrow as pa
import pytest

from testenv.checks.diff import ArrowTable, Rules, Table, fingerprint
from testenv.checks.impact.trees import tree_of
from testenv.checks.protocol import Outcome, Severity, Verdict
from testenv.checks.release import Release, Tree
from testenv.checks.streaming import StreamingCheck
from testenv.checks.trial.kills import Point
from testenv.checks.trial.record import Output, Record, Run, State
from testenv.core.contract import Contract, Field, Store
from testenv.core.errors import NoRows, NotFound
from testenv.core.pipelines import Archetype, Criticality, Pipeline

KEY = ("kafka_partition", "kafka_offset")
LAKE, QUARANTINE, TABLE = "lake/raw/cards/", "lake/quarantine/cards/", "RAW.CARDS"
WHOLE = [(0, 0, "a"), (0, 1, "b"), (1, 0, "c")]
TOPIC = [*[(partition, offset) for partition, offset, _ in WHOLE], (1, 1)]
Rows = Sequence[tuple[Any, ...]]


def table(rows: Rows, names: Sequence[str] = (*KEY, "note")) -> ArrowTable:
    schema = pa.schema([(name, pa.string() if name == "note" else pa.int64()) for name in names])
    batch = pa.RecordBatch.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)
    return ArrowTable(schema, lambda columns: iter([batch if columns is None else batch.select([*columns])]))


@dataclass
class Trial:
    """States of tables in memory. `moments`: moment → store and name → rows."""

    moments: dict[str, dict[tuple[Store, str], Rows]]
    runs: list[Run] = field(default_factory=list)
    topic: Rows | None = tuple(TOPIC)
    unbounded: tuple[str, ...] = ()

    @property
    def record(self) -> Record:
        states = [
            State(
                moment=moment,
                outputs=tuple(
                    Output(
                        store=store,
                        name=name,
                        dataset="snowflake.RAW.CARDS" if store is Store.SNOWFLAKE else "",
                        fingerprint=fingerprint(table(rows), Rules()),
                        writers=("cards",),
                    )
                    for (store, name), rows in outputs.items()
                ),
                unbounded=self.unbounded if moment == "head" else (),
            )
            for moment, outputs in self.moments.items()
        ]
        return Record(
            env_id="ci-a", dataset="d", intervals={}, runs=tuple(self.runs), states=tuple(states), emulated=("EMR",)
        )

    def table(self, moment: str, store: Store, name: str) -> Table:
        if store is Store.KAFKA:
            if self.topic is None:
                raise NotFound(f"{name} is not there")
            return table(self.topic, ("partition", "offset"))
        if not (rows := self.moments[moment][store, name]):
            raise NoRows(f"{name}: its files at {moment} are empty")
        return table(rows)

    def query(self, sql: str) -> list[dict[str, Any]]:
        raise AssertionError("no query is needed")


def state(lake: Rows = WHOLE, warehouse: Rows = WHOLE, quarantine: Rows = ((1, 1, "?"),)) -> dict[Any, Rows]:
    return {(Store.S3, LAKE): lake, (Store.SNOWFLAKE, TABLE): warehouse, (Store.S3, QUARANTINE): quarantine}


def run(how: Literal["success", "failed", "killed"], at: str = "", moment: str = "crashed", error: str = "") -> Run:
    return Run(
        pipeline="cards", logical_date="2026-01-02", side="head", moment=moment, state=how, killed_at=at, error=error
    )


KILLED = [each for point in Point for each in (run("killed", point), run("success"))]


def judged(trial: Trial | None, streaming: bool = True) -> Verdict:
    pipeline = Pipeline(
        id="cards",
        owner="cards",
        archetype=Archetype.KAFKA,
        schedule="@hourly",
        sla=timedelta(hours=1),
        criticality=Criticality.LOW,
        inputs=("kafka.cards",),
        outputs=("snowflake.RAW.CARDS",),
        streaming=streaming,
    )
    contracts = {
        "kafka.cards": Contract(id="kafka.cards", version="1", store=Store.KAFKA, name="cards", owner="o", fields=()),
        "snowflake.RAW.CARDS": Contract(
            id="snowflake.RAW.CARDS",
            version="1",
            store=Store.SNOWFLAKE,
            name=TABLE,
            owner="o",
            fields=tuple(Field(path=name, type="integer", primary_key=True) for name in KEY),
        ),
    }
    tree = Tree("HEAD", tree_of({}), contracts)
    release = Release(tree, tree, {"cards": pipeline}, trial=trial)
    return StreamingCheck().check(release)


def rules(verdict: Verdict) -> list[str]:
    return [finding.rule for finding in verdict.findings]


def test_a_release_without_streams_has_nothing_for_it() -> None:
    assert judged(None, streaming=False).outcome is Outcome.NOT_APPLICABLE


def test_equal_outputs_and_no_record_lost_pass() -> None:
    verdict = judged(Trial({"head": state(), "crashed": state()}, KILLED))
    assert (verdict.outcome, verdict.findings, verdict.emulated) == (Outcome.PASSED, (), ("EMR",))
    assert f"cards: snowflake:{TABLE} at crashed against head" in verdict.ran
    assert "cards killed before-commit and restarted" in verdict.ran
    assert f"cards: every record of cards in {LAKE}, or in the quarantine" in verdict.ran


def test_state_that_nothing_bounds_is_told_with_its_checkpoint() -> None:
    growing = Trial({"head": state(), "crashed": state()}, KILLED, unbounded=("checkpoints/cards/",))
    verdict = judged(growing)
    [finding] = verdict.findings
    assert (verdict.outcome, finding.rule, finding.where.pipeline) == (Outcome.FAILED, "unbounded-state", "cards")
    assert "checkpoints/cards/" in finding.what


def test_a_doubled_record_is_named_by_partition_and_offset_and_point() -> None:
    doubled = [*WHOLE, WHOLE[1]]
    moments = {"head": state(), "crashed": state(doubled), "crashed/before-commit": state(doubled)}
    moments |= {f"crashed/{point}": state() for point in Point if point is not Point.BEFORE_COMMIT}
    verdict = judged(Trial(moments, KILLED))
    [finding] = verdict.findings
    assert (verdict.outcome, finding.rule) == (Outcome.FAILED, "records-doubled")
    assert "at before-commit (after the sink wrote, before the batch was committed)" in finding.what
    assert finding.what.endswith("partition 0 offset 1")
    assert finding.where.rows == ({"kafka_partition": 0, "kafka_offset": 1},)
    assert finding.witness and finding.witness.proved


def test_a_lost_record_and_a_changed_one_are_named() -> None:
    crashed = state(warehouse=[(0, 0, "a"), (1, 0, "other")])
    verdict = judged(Trial({"head": state(), "crashed": crashed}, KILLED))
    assert sorted(rules(verdict)) == ["records-changed", "records-lost"]
    told = {finding.rule: finding for finding in verdict.findings}
    assert told["records-lost"].where.rows == ({"kafka_partition": 0, "kafka_offset": 1},)
    assert told["records-changed"].what.endswith("partition 1 offset 0")
    assert told["records-lost"].where.dataset == "snowflake.RAW.CARDS"
    assert "restarted at every point" in told["records-lost"].what


def test_records_that_a_restart_takes_in_besides_are_told() -> None:
    verdict = judged(Trial({"head": state(), "crashed": state([*WHOLE, (0, 2, "new")])}, KILLED))
    assert rules(verdict) == ["records-added"]


def test_an_output_that_a_crash_leaves_away_is_told() -> None:
    crashed = state()
    del crashed[Store.S3, LAKE]
    verdict = judged(Trial({"head": state(), "crashed": crashed}, KILLED))
    [finding] = verdict.findings
    assert finding.rule == "records-changed" and "is not there after" in finding.what


@pytest.mark.parametrize(("after", "rule"), [(5, "records-doubled"), (2, "records-lost")])
def test_a_topic_that_was_written_is_judged_by_how_many_records_it_has(after: int, rule: str) -> None:
    """Of a topic a trial has the offsets alone."""
    written = {moment: [(0, at, "") for at in range(rows)] for moment, rows in (("head", 3), ("crashed", after))}
    moments = {moment: {**state(), (Store.KAFKA, "alerts"): rows} for moment, rows in written.items()}
    [finding] = judged(Trial(moments, KILLED)).findings
    assert finding.rule == rule and f"kafka:alerts: 3 rows became {after}" in finding.what


def test_a_restart_that_fails_is_breaking_even_where_the_trial_went_no_further() -> None:
    runs = [run("killed", "after-offsets"), run("failed", error="no such batch")]
    verdict = judged(Trial({"head": state()}, runs))
    [finding] = verdict.findings
    assert (finding.rule, finding.severity) == ("restart-failed", Severity.BREAKING)
    assert "after it was killed at after-offsets" in finding.what and "no such batch" in finding.what


def test_a_point_that_was_never_reached_is_a_warning() -> None:
    verdict = judged(Trial({"head": state(), "crashed": state()}, KILLED[:6]))
    [finding] = verdict.findings
    assert (verdict.outcome, finding.rule, finding.unsure) == (Outcome.PASSED, "not-killed", True)
    assert "after-commit" in finding.what and "before-commit" not in finding.what


def test_a_record_of_the_topic_that_is_nowhere_is_named() -> None:
    """The warehouse has it, so it is the lake that lost it."""
    moments = {moment: state(lake=WHOLE[1:]) for moment in ("head", "crashed")}
    [finding] = judged(Trial(moments, KILLED)).findings
    assert (finding.rule, finding.where.rows) == ("records-missing", ({"kafka_partition": 0, "kafka_offset": 0},))
    assert LAKE in finding.what and TABLE not in finding.what


def test_a_poison_record_that_is_dropped_is_missing() -> None:
    moments = {moment: state(quarantine=()) for moment in ("head", "crashed")}
    verdict = judged(Trial(moments, KILLED))
    assert rules(verdict) == ["records-missing"] * 2
    assert [finding.where.rows for finding in verdict.findings] == [({"kafka_partition": 1, "kafka_offset": 1},)] * 2


def test_a_quarantine_without_a_row_has_none_of_the_records() -> None:
    rows = [*WHOLE, (1, 1, "late")]
    moments = {moment: state(rows, rows, quarantine=()) for moment in ("head", "crashed")}
    assert judged(Trial(moments, KILLED)).outcome is Outcome.PASSED


def test_an_output_that_has_no_row_on_one_side_differs() -> None:
    """Its files are there, and empty: as many as the other side has, or not."""
    verdict = judged(Trial({"head": state(), "crashed": state(lake=())}, KILLED))
    assert rules(verdict) == ["records-changed"] and verdict.outcome is Outcome.FAILED


def test_a_topic_that_cannot_be_read_is_noted_and_not_taken_as_whole() -> None:
    verdict = judged(Trial({"head": state(), "crashed": state()}, KILLED, topic=None))
    assert rules(verdict) == ["topic-not-read"]
    assert not any("every record" in ran for ran in verdict.ran)


@pytest.mark.parametrize("moments", [{}, {"head": state()}])
def test_a_trial_that_did_not_come_so_far_cannot_be_judged(moments: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="did not come to the moment '(head|crashed)'"):
        judged(Trial(moments))


def test_without_a_trial_it_cannot_look() -> None:
    with pytest.raises(NotFound, match="nothing was run"):
        judged(None)


def test_the_same_trial_gives_the_same_bytes() -> None:
    moments = {"head": state(), "crashed": state([*WHOLE, *WHOLE])}
    assert judged(Trial(moments, KILLED)).data() == judged(Trial(moments, KILLED)).data()
