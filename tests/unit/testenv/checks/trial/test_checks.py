"""The checks of a trial: what differs between its moments, and what the contracts allow."""

from __future__ import annotations

import polars as pl
import pytest
from tests.unit.testenv.checks.trial.world import (
    DAY,
    GOOD,
    LAKE,
    PAYMENTS,
    FrameTrial,
    contract,
    pipeline,
    release,
    rows,
    run,
)

from testenv.checks.backfill import BackfillCheck
from testenv.checks.difference import DifferenceCheck
from testenv.checks.idempotency import IdempotencyCheck
from testenv.checks.protocol import Check, Outcome, Severity, judge
from testenv.checks.trial.record import Run
from testenv.core.contract import Tolerance
from testenv.core.errors import Failed

LAKE_ROWS = pl.DataFrame({"payment_id": [1], "loaded_at": ["a"]})
AGAIN = (run("head"), run("again"))
BACKFILL = (run("head"), run("backfill"), run("backfill/shuffled"))
BOTH = (run("base", "base"), run("head"))
EVERY = (IdempotencyCheck(), BackfillCheck(), DifferenceCheck())


def again(before: pl.DataFrame, after: pl.DataFrame, *runs: Run) -> FrameTrial:
    return FrameTrial({"head": {PAYMENTS: before}, "again": {PAYMENTS: after}}, runs or AGAIN)


def sides(base: pl.DataFrame, head: pl.DataFrame) -> FrameTrial:
    return FrameTrial({"start": {}, "base": {PAYMENTS: base}, "head": {PAYMENTS: head}}, BOTH)


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.name)
def test_what_did_not_run_is_not_applicable(check: Check) -> None:
    assert check.check(release(None)).outcome is Outcome.NOT_APPLICABLE
    assert check.check(release(FrameTrial({"start": {}}))).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.name)
def test_what_is_alike_in_whatever_order_passes(check: Check) -> None:
    same = {PAYMENTS: GOOD.reverse()}
    moments = {"start": {}, "base": same, "head": {PAYMENTS: GOOD}, "again": same, "backfill": same}
    verdict = check.check(release(FrameTrial(moments, (*BOTH, run("again"), run("backfill")))))
    assert verdict.outcome is Outcome.PASSED and verdict.ran and verdict.emulated == ("Snowflake: frames",)


# ---------------------------------------------------------------- idempotency


def test_what_is_appended_is_found_with_pipeline_task_rows_and_an_example() -> None:
    trial = again(GOOD, pl.concat([GOOD, GOOD.head(1)]))
    verdict = IdempotencyCheck().check(release(trial))
    [finding] = verdict.findings
    assert (verdict.outcome, finding.rule) == (Outcome.FAILED, "not-idempotent")
    assert (finding.where.dataset, finding.where.pipeline, finding.where.task) == (
        "snowflake.RAW.PAYMENTS", "payments_daily", "load_payments",
    )  # fmt: skip
    assert finding.where.rows == ({"PAYMENT_ID": 1},)
    assert "rows new: 1" in finding.what and "keys that repeat: 1" in finding.what
    assert finding.witness and finding.witness.proved


def test_a_column_that_differs_is_named_with_both_values() -> None:
    verdict = IdempotencyCheck().check(release(again(GOOD, rows((1, 10.0, "b"), (2, 20.0, "a"), (3, 30.0, "a")))))
    [finding] = verdict.findings
    assert finding.where.column == "LOADED_AT" and finding.where.rows == ({"PAYMENT_ID": 1},)
    assert finding.witness and finding.witness.content == {
        "kind": "changed", "key": {"PAYMENT_ID": 1}, "values": {"LOADED_AT": ["a", "b"]},
    }  # fmt: skip


def test_what_the_contract_ignores_or_tolerates_passes_and_no_more() -> None:
    trial = again(GOOD, rows((1, 10.001, "b"), (2, 20.0, "b"), (3, 30.0, "b")))
    lenient = contract(ignored="LOADED_AT", tolerance=Tolerance(absolute=0.01))
    assert IdempotencyCheck().check(release(trial, lenient)).outcome is Outcome.PASSED
    strict = contract(ignored="LOADED_AT", tolerance=Tolerance(absolute=0.0001))
    [finding] = IdempotencyCheck().check(release(trial, strict)).findings
    assert finding.where.column == "AMOUNT"


def test_files_go_by_the_contract_of_the_table_that_they_fill_in_their_own_spelling() -> None:
    changed = LAKE_ROWS.with_columns(loaded_at=pl.lit("b"))
    trial = FrameTrial({"head": {LAKE: LAKE_ROWS}, "again": {LAKE: changed}}, AGAIN)
    assert IdempotencyCheck().check(release(trial, contract(ignored="LOADED_AT"))).outcome is Outcome.PASSED
    assert IdempotencyCheck().check(release(trial)).outcome is Outcome.FAILED


def test_an_output_that_comes_or_goes_is_a_finding() -> None:
    for before, after in (({}, {PAYMENTS: GOOD}), ({PAYMENTS: GOOD}, {})):
        verdict = IdempotencyCheck().check(release(FrameTrial({"head": before, "again": after}, AGAIN)))
        assert verdict.outcome is Outcome.FAILED


def test_a_run_that_fails_once_more_is_a_finding() -> None:
    trial = again(GOOD, GOOD, run("head"), run("again", state="failed", error="boom"))
    [finding] = IdempotencyCheck().check(release(trial)).findings
    assert finding.rule == "run-failed" and "boom" in finding.what and DAY in finding.what


def test_a_trial_that_did_not_come_so_far_is_an_error_and_no_pass() -> None:
    trial = FrameTrial({"head": {PAYMENTS: GOOD}}, AGAIN, error="it took too long")
    with pytest.raises(Failed, match="did not come to the moment again: it took too long"):
        IdempotencyCheck().check(release(trial))
    assert judge(IdempotencyCheck(), release(trial), lambda: 0.0, lambda: 0.0).outcome is Outcome.ERROR


# ---------------------------------------------------------------- backfill


def test_the_disturbance_that_shows_alone_is_named() -> None:
    wrong = rows((1, 10.0, "a"), (2, 25.0, "a"), (3, 30.0, "a"))
    moments = {
        "head": {PAYMENTS: GOOD},
        "backfill": {PAYMENTS: wrong},
        "backfill/shuffled": {PAYMENTS: wrong},
        "backfill/at-once": {PAYMENTS: GOOD.head(1)},
        "backfill/interrupted": {PAYMENTS: GOOD},
    }
    [finding] = BackfillCheck().check(release(FrameTrial(moments, BACKFILL))).findings
    assert finding.rule == "backfill-shuffled" and finding.where.rows == ({"PAYMENT_ID": 2},)


def test_where_no_disturbance_shows_alone_the_backfill_is_named() -> None:
    moments = {"head": {PAYMENTS: GOOD}, "backfill": {PAYMENTS: GOOD.head(2)}, "backfill/shuffled": {PAYMENTS: GOOD}}
    [finding] = BackfillCheck().check(release(FrameTrial(moments, BACKFILL))).findings
    assert finding.rule == "backfill-differs"


def test_a_run_that_fails_in_a_backfill_is_a_finding() -> None:
    failed = run("backfill", state="failed", error="no latest file")
    trial = FrameTrial({"head": {PAYMENTS: GOOD}, "backfill": {PAYMENTS: GOOD}}, (run("head"), failed))
    [finding] = BackfillCheck().check(release(trial)).findings
    assert finding.rule == "run-failed" and "no latest file" in finding.what


@pytest.mark.parametrize("check", [IdempotencyCheck(), BackfillCheck()], ids=lambda check: check.name)
def test_what_a_run_that_failed_left_is_compared_with_nothing(check: Check) -> None:
    moments = {each: {PAYMENTS: GOOD if each == "head" else GOOD.head(1)} for each in ("head", "again", "backfill")}
    runs = (run("head"), run("head", state="failed"), run("again"), run("backfill"))
    assert check.check(release(FrameTrial(moments, runs))).outcome is Outcome.PASSED
    whole = tuple(each for each in runs if each.state != "failed")
    assert check.check(release(FrameTrial(moments, whole))).outcome is Outcome.FAILED


def test_what_streams_wrote_is_not_the_backfills() -> None:
    events = "snowflake:RAW.EVENTS"
    moments = {"head": {PAYMENTS: GOOD, events: GOOD}, "backfill": {PAYMENTS: GOOD}}
    trial = FrameTrial(moments, BACKFILL, writers={events: "events_stream"})
    assert BackfillCheck().check(release(trial)).outcome is Outcome.PASSED


# ---------------------------------------------------------------- diff


def test_rows_that_differ_between_the_sides_are_counted_against_the_contracts_thresholds() -> None:
    trial = sides(GOOD, GOOD.head(2))
    [finding] = DifferenceCheck().check(release(trial)).findings
    assert finding.rule == "output-differs" and "only in base: 1 of 3 rows, allowed are 0" in finding.what
    allowed = contract(differences={"onlyInBase": 1})
    assert DifferenceCheck().check(release(trial, allowed)).outcome is Outcome.PASSED


def test_a_new_output_is_a_note_and_one_that_is_gone_breaks() -> None:
    new = FrameTrial({"base": {}, "head": {PAYMENTS: GOOD}}, BOTH)
    gone = FrameTrial({"base": {PAYMENTS: GOOD}, "head": {}}, BOTH)
    assert [each.severity for each in DifferenceCheck().check(release(new)).findings] == [Severity.NOTE]
    assert [each.severity for each in DifferenceCheck().check(release(gone)).findings] == [Severity.BREAKING]


def test_a_new_partition_beside_those_of_base_breaks_and_a_new_folder_of_partitions_is_a_note() -> None:
    """A job that reads all from the beginning each time writes a day that base leaves empty."""
    another = LAKE.replace("interval=20260102T000000", "interval=20260103T000000")
    elsewhere = LAKE.replace("/payments/", "/refunds/")
    for new, severity in ((another, Severity.BREAKING), (elsewhere, Severity.NOTE)):
        trial = FrameTrial({"base": {LAKE: GOOD}, "head": {LAKE: GOOD, new: GOOD}}, BOTH)
        [finding] = DifferenceCheck().check(release(trial)).findings
        assert (finding.where.dataset, finding.severity) == (new.replace(":", ".", 1), severity)
    trial = FrameTrial({"base": {LAKE: GOOD}, "head": {LAKE: GOOD, another: GOOD}}, BOTH)
    for most, outcome in ((3, Outcome.PASSED), (2, Outcome.FAILED)):
        assert DifferenceCheck().check(release(trial, contract(differences={"onlyInHead": most}))).outcome is outcome


def test_a_new_column_or_another_type_for_the_same_values_is_a_note_and_a_column_that_is_gone_breaks() -> None:
    more = GOOD.with_columns(pl.lit(None, pl.String).alias("NOTE"), pl.col("PAYMENT_ID").cast(pl.Int32))
    verdict = DifferenceCheck().check(release(sides(GOOD, more)))
    assert [(each.rule, each.severity) for each in verdict.findings] == [("columns-differ", Severity.NOTE)]
    assert verdict.outcome is Outcome.PASSED
    assert DifferenceCheck().check(release(sides(more, GOOD))).outcome is Outcome.FAILED


def test_what_nobody_declares_is_a_warning() -> None:
    other = "snowflake:RAW.OTHER"
    moments = {"start": {}, "base": {other: GOOD}, "head": {other: GOOD}}
    verdict = DifferenceCheck().check(release(FrameTrial(moments, BOTH)))
    assert [(each.rule, each.severity) for each in verdict.findings] == [("undeclared-output", Severity.WARNING)]
    declared = pipeline(outputs=("snowflake.RAW.OTHER",))
    assert not DifferenceCheck().check(release(FrameTrial(moments, BOTH), payments_daily=declared)).findings


def test_a_run_of_head_that_fails_breaks_and_one_of_base_leaves_nothing_to_compare() -> None:
    runs = (run("base", "base", "failed", error="old fault"), run("head"))
    trial = FrameTrial({"base": {PAYMENTS: GOOD.head(1)}, "head": {PAYMENTS: GOOD}}, runs)
    [finding] = DifferenceCheck().check(release(trial)).findings
    assert (finding.rule, finding.severity) == ("base-failed", Severity.WARNING)
    runs = (run("base", "base"), run("head", state="failed", error="cannot be imported: NameError"))
    trial = FrameTrial({"base": {PAYMENTS: GOOD}, "head": {PAYMENTS: GOOD}}, runs)
    assert [each.rule for each in DifferenceCheck().check(release(trial)).findings] == ["run-failed"]


def test_a_trial_that_did_not_come_to_head_breaks() -> None:
    trial = FrameTrial({"start": {}, "base": {PAYMENTS: GOOD}}, BOTH[:1], error="it took too long")
    verdict = DifferenceCheck().check(release(trial))
    assert verdict.outcome is Outcome.FAILED and [each.rule for each in verdict.findings] == ["trial-unfinished"]


def test_a_verdict_is_the_same_bytes_twice() -> None:
    trial = sides(GOOD, pl.concat([GOOD.head(2), GOOD.head(1)]))
    assert DifferenceCheck().check(release(trial)).data() == DifferenceCheck().check(release(trial)).data()
