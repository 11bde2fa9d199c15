"""Refusals, statements elsewhere and the canary, as the isolation check tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from testenv.checks.diff import Table
from testenv.checks.impact.trees import tree_of
from testenv.checks.isolation import IsolationCheck
from testenv.checks.isolation.names import Known
from testenv.checks.isolation.writes import disturbed, refusals, statements
from testenv.checks.protocol import Outcome, Severity, Verdict
from testenv.checks.release import Release, Tree
from testenv.checks.trial.record import Record, Run, Side
from testenv.core.contract import Store
from testenv.core.errors import Denied

OWN = "TE_CI_A"


@dataclass
class Canary:
    before: Mapping[str, str]
    after: Mapping[str, str]


@dataclass
class FewRuns:
    """A trial of some runs, and of what Snowflake's history says of them."""

    runs: tuple[Run, ...] = ()
    history: list[dict[str, Any]] = field(default_factory=list)
    refused: bool = False

    @property
    def record(self) -> Record:
        return Record(env_id="ci-a", dataset="d", intervals={}, runs=self.runs, states=(), emulated=("local",))

    def table(self, moment: str, store: Store, name: str) -> Table:
        return cast(Table, None)

    def query(self, sql: str) -> list[dict[str, Any]]:
        assert "QUERY_HISTORY" in sql
        if self.refused:
            raise Denied("no")
        return self.history


def run(error: str, side: Side = "head", date: str = "2026-01-02") -> Run:
    return Run(pipeline="p", logical_date=date, side=side, moment=side, state="failed", error=error)


def verdict(trial: FewRuns | None = None, canary: Canary | None = None, **files: str) -> Verdict:
    """Of a tree with one SQL file, `base` and `head` its texts."""
    sides = [Tree(side, tree_of({"dags/load.sql": files.get(side, "SELECT 1")})) for side in ("base", "head")]
    return IsolationCheck().check(Release(*sides, trial=trial, canary=canary))


PRODUCTION = "INSERT INTO FINSIGHT_PROD.RAW.X SELECT 1"


def test_a_write_to_production_is_told_by_the_lint_the_denial_and_the_history() -> None:
    trial = FewRuns(
        (
            run(
                "002003 (42S02): SQL compilation error:\nObject 'FINSIGHT_PROD.RAW.X' does not exist or not authorized."
            ),
        ),
        [{"QUERY_TEXT": PRODUCTION, "DATABASE_NAME": OWN, "EXECUTION_STATUS": "FAIL"}],
    )
    found = verdict(trial, base="SELECT 1", head=PRODUCTION)
    assert found.outcome is Outcome.FAILED
    assert {(each.rule, each.severity) for each in found.findings} == {
        ("hard-coded-database", Severity.BREAKING),
        ("denied", Severity.BREAKING),
        ("other-database", Severity.BREAKING),
    }
    [lint] = [each for each in found.findings if each.rule == "hard-coded-database"]
    assert lint.where.file == "dags/load.sql:1"


def test_what_base_did_is_a_warning() -> None:
    error = "Object 'FINSIGHT_PROD.RAW.X' does not exist or not authorized."
    trial = FewRuns((run(error), run(error, "base")), [{"QUERY_TEXT": PRODUCTION, "DATABASE_NAME": OWN}])
    found = verdict(trial, base=PRODUCTION, head=PRODUCTION + ";")
    assert found.outcome is Outcome.PASSED
    assert {each.severity for each in found.findings} == {Severity.WARNING}
    assert len(found.findings) == 3


def test_nothing_is_told_of_a_trial_that_stayed_at_home() -> None:
    history = [
        {"QUERY_TEXT": f'CREATE TABLE "{OWN}"."TESTENV_HEAD"."3_RAW_T" CLONE {OWN}.RAW.T', "DATABASE_NAME": OWN},
        {"QUERY_TEXT": "SELECT * FROM INFORMATION_SCHEMA.TABLES", "DATABASE_NAME": OWN},
        {"QUERY_TEXT": f"select * from {OWN}.RAW.PAYMENTS", "DATABASE_NAME": None},
    ]
    found = verdict(FewRuns((run("KeyError: 'x'"),), history), head="SELECT 2")
    assert (found.outcome, found.findings) == (Outcome.PASSED, ())
    assert found.ran == (
        "names in dags/load.sql",
        "refusals that runs met",
        "statements of the environment's user in Snowflake",
    )


def test_a_history_that_cannot_be_read_is_said_and_fails_nothing() -> None:
    found = verdict(FewRuns(refused=True))
    assert [(each.rule, each.unsure) for each in found.findings] == [("history-not-read", True)]
    assert found.outcome is Outcome.PASSED


def test_a_session_in_another_database_is_told() -> None:
    rows = [{"QUERY_TEXT": "SELECT 1", "DATABASE_NAME": "TE_GOLDEN_X"}]
    [found] = statements(rows, "ci-a", Known(), [])
    assert "TE_GOLDEN_X" in found.what


@pytest.mark.parametrize(
    ("error", "about"),
    [
        ("An error occurred (AccessDenied) when calling the PutObject operation: s3://finsight-production/x",
         ("AccessDenied", "finsight-production/x")),
        ("SQL access control error:\nInsufficient privileges to operate on schema 'RAW'",
         ("Insufficient privileges", "RAW")),
        ("KafkaError{code=TOPIC_AUTHORIZATION_FAILED,val=29}", ("TOPIC_AUTHORIZATION_FAILED", "")),
        ("org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [card_events]",
         ("TopicAuthorizationException", "card_events")),
        ("Database 'FINSIGHT' does not exist or not authorized.", ("does not exist or not authorized", "FINSIGHT")),
        ("psycopg2.errors.InsufficientPrivilege: permission denied for table customers",
         ("InsufficientPrivilege", "customers")),
    ],
)  # fmt: skip
def test_refusals_are_known_by_the_systems_words(error: str, about: tuple[str, str]) -> None:
    assert list(refusals(error, "ci-a")) == [about]


@pytest.mark.parametrize(
    "error",
    [
        "Object 'RAW.GONE' does not exist or not authorized.",
        f"Object '{OWN}.RAW.GONE' does not exist or not authorized.",
        f"Schema '{OWN}.GONE' does not exist or not authorized.",
        "KeyError: 'amount'",
        "",
    ],
)
def test_what_is_missing_at_home_is_no_refusal(error: str) -> None:
    assert list(refusals(error, "ci-a")) == []


def test_an_environments_own_names_are_told_alike_in_every_environment() -> None:
    texts = [f"AccessDenied: s3://b/env/{env_id}/lake/x" for env_id in ("ci-a", "ci-b")]
    first, second = (list(refusals(text, env_id)) for text, env_id in zip(texts, ("ci-a", "ci-b"), strict=True))
    assert first == second == [("AccessDenied", "b/env/ENV/lake/x")]


def test_one_refusal_of_many_runs_is_one_finding() -> None:
    runs = tuple(run("AccessDenied on bucket x", date=f"2026-01-0{day}") for day in (3, 2))
    [found] = verdict(FewRuns(runs)).findings
    assert found.where.pipeline == "p"
    assert found.witness and found.witness.content == "the run for 2026-01-02"


def test_a_canary_that_changed_is_breaking() -> None:
    same = Canary({"a": "1", "b": "2"}, {"a": "1", "b": "2"})
    assert list(disturbed(same)) == []
    changed = Canary({"a": "1", "b": "2"}, {"a": "3", "c": "4"})
    told = [each.what.rpartition(", and ")[2] for each in disturbed(changed)]
    assert told == ["is not what it was before the trial", "is gone", "is new"]
    found = verdict(canary=changed)
    assert found.outcome is Outcome.FAILED
    assert [each.where.dataset for each in found.findings] == ["a", "b", "c"]
    assert "canary a" in found.ran


def test_nothing_changed_and_nothing_ran_is_not_applicable() -> None:
    assert verdict().outcome is Outcome.NOT_APPLICABLE
