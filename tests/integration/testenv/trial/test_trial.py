"""Releases tried for real: unmodified DAGs, each planted fault caught by its own check, with the row."""

from __future__ import annotations

import pytest
from tests.integration.testenv.trial.conftest import Try

from testenv.checks.backfill import BackfillCheck
from testenv.checks.difference import DifferenceCheck
from testenv.checks.idempotency import IdempotencyCheck
from testenv.checks.protocol import Outcome
from testenv.checks.release import Release
from testenv.core.contract import Store

MERGE = "include/estate/sql/merge_table.sql"

APPENDS = {MERGE: ("ON target.{{ params.key }} = delta.{{ params.key }}\n", "ON FALSE\n")}
NEWER_ALONE = {
    MERGE: (
        "USING {{ delta }} AS delta\n",
        "USING (SELECT * FROM {{ delta }} WHERE updated_at > (SELECT MAX(updated_at) FROM {{ target }})) AS delta\n",
    )
}
"""Loads what is newer than the latest row that was loaded: right as long as intervals come in order."""


def outcomes(release: Release) -> dict[str, Outcome]:
    return {each.name: each.check(release).outcome for each in (IdempotencyCheck(), BackfillCheck(), DifferenceCheck())}


def test_a_good_pipeline_passes_everything_and_leaves_a_whole_record(try_release: Try) -> None:
    release = try_release({}, "customers_hourly")
    assert set(outcomes(release).values()) == {Outcome.PASSED}
    trial = release.trial
    assert trial and not trial.record.error
    assert {run.state for run in trial.record.runs} == {"success"}
    assert [state.moment for state in trial.record.states] == ["start", "base", "head", "again", "backfill"]
    dates = trial.record.intervals["customers_hourly"]
    assert len(dates) == 3
    start, head = (trial.table(moment, Store.SNOWFLAKE, "RAW.CUSTOMERS") for moment in ("start", "head"))
    assert start.types == head.types
    assert head.sums([], []).rows == start.sums([], []).rows + 3
    assert release.head.environment and release.head.environment.columns("snowflake.RAW.CUSTOMERS")


def test_a_load_that_appends_is_not_idempotent_and_the_rows_are_named(try_release: Try) -> None:
    release = try_release(APPENDS, "customers_hourly")
    verdict = IdempotencyCheck().check(release)
    [finding] = verdict.findings
    assert (finding.rule, finding.where.pipeline, finding.where.task) == (
        "not-idempotent", "customers_hourly", "load_customers",
    )  # fmt: skip
    assert finding.where.rows and set(finding.where.rows[0]) == {"CUSTOMER_ID"}
    assert finding.witness and finding.witness.proved


def test_what_its_rows_refer_to_is_loaded_before_the_start_and_is_not_its_work(try_release: Try) -> None:
    trial = try_release({}, "accounts_hourly").trial
    assert trial and not trial.record.error
    before = [run for run in trial.record.runs if run.moment == "start"]
    assert [(run.side, run.state, run.pipeline.partition("_")[0]) for run in before] == [
        ("base", "success", "customers")
    ]
    assert set(trial.record.intervals) == {"accounts_hourly"}
    head = trial.record.state("head")
    assert head
    writers = {output.id: output.writers for output in head.outputs if output.writers}
    assert writers["snowflake:RAW.ACCOUNTS"] == ("accounts_hourly",)
    assert "snowflake:RAW.CUSTOMERS" not in writers
    start, seeded = (trial.table(moment, Store.SNOWFLAKE, "RAW.CUSTOMERS") for moment in ("start", "head"))
    assert start.sums([], []) == seeded.sums([], [])


@pytest.mark.long
def test_a_load_of_what_is_newer_than_the_latest_row_fails_the_backfill_alone(try_release: Try) -> None:
    release = try_release(NEWER_ALONE, "customers_hourly")
    assert outcomes(release) == {
        "idempotency": Outcome.PASSED, "backfill": Outcome.FAILED, "diff": Outcome.PASSED,
    }  # fmt: skip
    [finding] = BackfillCheck().check(release).findings
    assert (finding.rule, finding.where.pipeline) == ("backfill-shuffled", "customers_hourly")
    assert finding.where.rows and "rows gone" in finding.what


WATERMARK = {
    "include/estate/archetypes.py": (
        "    table, start = table_named(table_name), data_interval_start - timedelta(days=lookback_days)\n",
        """    from airflow.models import Variable

    table, known = table_named(table_name), Variable.get("extracted_until", default_var="")
    start = datetime.fromisoformat(known) if known else data_interval_start - timedelta(days=lookback_days)
    Variable.set("extracted_until", data_interval_end.isoformat())
""",
    )
}
"""Reads from where the last run stopped, which Airflow remembers: right as long as intervals come in order, once."""


@pytest.mark.long
def test_what_a_run_leaves_in_airflow_is_gone_with_the_next_start(try_release: Try) -> None:
    release = try_release(WATERMARK, "customers_hourly")
    assert outcomes(release) == {
        "idempotency": Outcome.FAILED, "backfill": Outcome.FAILED, "diff": Outcome.PASSED,
    }  # fmt: skip
    rules = {finding.rule for finding in BackfillCheck().check(release).findings}
    assert "backfill-shuffled" in rules and "backfill-interrupted" not in rules, "in order it is as the first time"


@pytest.mark.long
def test_code_that_does_not_import_is_a_failed_run_with_the_last_line(try_release: Try) -> None:
    release = try_release({"include/estate/archetypes.py": ("import annotations\n", "import annotations, nothing\n")},
                          "payments_to_snowflake")  # fmt: skip
    verdict = DifferenceCheck().check(release)
    [finding] = [each for each in verdict.findings if each.rule == "run-failed"]
    assert "cannot be imported" in finding.what and "SyntaxError" in finding.what
    assert release.trial
    states = {run.state for run in release.trial.record.runs if run.side == "head"}
    assert states == {"failed", "skipped"}


HANGS = {
    "include/estate/archetypes.py": (
        "    import tempfile\n    from contextlib",
        "    import tempfile\n    import time\n\n    time.sleep(3600)\n    from contextlib",
    )
}


@pytest.mark.long
def test_a_run_that_hangs_is_ended_and_the_rest_of_its_pipeline_is_not_run(try_release: Try) -> None:
    release = try_release(HANGS, "customers_hourly", run_seconds=20)
    assert release.trial and not release.trial.record.error
    head = [run for run in release.trial.record.runs if run.side == "head"]
    assert [run.state for run in head] == ["failed", *["skipped"] * (len(head) - 1)]
    assert "ran longer than 20 s" in head[0].error and head[0].seconds < 40
    assert IdempotencyCheck().check(release).outcome is Outcome.NOT_APPLICABLE
    [finding] = [each for each in DifferenceCheck().check(release).findings if each.rule == "run-failed"]
    assert finding.where.pipeline == "customers_hourly"


@pytest.mark.long
def test_a_trial_that_takes_too_long_ends_with_a_record_that_says_so(try_release: Try) -> None:
    release = try_release(HANGS, "customers_hourly", seconds=40)
    assert release.trial and "took longer than its 40 s" in release.trial.record.error
    verdict = DifferenceCheck().check(release)
    assert "trial-unfinished" in {each.rule for each in verdict.findings} and verdict.outcome is Outcome.FAILED
