from __future__ import annotations

from tests.unit.testenv.checks.report import sample

from testenv.checks.protocol import Verdict
from testenv.checks.report import NO_TRIAL, Choice, headline, sentences, things


def test_what_is_wrong_comes_first_one_of_each_check_before_a_second_of_any() -> None:
    many = [sample.finding(f"rule-{n}", dataset=f"s.{n}") for n in range(3)]
    report = sample.report(verdicts=(Verdict.of("schema", many, ["x"]), Verdict.of("diff", [sample.DOUBLED], ["y"])))
    found = things(report)
    assert [thing.title for thing in found] == [
        "schema: s.0",
        "diff: snowflake.RAW.SETTLEMENTS",
        "2 more reasons",
    ]
    assert headline(report) == "This change must not be released"


def test_there_are_always_three() -> None:
    empty = sample.report(wrong=False, verdicts=(), choice=Choice(), answer="yes")
    for report in (sample.report(), sample.report(wrong=False), empty):
        assert len(things(report)) == len(sentences(report)) == 3


def test_a_warning_stands_before_what_is_well() -> None:
    assert [thing.state for thing in things(sample.report(wrong=False))] == ["warn", "good", "good"]


def test_what_follows_from_the_reason_is_not_told_as_one_of_its_own() -> None:
    errors = (Verdict.error("trial", "it hangs"), *(Verdict.error(name, NO_TRIAL) for name in ("a", "b")))
    found = things(sample.report(verdicts=errors, reason="Failed in trial: it hangs", answer="error"))
    assert [thing.state for thing in found] == ["bad", "good", "good"]


def test_one_reason_of_many_checks_is_told_once() -> None:
    errors = tuple(Verdict.error(name, "no trial") for name in ("a", "b"))
    found = things(sample.report(verdicts=errors, reason="the pipelines could not be run: exit 3", answer="error"))
    assert [thing.title for thing in found][:2] == ["Not judged", "a: could not look"]
    assert found[2].state == "good"


def test_a_long_text_is_cut() -> None:
    long = sample.report(verdicts=(Verdict.of("x", [sample.finding("r", what="w " * 900)], ["y"]),))
    assert len(things(long)[0].text) == 400
