"""Policy evaluation as AWS documents it; the first cases are those that moto decides wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from local.aws.policy import Permission, matches, permits, trusts

BUCKET = "arn:aws:s3:::b"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def prefixed(*prefixes: str) -> dict[str, Any]:
    return {"Condition": {"StringLike": {"s3:prefix": list(prefixes)}}}


class TestConditions:
    def test_an_allow_whose_condition_does_not_hold_leaves_other_statements_their_say(self) -> None:
        both = document(
            allow("s3:ListBucket", BUCKET, **prefixed("a/*")), allow("s3:ListBucket", BUCKET, **prefixed("b/*"))
        )
        assert permits([both], Permission("s3:ListBucket", BUCKET, {"s3:prefix": "b/x"}))

    def test_a_condition_on_a_key_the_request_lacks_does_not_hold(self) -> None:
        only = document(allow("s3:ListBucket", BUCKET, **prefixed("a/*")))
        assert not permits([only], Permission("s3:ListBucket", BUCKET, {"s3:prefix": ""}))
        assert not permits([only], Permission("s3:ListBucket", BUCKET))

    @pytest.mark.parametrize(
        ("operator", "expected", "actual", "holds"),
        [
            ("StringEquals", "a", "a", True),
            ("StringEquals", ["a", "b"], "b", True),
            ("StringEquals", "a", "A", False),
            ("StringEqualsIgnoreCase", "a", "A", True),
            ("StringNotEquals", "a", "b", True),
            ("StringNotEquals", ["a", "b"], "b", False),
            ("StringLike", "a*", "abc", True),
            ("StringNotLike", "a*", "abc", False),
            ("StringEqualsIfExists", "a", None, True),
            ("StringNotEquals", "a", None, True),
            ("StringEquals", "a", None, False),
            ("Bool", True, "true", True),
            ("Null", True, None, True),
            ("Null", "false", None, False),
            ("ArnLike", "arn:aws:iam::1:role/te-*", "arn:aws:iam::1:role/te-x", True),
        ],
    )
    def test_operators(self, operator: str, expected: Any, actual: str | None, holds: bool) -> None:
        policy = document(allow("x:Do", Condition={operator: {"k": expected}}))
        context = {} if actual is None else {"K": actual}  # keys in any case
        assert permits([policy], Permission("x:Do", "*", context)) is holds

    def test_an_unknown_operator_never_grants(self) -> None:
        unknown = {"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01"}}}
        assert not permits([document(allow("x:Do", **unknown))], Permission("x:Do"))
        assert not permits([document(allow("x:Do"), deny("x:Do", **unknown))], Permission("x:Do"))


class TestStatements:
    def test_deny_wins_over_allow_whatever_the_order(self) -> None:
        assert not permits([document(deny("s3:*")), document(allow("*"))], Permission("s3:GetObject"))
        assert not permits([document(allow("*"), deny("s3:*"))], Permission("s3:GetObject"))

    def test_nothing_is_allowed_by_default(self) -> None:
        assert not permits([], Permission("s3:GetObject"))

    def test_actions_match_in_any_case_and_resources_in_theirs(self) -> None:
        policy = document(allow("S3:getobject", f"{BUCKET}/a/*"))
        assert permits([policy], Permission("s3:GetObject", f"{BUCKET}/a/x"))
        assert not permits([policy], Permission("s3:GetObject", f"{BUCKET}/A/x"))

    def test_not_action_and_not_resource(self) -> None:
        policy = document({"Effect": "Allow", "NotAction": "iam:*", "NotResource": f"{BUCKET}/secret/*"})
        assert permits([policy], Permission("s3:GetObject", f"{BUCKET}/a"))
        assert not permits([policy], Permission("iam:GetRole"))
        assert not permits([policy], Permission("s3:GetObject", f"{BUCKET}/secret/a"))

    def test_a_single_statement_may_stand_without_a_list(self) -> None:
        assert permits([{"Statement": allow("x:Do")}], Permission("x:Do"))


class TestTrust:
    ROLE = document(
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:user/control-b"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": ["ecs-tasks.amazonaws.com"]}, "Action": "sts:AssumeRole"},
    )

    def test_only_the_named_principal_is_trusted(self) -> None:
        need = Permission("sts:AssumeRole")
        assert trusts(self.ROLE, frozenset({"arn:aws:iam::1:user/control-b"}), need)
        assert trusts(self.ROLE, frozenset({"ecs-tasks.amazonaws.com"}), need)
        assert not trusts(self.ROLE, frozenset({"emr-serverless.amazonaws.com"}), need)

    def test_a_name_that_is_part_of_the_trusted_one_is_not_trusted(self) -> None:
        assert not trusts(self.ROLE, frozenset({"arn:aws:iam::1:user/control"}), Permission("sts:AssumeRole"))


def test_only_star_and_question_mark_are_wild() -> None:
    assert matches("a[b]*", "a[b]c")
    assert not matches("a[b]*", "abc")
    assert matches("a?c", "abc")
    assert not matches("a.c", "abc")
