"""What an environment's IAM role may do, judged as IAM judges it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from testenv.backends.roles import policy_document, trust_document
from testenv.config import Config, EcsConfig, KafkaConfig, PostgresConfig, SnowflakeConfig
from testenv.core.naming import EnvId, Names

CONFIG = Config(
    home=Path("/home"),
    repo=Path("/repo"),
    ledger_url="postgresql://h/ledger",
    bucket="environments",
    region="eu-central-1",
    endpoint_url="",
    dbt="dbt",
    postgres=PostgresConfig("h", 1, "u", "p"),
    kafka=KafkaConfig("h:1", "u", "p", "SASL_SSL", "SCRAM-SHA-512"),
    snowflake=SnowflakeConfig("a", "u", "k", "r", "", "", "", "i"),
    ecs=EcsConfig("c", "t", ()),
    emr_applications={"ci": "app-ci", "sandbox": "app-sandbox", "integration": "app-int"},
)
DOCUMENT = policy_document(Names(EnvId("sbx-a")), CONFIG, "123456789012")


def test_no_statement_allows_everything() -> None:
    for statement in DOCUMENT["Statement"]:
        assert all(action.split(":")[1] != "*" and action != "*" for action in statement["Action"])
        assert all(resource not in ("*", "arn:aws:s3:::*") for resource in statement["Resource"])


def test_objects_are_those_of_its_two_prefixes() -> None:
    objects = next(s for s in DOCUMENT["Statement"] if "s3:PutObject" in s["Action"])
    assert objects["Resource"] == [
        "arn:aws:s3:::environments/env/sbx-a/*",
        "arn:aws:s3:::environments/artifacts/sbx-a/*",
    ]


def test_what_is_said_of_a_release_is_not_written_by_its_own_code() -> None:
    [denied] = [s for s in DOCUMENT["Statement"] if s["Effect"] == "Deny"]
    assert denied["Resource"] == ["arn:aws:s3:::environments/artifacts/sbx-a/verdict/*"]
    assert set(denied["Action"]) == {"s3:PutObject", "s3:DeleteObject"}


def test_listing_is_bound_to_its_prefixes() -> None:
    listing = next(s for s in DOCUMENT["Statement"] if "s3:ListBucket" in s["Action"])
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["env/sbx-a/*", "artifacts/sbx-a/*"]}}


def test_parameters_are_its_own_and_read_only() -> None:
    [parameters] = [s for s in DOCUMENT["Statement"] if any(a.startswith("ssm:") for a in s["Action"])]
    assert parameters["Resource"] == ["arn:aws:ssm:eu-central-1:123456789012:parameter/testenv/sbx-a/*"]
    assert all(action.startswith("ssm:Get") for action in parameters["Action"])


def test_jobs_run_on_its_kinds_application_as_itself() -> None:
    [passing] = [s for s in DOCUMENT["Statement"] if "iam:PassRole" in s["Action"]]
    assert passing["Resource"] == ["arn:aws:iam::123456789012:role/te-sbx-a"]
    assert "app-sandbox" in json.dumps(DOCUMENT)
    assert "app-ci" not in json.dumps(DOCUMENT)


def test_no_name_of_another_environment_begins_with_its_prefix() -> None:
    """`sbx-a*` would open `sbx-ab`: every pattern ends the id with a slash."""
    assert "sbx-a*" not in json.dumps(DOCUMENT)


def test_it_is_small_enough_for_an_inline_policy() -> None:
    """IAM takes 10,240 characters."""
    longest = policy_document(Names(EnvId("int-" + "a" * 20)), replace(CONFIG, bucket="b" * 63), "1" * 12)
    assert len(json.dumps(longest)) < 10_240


@pytest.mark.parametrize("service", ["ecs-tasks.amazonaws.com", "emr-serverless.amazonaws.com"])
def test_services_that_run_its_code_may_assume_it(service: str) -> None:
    assert service in json.dumps(trust_document("123456789012"))
