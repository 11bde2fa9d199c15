from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from tests.unit.testenv.checks.report import sample

from testenv.checks.protocol import Outcome, Verdict, Where
from testenv.checks.report import Answer, Report, Stage, answer, gathered, judged_runs
from testenv.checks.trial.record import Run

PASSED = Verdict.of("a", [], ["x"])
FAILED = Verdict.of("b", [sample.DROPPED], ["x"])
ERROR = Verdict.error("c", "S3 does not answer")
IDLE = Verdict.of("d", [], [])


@pytest.mark.parametrize(
    ("verdicts", "reason", "expected"),
    [
        ((PASSED, IDLE), "", Answer.YES),
        ((), "", Answer.YES),
        ((PASSED, FAILED, ERROR), "", Answer.NO),
        ((PASSED, FAILED), "the trial was cut", Answer.NO),
        ((PASSED, ERROR), "", Answer.ERROR),
        ((PASSED,), "the repository cannot be read", Answer.ERROR),
        ((Verdict.of("w", [sample.CHANGED], ["x"]),), "", Answer.YES),
    ],
)
def test_a_failure_decides_then_an_error_and_a_warning_never(
    verdicts: tuple[Verdict, ...], reason: str, expected: Answer
) -> None:
    assert answer(verdicts, reason) is expected


def test_a_check_that_left_nothing_is_no_pass() -> None:
    found = gathered(("a", "gone"), {"a": PASSED}, ran=True)
    assert [(each.check, each.outcome) for each in found] == [("a", Outcome.PASSED), ("gone", Outcome.ERROR)]
    assert gathered(("gone",), {}, ran=True, missing="no trial")[0].why == "no trial"


def test_where_nothing_was_to_run_the_others_are_not_applicable() -> None:
    found = gathered(("a", "other"), {"a": PASSED}, ran=False, idle="nothing is affected")
    assert [(each.outcome, each.why) for each in found[1:]] == [(Outcome.NOT_APPLICABLE, "nothing is affected")]


def run(side: str, state: str = "failed", **more: object) -> Run:
    values = {"pipeline": "p", "logical_date": "2026-01-02", "side": side, "moment": side, "state": state}
    return Run.model_validate(values | more)


def test_a_run_that_fails_with_heads_code_is_a_no_and_one_with_bases_a_warning() -> None:
    head = judged_runs([run("base", "success"), run("head", error="Traceback\nKeyError: 'x'")])
    assert head.outcome is Outcome.FAILED
    assert head.findings[0].what.endswith("leading to head: KeyError: 'x'")
    assert head.findings[0].where == Where(pipeline="p")
    base = judged_runs([run("base"), run("head", "success")])
    assert (base.outcome, len(base.findings)) == (Outcome.PASSED, 1)
    both = judged_runs([run("base"), run("head")])
    assert "base's code fails, too" in both.findings[0].what


def test_a_run_that_the_trial_killed_says_nothing() -> None:
    assert judged_runs([run("head", "killed", killed_at="after-offsets")]).outcome is Outcome.NOT_APPLICABLE


def test_it_is_the_same_to_the_byte_for_the_same_refs_in_another_environment_at_another_time() -> None:
    first = sample.report()
    told = sample.finding("x", what="TE_CI_V12345678.RAW.PAYMENTS has none of te_ci_v12345678_src, in ci-v12345678")
    there = told.model_copy(update={"what": told.what.replace("12345678", "87654321")})
    one = sample.report(verdicts=(*first.verdicts, Verdict.of("x", [told], ["y"])))
    slower = tuple(each.model_copy(update={"seconds": 99.0, "log": "elsewhere"}) for each in reversed(one.runs))
    other = sample.report(
        env_id="ci-v87654321",
        verdicts=(
            *(each.model_copy(update={"measured": None}) for each in first.verdicts),
            Verdict.of("x", [there], ["y"]),
        ),
        runs=slower,
        stages=(Stage(name="select", seconds=1.0),),
        made_at=datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert one.data() == other.data()
    assert b"12345678" not in one.data()
    assert "TE_ENV.RAW.PAYMENTS has none of te_env_src, in ENV" in one.data().decode()


def test_another_finding_is_another_verdict() -> None:
    assert sample.report().data() != sample.report(wrong=False).data()


def test_its_json_is_read_back_as_it_was() -> None:
    report = sample.report()
    assert Report.model_validate_json(report.model_dump_json()) == report
    assert json.loads(report.data())["answer"] == "no"
