"""A verdict is data, in one order; whatever goes wrong in a check is its verdict."""

from __future__ import annotations

from itertools import permutations

from testenv.checks.impact.trees import tree_of
from testenv.checks.protocol import Finding, Outcome, Severity, Verdict, Where, Witness, judge
from testenv.checks.release import Release, Tree
from testenv.core.errors import Failed

RELEASE = Release(Tree("base", tree_of({})), Tree("head", tree_of({})))


def finding(rule: str, severity: Severity = Severity.BREAKING, dataset: str = "a") -> Finding:
    witness = Witness(kind="row", content={"ä": [1, None]}, proved=True, how="tried")
    return Finding(rule=rule, severity=severity, what="w", where=Where(dataset=dataset), remedy="r", witness=witness)


class Raises:
    name = "raises"

    def check(self, release: Release) -> Verdict:
        raise Failed(f"{release.head.ref} cannot be read")


class Finds:
    name = "finds"

    def check(self, release: Release) -> Verdict:
        return Verdict.of(self.name, [finding("x")], ["all"])


def test_the_order_in_which_findings_are_made_is_not_seen() -> None:
    some = [finding("b"), finding("a"), finding("c", Severity.NOTE), finding("d", dataset="b"), finding("a")]
    said = {Verdict.of("c", each, ("y", "x", "y")).data() for each in permutations(some)}
    assert len(said) == 1
    made = Verdict.model_validate_json(said.pop())
    assert [each.rule for each in made.findings] == ["a", "b", "d", "c"]
    assert made.ran == ("x", "y")


def test_only_what_is_breaking_fails() -> None:
    assert Verdict.of("c", [finding("a", Severity.WARNING)], ["x"]).outcome is Outcome.PASSED
    assert Verdict.of("c", [finding("a", Severity.WARNING), finding("b")], ["x"]).outcome is Outcome.FAILED


def test_a_check_that_had_nothing_to_look_at_does_not_apply() -> None:
    verdict = Verdict.of("c", [], [])
    assert (verdict.outcome, bool(verdict.why)) == (Outcome.NOT_APPLICABLE, True)


def test_what_goes_wrong_in_a_check_is_its_verdict() -> None:
    verdict = judge(Raises(), RELEASE, iter((1.0, 3.5)).__next__, iter((0.0, 0.5)).__next__)
    assert (verdict.outcome, verdict.why) == (Outcome.ERROR, "Failed: head cannot be read")
    assert verdict.measured is not None and (verdict.measured.seconds, verdict.measured.cpu_seconds) == (2.5, 0.5)


def test_what_a_check_took_is_no_part_of_its_data() -> None:
    slow = judge(Finds(), RELEASE, iter((0.0, 9.0)).__next__, iter((0.0, 9.0)).__next__)
    assert slow.data() == Finds().check(RELEASE).data()
    assert b"measured" not in slow.data()
