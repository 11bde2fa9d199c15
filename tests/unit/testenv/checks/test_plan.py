from __future__ import annotations

import pytest

from testenv.checks.plan import Asked, Plan, parse_asked, verdict_id
from testenv.checks.registry import known
from testenv.checks.report import Affected, Choice, Side
from testenv.core.errors import Invalid, UnknownKey


def plan(**changes: object) -> Plan:
    values: dict[str, object] = {
        "env_id": "ci-v1",
        "base": Side(asked="main", commit="a" * 40),
        "head": Side(asked="fix", commit="b" * 40),
        "dataset": "seed-1",
        "checks": known(),
        "choice": Choice(selected=(Affected(name="p", chain=("f",)),)),
    }
    return Plan.model_validate(values | changes)


def test_a_conf_may_be_empty_and_nulls_are_defaults() -> None:
    assert parse_asked({}) == parse_asked({"base": None, "checks": None}) == Asked()
    assert parse_asked({"checks": ["diff"], "trial_minutes": 5}) == Asked(checks=("diff",), trial_minutes=5)


@pytest.mark.parametrize(
    ("conf", "error", "told"),
    [
        ({"bsae": "main"}, UnknownKey, "does not know 'bsae'. Allowed keys are base, head"),
        ({"trial_minutes": 0}, Invalid, "trial_minutes: .* got 0"),
        ({"checks": "diff"}, Invalid, "checks: .* got 'diff'"),
        ({"base": ""}, Invalid, "base: .* got ''"),
    ],
)
def test_a_wrong_conf_is_told_with_key_and_value(conf: dict[str, object], error: type[Invalid], told: str) -> None:
    with pytest.raises(error, match=told):
        parse_asked(conf)


def test_a_verdict_has_an_environments_id_that_its_run_names() -> None:
    one = verdict_id("manual__2026-01-02T00:00:00+00:00")
    assert one == verdict_id("manual__2026-01-02T00:00:00+00:00") != verdict_id("manual__2026-01-03T00:00:00+00:00")
    assert one.kind == "ci"


def test_a_trial_is_needed_where_a_pipeline_is_affected_and_a_check_looks_at_runs() -> None:
    assert plan().after_trial == tuple(known())
    assert plan(choice=Choice()).after_trial == ()
    assert plan(checks={"schema": known()["schema"]}).after_trial == ()
    assert plan(choice=Choice()).static == ("schema",)


def test_what_cannot_be_read_is_neither_run_nor_checked() -> None:
    broken = plan(reason="head: a contract is wrong")
    assert (broken.needs_trial, broken.static, broken.after_trial) == (False, (), ())
