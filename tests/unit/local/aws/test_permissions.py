"""What each request needs, by resource: the part that moto leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from local.aws.permissions import Call, required

ROLE = "arn:aws:iam::1:role/te-a"


def call(service: str, operation: str, resource: str = "*", **more: Any) -> Call:
    return Call(service, operation, resource, account="1", region="eu-central-1", **more)


def needs(request: Call) -> set[tuple[str, str]]:
    return {(need.action, need.resource) for need in required(request)}


class TestS3:
    def test_listing_tells_the_prefix(self) -> None:
        (need,) = required(call("s3", "ListBucket", "arn:aws:s3:::b", method="GET", query={"prefix": "env/a/"}))
        assert need.context["s3:prefix"] == "env/a/"

    def test_listing_without_a_prefix_asks_for_the_empty_one(self) -> None:
        (need,) = required(call("s3", "ListBucket", "arn:aws:s3:::b", method="GET"))
        assert need.context["s3:prefix"] == ""

    @pytest.mark.parametrize("source", ["b/env/b/x", "/b/env/b/x", "b/env%2Fb/x", "b/env/b/x?versionId=1"])
    def test_a_copy_also_reads_its_source(self, source: str) -> None:
        request = call("s3", "PutObject", "arn:aws:s3:::b/env/a/y", method="PUT", headers={"X-Amz-Copy-Source": source})
        assert needs(request) == {
            ("s3:PutObject", "arn:aws:s3:::b/env/a/y"),
            ("s3:GetObject", "arn:aws:s3:::b/env/b/x"),
        }

    def test_a_batch_delete_needs_every_key(self) -> None:
        body = (
            b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            b"<Object><Key>env/a/1</Key></Object><Object><Key>env/b/2</Key></Object></Delete>"
        )
        request = call("s3", "DeleteObject", "arn:aws:s3:::b", query={"delete": ""}, body=body)
        assert needs(request) == {
            ("s3:DeleteObject", "arn:aws:s3:::b/env/a/1"),
            ("s3:DeleteObject", "arn:aws:s3:::b/env/b/2"),
        }


class TestParameters:
    @pytest.mark.parametrize(
        ("operation", "parameters"),
        [
            ("GetParameter", {"Name": "/testenv/a/x"}),
            ("GetParameter", {"Name": "/testenv/a/x:3"}),
            ("GetParameters", {"Names": ["/testenv/a/x"]}),
            ("GetParametersByPath", {"Path": "/testenv/a/x"}),
            ("AddTagsToResource", {"ResourceType": "Parameter", "ResourceId": "/testenv/a/x"}),
        ],
    )
    def test_names_and_paths_become_arns(self, operation: str, parameters: dict[str, Any]) -> None:
        arn = "arn:aws:ssm:eu-central-1:1:parameter/testenv/a/x"
        assert needs(call("ssm", operation, parameters=parameters)) == {(f"ssm:{operation}", arn)}

    def test_a_call_that_names_none_needs_all(self) -> None:
        assert needs(call("ssm", "DescribeParameters")) == {("ssm:DescribeParameters", "*")}


class TestRoles:
    def test_creating_a_role_names_the_role_that_is_not_there_yet(self) -> None:
        assert needs(call("iam", "CreateRole", parameters={"RoleName": "te-a"})) == {("iam:CreateRole", ROLE)}

    def test_attaching_a_policy_is_an_action_on_the_role(self) -> None:
        parameters = {"RoleName": "te-a", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
        assert needs(call("iam", "AttachRolePolicy", parameters=parameters)) == {("iam:AttachRolePolicy", ROLE)}

    def test_assuming_names_the_role(self) -> None:
        assert needs(call("sts", "AssumeRole", parameters={"RoleArn": ROLE})) == {("sts:AssumeRole", ROLE)}

    def test_starting_a_job_passes_its_role(self) -> None:
        request = call(
            "emr-serverless", "StartJobRun", path="/applications/app/jobruns", parameters={"executionRoleArn": ROLE}
        )
        assert needs(request) == {
            ("emr-serverless:StartJobRun", "arn:aws:emr-serverless:eu-central-1:1:/applications/app"),
            ("iam:PassRole", ROLE),
        }

    def test_running_a_task_passes_its_role(self) -> None:
        parameters = {"cluster": "c", "taskDefinition": "d", "overrides": {"taskRoleArn": ROLE}}
        assert needs(call("ecs", "RunTask", parameters=parameters)) == {
            ("ecs:RunTask", "arn:aws:ecs:eu-central-1:1:task-definition/d:latest"),
            ("iam:PassRole", ROLE),
        }


def test_a_job_run_is_a_resource_of_its_own() -> None:
    request = call("emr-serverless", "CancelJobRun", path="/applications/app/jobruns/job", method="DELETE")
    arn = "arn:aws:emr-serverless:eu-central-1:1:/applications/app/jobruns/job"
    assert needs(request) == {("emr-serverless:CancelJobRun", arn)}
