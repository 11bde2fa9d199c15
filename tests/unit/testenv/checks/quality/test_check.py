"""What the quality check makes of answers: base's rules and head's judge, and what base's code leaves is told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from testenv.checks.diff import Fingerprint, Table
from testenv.checks.impact.trees import tree_of
from testenv.checks.protocol import Outcome, Severity, Verdict, judge
from testenv.checks.quality import QualityCheck
from testenv.checks.quality.checkpoint import Answer, Answers, Asked, Keep
from testenv.checks.release import Release, Tree
from testenv.checks.trial.record import Moment, Output, Record, State
from testenv.core.contract import Contract, Field, Rule, Store
from testenv.core.errors import NotFound

FIELDS = (Field(path="K", type="integer", primary_key=True), Field(path="A", type="string"))
NULLS = Rule(name="A is there", metric="nullValues", path="A", must={"mustBe": 0})
ORDER = Rule(name="in order", query="SELECT COUNT(*) FROM RAW.T WHERE A < K", must={"mustBe": 0})
SOME = Rule(name="has rows", metric="rowCount", must={"mustBeGreaterThan": 0})


def contract(*rules: Rule, fields: tuple[Field, ...] = FIELDS) -> Contract:
    return Contract(
        id="snowflake.RAW.T", version="1", store=Store.SNOWFLAKE, name="RAW.T", owner="o", fields=fields, rules=rules
    )


@dataclass
class FewTables:
    """A trial whose one table counts as it is told, at each moment."""

    values: Mapping[str, int]
    """Moment → what every rule measures there. A moment without a value has no table."""
    moments: tuple[str, ...] = (Moment.BASE, Moment.HEAD)
    asked: list[str] = field(default_factory=list)

    @property
    def record(self) -> Record:
        output = Output(
            store=Store.SNOWFLAKE,
            name="RAW.T",
            dataset="snowflake.RAW.T",
            fingerprint=Fingerprint("m", 1, 1),
            writers=("p",),
        )
        states = tuple(State(moment=each, outputs=(output,)) for each in self.moments)
        return Record(env_id="ci-a", dataset="d", intervals={}, runs=(), states=states, emulated=("local",))

    def connection_parameters(self) -> Mapping[str, Any]:
        return {"account": "a"}

    def place(self, moment: str, name: str) -> str:
        if moment not in self.values:
            raise NotFound(name)
        return f"TESTENV_{moment.upper()}.{name.replace('.', '_')}"

    def table(self, moment: str, store: Store, name: str) -> Table:
        return cast(Table, SimpleNamespace(types={"K": "NUMBER", "A": "VARCHAR"}))

    def query(self, sql: str) -> list[dict[str, Any]]:
        self.asked.append(sql)
        found = re.search(r"TESTENV_(\w+?)\"", sql)
        value = self.values[found[1].lower()] if found else 0
        if "LIMIT" in sql:
            return [{"K": str(number), "A": None} for number in range(value)]
        if "AS JUDGED" in sql:
            return [{"VALUE": value}] if not value else []
        return [{"VALUE": value}]


def verdict(
    base: Contract | None, head: Contract | None, trial: FewTables, wrong: Sequence[str] = (), error: str = ""
) -> Verdict:
    """The verdict where Great Expectations calls the rules with names in `wrong` broken."""

    def ask(login: Mapping[str, Any], asked: Sequence[Asked], keep: Keep) -> Answers:
        keep("index.html", b"docs")
        return {
            one.id: Answer(one.rule.name not in wrong, error if one.rule.name in wrong else "")
            for each in asked
            for one in each.expectations
        }

    sides = [Tree(ref, tree_of({}), {each.id: each} if each else {}) for ref, each in (("b", base), ("h", head))]
    kept: dict[str, bytes] = {}
    release = Release(*sides, trial=trial, keep=kept.__setitem__)
    found = judge(QualityCheck(ask=ask), release, lambda: 0.0, lambda: 0.0)
    if found.outcome is not Outcome.ERROR and found.ran and "Great" in found.ran[0]:
        assert kept == {"quality/index.html": b"docs"}
    return found


def told(found: Verdict) -> list[tuple[str, str]]:
    return [(each.rule, each.severity.value) for each in found.findings]


def test_kept_rules_pass() -> None:
    found = verdict(contract(NULLS), contract(NULLS), FewTables({"base": 0, "head": 0}))
    assert (found.outcome, found.findings) == (Outcome.PASSED, ())
    assert found.ran == ("Great Expectations snowflake.RAW.T: 1 rules",)
    assert found.emulated == ("local",)


def test_a_breach_has_its_column_number_and_keys() -> None:
    found = verdict(contract(NULLS), contract(NULLS), FewTables({"base": 0, "head": 2}), ["A is there"])
    [finding] = found.findings
    assert found.outcome is Outcome.FAILED
    assert finding.what == "A is there: 2 rows (0 before), and it mustBe 0"
    assert finding.where.column == "A"
    assert finding.where.rows == ({"K": "0", "A": None}, {"K": "1", "A": None})
    assert finding.witness and finding.witness.content == 'SELECT T.* FROM RAW.T AS T WHERE T."A" IS NULL'


@pytest.mark.parametrize(("before", "severity"), [(2, "warning"), (3, "warning"), (1, "breaking")])
def test_what_base_leaves_too_is_a_warning(before: int, severity: str) -> None:
    found = verdict(contract(NULLS), contract(NULLS), FewTables({"base": before, "head": 2}), ["A is there"])
    assert told(found) == [("nullValues", severity)]


def test_a_new_rule_that_the_data_breaks_is_breaking_whatever_base_left() -> None:
    found = verdict(contract(), contract(NULLS), FewTables({"base": 2, "head": 2}), ["A is there"])
    assert told(found) == [("nullValues", "breaking")]
    assert "the rule is new" in found.findings[0].what


def test_a_rule_that_head_dropped_judges_still() -> None:
    found = verdict(contract(ORDER), contract(), FewTables({"base": 0, "head": 2}), ["in order"])
    assert sorted(told(found)) == [("query", "breaking"), ("rule-removed", "breaking")]
    assert any("it is base's that judges" in each.what for each in found.findings)


def test_a_dropped_rule_is_breaking_though_the_data_keep_it() -> None:
    found = verdict(contract(ORDER), contract(), FewTables({"base": 0, "head": 0}))
    assert told(found) == [("rule-removed", "breaking")]


@pytest.mark.parametrize(
    ("head", "rule"),
    [
        (NULLS.model_copy(update={"must": {"mustBeLessThan": 100}}), "rule-loosened"),
        (NULLS.model_copy(update={"severity": "warning"}), "severity-lowered"),
    ],
)
def test_a_loosened_rule_is_breaking(head: Rule, rule: str) -> None:
    found = verdict(contract(NULLS), contract(head), FewTables({"base": 0, "head": 0}))
    assert told(found) == [(rule, "breaking")]


def test_a_rule_that_became_less_severe_judges_as_it_did() -> None:
    head = NULLS.model_copy(update={"severity": "info"})
    found = verdict(contract(NULLS), contract(head), FewTables({"base": 0, "head": 1}), ["A is there"])
    assert ("nullValues", "breaking") in told(found)


def test_a_less_severe_rule_fails_nothing() -> None:
    mild = NULLS.model_copy(update={"severity": "warning"})
    found = verdict(contract(mild), contract(mild), FewTables({"base": 0, "head": 1}), ["A is there"])
    assert (found.outcome, told(found)) == (Outcome.PASSED, [("nullValues", "warning")])


def test_values_that_the_column_has_in_head_too_are_for_the_schema_check() -> None:
    def listed(*values: str, rule: Sequence[str]) -> Contract:
        fields = (FIELDS[0], Field(path="A", type="string", allowed=values))
        valid = {"validValues": list(rule)}
        return contract(
            Rule(name="v", metric="invalidValues", path="A", arguments=valid, must={"mustBe": 0}), fields=fields
        )

    trial = FewTables({"base": 0, "head": 0})
    base = listed("a", rule=["a"])
    assert told(verdict(base, listed("a", "b", rule=["a", "b"]), trial)) == []
    assert told(verdict(base, listed("a", rule=["a", "b"]), trial)) == [("rule-loosened", "breaking")]


def test_a_table_that_became_empty_is_broken_and_one_that_was_empty_is_not() -> None:
    now = verdict(contract(SOME), contract(SOME), FewTables({"base": 5, "head": 0}), ["has rows"])
    assert told(now) == [("query" if SOME.query else "rowCount", "breaking")]
    before = verdict(contract(SOME), contract(SOME), FewTables({"base": 0, "head": 0}), ["has rows"])
    assert told(before) == [("rowCount", "warning")]


def test_a_table_that_is_gone_is_breaking() -> None:
    assert told(verdict(contract(NULLS), contract(NULLS), FewTables({"base": 0}))) == [("table-missing", "breaking")]
    assert told(verdict(contract(NULLS), contract(NULLS), FewTables({}))) == [("table-missing", "warning")]


def test_a_column_that_is_not_there_breaks_a_contract_that_has_it() -> None:
    gone = Rule(name="G is there", metric="nullValues", path="G", must={"mustBe": 0})
    fields = (*FIELDS, Field(path="G", type="string"))
    trial = FewTables({"base": 0, "head": 0})
    both = contract(gone, fields=fields)
    assert told(verdict(both, both, trial)) == [("column-missing", "breaking")]
    assert told(verdict(both, contract(), trial)) == [("column-missing", "warning")]


def test_a_rule_that_nobody_understands_is_told_as_unsure() -> None:
    odd = Rule(name="odd", metric="entropy", path="A", must={"mustBe": 0})
    found = verdict(contract(odd), contract(odd), FewTables({"base": 0, "head": 0}))
    [finding] = found.findings
    assert (finding.rule, finding.severity, finding.unsure) == ("rule-not-understood", Severity.WARNING, True)
    assert "'entropy'" in finding.what


def test_a_rule_that_could_be_asked_before_must_be_answered() -> None:
    trial = FewTables({"base": 0, "head": 0})
    found = verdict(contract(ORDER), contract(ORDER), trial, ["in order"], error="invalid identifier 'A'")
    assert told(found) == [("rule-not-answered", "breaking")]


def test_a_rules_sql_asks_the_moments_own_tables() -> None:
    trial = FewTables({"base": 0, "head": 1})
    verdict(contract(ORDER), contract(ORDER), trial, ["in order"])
    assert trial.asked
    assert all("RAW.T" not in each for each in trial.asked)


def test_a_trial_that_did_not_come_to_head_is_an_error() -> None:
    found = verdict(contract(NULLS), contract(NULLS), FewTables({"base": 0}, moments=(Moment.BASE,)))
    assert found.outcome is Outcome.NOT_APPLICABLE or "did not come to the moment head" in found.why


def test_nothing_ran_and_nothing_loosened_is_not_applicable() -> None:
    same = {"snowflake.RAW.T": contract(NULLS)}
    release = Release(Tree("b", tree_of({}), same), Tree("h", tree_of({}), same))
    assert QualityCheck().check(release).outcome is Outcome.NOT_APPLICABLE


def test_the_same_release_is_the_same_bytes() -> None:
    first, second = (
        verdict(contract(NULLS, ORDER), contract(NULLS), FewTables({"base": 0, "head": 2}), ["A is there"])
        for _ in range(2)
    )
    assert first.data() == second.data()
