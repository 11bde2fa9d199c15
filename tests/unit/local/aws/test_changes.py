"""What a request may change, and that nothing that would be forgotten is done."""

from __future__ import annotations

from typing import Any

import pytest

from local.aws.changes import NotKeptError, Thing, changed_by
from local.aws.permissions import Call

REGION = "eu-central-1"


def call(service: str, operation: str, **more: Any) -> Call:
    given = {"resource": "*", "account": "1", "region": REGION, **more}
    return Call(service=service, operation=operation, **given)


def s3(method: str, resource: str, query: str = "", body: bytes = b"") -> tuple[Thing, ...]:
    pairs = dict(part.partition("=")[::2] for part in query.split("&") if part)
    return changed_by(
        call("s3", "any", method=method, resource=f"arn:aws:s3:::{resource}", query=pairs, body=body), REGION
    )


class TestS3:
    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_reading_changes_nothing(self, method: str) -> None:
        assert s3(method, "b/k") == s3(method, "b") == ()

    @pytest.mark.parametrize("query", ["", "tagging", "acl", "versionId=1"])
    def test_what_is_done_to_an_object_changes_it(self, query: str) -> None:
        for method in ("PUT", "DELETE", "POST"):
            assert s3(method, "b/env/k", query) == (Thing("object", "b/env/k"),)

    @pytest.mark.parametrize("query", ["", "versioning", "lifecycle"])
    def test_what_is_done_to_a_bucket_changes_it(self, query: str) -> None:
        assert s3("PUT", "b", query) == s3("DELETE", "b", query) == (Thing("bucket", "b"),)

    def test_a_batch_delete_changes_every_key_of_it(self) -> None:
        body = b'<Delete xmlns="http://s3/"><Object><Key>a</Key></Object><Object><Key>b/c</Key></Object></Delete>'
        assert s3("POST", "bucket", "delete", body) == (Thing("object", "bucket/a"), Thing("object", "bucket/b/c"))

    def test_an_upload_changes_itself_then_its_parts_then_the_object(self) -> None:
        uploads = Thing("uploads", "b/k")
        assert s3("POST", "b/k", "uploads") == (uploads,)
        assert s3("PUT", "b/k", "uploadId=u&partNumber=2") == (Thing("part", "b/u/2"),)
        over = (Thing("object", "b/k"), uploads, Thing("parts", "b/u/"))
        assert s3("POST", "b/k", "uploadId=u") == s3("DELETE", "b/k", "uploadId=u") == over

    def test_a_form_is_refused(self) -> None:
        with pytest.raises(NotKeptError, match="PutObject"):
            s3("POST", "b")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "things"),
    [
        ("ssm", "PutParameter", {"Name": "/testenv/x/y"}, ["parameter /testenv/x/y"]),
        ("ssm", "PutParameter", {"Name": "/flat"}, ["parameter flat"]),
        ("ssm", "DeleteParameter", {"Name": "arn:aws:ssm:r:1:parameter/a/b"}, ["parameter /a/b"]),
        ("ssm", "DeleteParameters", {"Names": ["/a/b", "/a/c"]}, ["parameter /a/b", "parameter /a/c"]),
        ("ssm", "AddTagsToResource", {"ResourceType": "Parameter", "ResourceId": "/a/b"}, ["parameter /a/b"]),
        ("ssm", "GetParametersByPath", {"Path": "/a"}, []),
        ("iam", "CreateRole", {"RoleName": "te-a"}, ["role te-a"]),
        ("iam", "UpdateUser", {"UserName": "a", "NewUserName": "b"}, ["user a", "user b"]),
        ("iam", "ListRoles", {}, []),
        ("sns", "CreateTopic", {"Name": "t"}, [f"topic arn:aws:sns:{REGION}:1:t"]),
        ("sns", "Unsubscribe", {"SubscriptionArn": "arn:aws:sns:r:1:t:id"}, ["topic arn:aws:sns:r:1:t"]),
        ("sns", "Publish", {"TopicArn": "arn:aws:sns:r:1:t"}, []),
        ("ecs", "RegisterTaskDefinition", {"family": "f"}, ["task-definition f"]),
        ("ecs", "DeregisterTaskDefinition", {"taskDefinition": "arn:…/f:3"}, ["task-definition f"]),
        ("ecs", "RunTask", {"cluster": "c"}, []),
        ("ecs", "TagResource", {"resourceArn": "arn:aws:ecs:r:1:task/c/id"}, ["task id"]),
        ("sts", "AssumeRole", {"RoleArn": "r"}, []),
    ],
)
def test_a_request_changes_what_it_names(
    service: str, operation: str, parameters: dict[str, Any], things: list[str]
) -> None:
    found = changed_by(call(service, operation, parameters=parameters), REGION)
    assert [f"{thing.kind} {thing.name}" for thing in found] == things


def test_an_application_of_emr_is_named_by_the_path() -> None:
    given = call("emr-serverless", "StopApplication", path="/applications/app1/stop")
    assert changed_by(given, REGION) == (Thing("application", "app1"),)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("iam", "CreateGroup", {"GroupName": "g"}),
        ("iam", "AddUserToGroup", {"GroupName": "g", "UserName": "u"}),
        ("iam", "CreatePolicy", {"PolicyName": "p"}),
        ("ssm", "CreateDocument", {"Name": "d"}),
        ("ecs", "CreateService", {"serviceName": "s"}),
        ("ec2", "RunInstances", {}),
        ("sqs", "CreateQueue", {}),
    ],
)
def test_what_is_not_kept_is_refused_by_name(service: str, operation: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(NotKeptError, match=f"{service}:{operation}"):
        changed_by(call(service, operation, parameters=parameters), REGION)


def test_another_region_is_refused_but_for_reading_and_for_iam() -> None:
    with pytest.raises(NotKeptError, match="us-east-1"):
        changed_by(call("ssm", "PutParameter", region="us-east-1", parameters={"Name": "/a/b"}), REGION)
    assert changed_by(call("ssm", "GetParameter", region="us-east-1"), REGION) == ()
    assert changed_by(call("iam", "CreateRole", region="us-east-1", parameters={"RoleName": "r"}), REGION)
