"""What the account acknowledged is there after the stand-in was killed and started again by the supervisor.

The real service does not lose what it acknowledged either.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.integration.local.aws.support import Account, Credentials, denied, until

A, B = (f"ci-kept-{uuid.uuid4().hex[:6]}" for _ in "AB")  # others than those that an earlier session left
VERSIONED = f"{A}-versioned"
PART = 5 * 1024 * 1024  # bytes, the least that a part but the last may have
SEED = int(os.environ.get("TESTENV_TEST_SEED") or time.time_ns() % 10**6)


def lake(name: str) -> str:
    return f"env/{A}/lake/{name}"


@dataclass
class Before:
    """What was seen before the kill."""

    session: Credentials
    listing: list[dict[str, Any]] = field(default_factory=list)
    upload: str = ""
    part: str = ""
    never: str = ""
    role: dict[str, Any] = field(default_factory=dict)
    parameters: list[dict[str, Any]] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    home: Path = Path()


@pytest.fixture(scope="module")
def before(account: Account) -> Iterator[Before]:
    """All kinds of writes, then a kill."""
    for env_id in (A, B):
        account.make_role(env_id)
    seen = Before(account.session(A), home=account.stack.home / "data" / "aws" / "homes" / A)
    seen.home.mkdir(parents=True)
    objects(account, seen)
    buckets(account, seen)
    parameters(account)
    account.client("iam").tag_role(RoleName=f"te-{A}", Tags=[{"Key": "testenv:env", "Value": A}])
    topic = account.client("sns").create_topic(Name="testenv-kept")["TopicArn"]
    account.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    seen.listing, seen.parameters = listing(account), described(account)
    seen.role = account.client("iam").get_role(RoleName=f"te-{A}")["Role"]
    account.kill()
    yield seen
    account.client("s3").abort_multipart_upload(Bucket=account.bucket, Key=lake("never"), UploadId=seen.never)


def objects(account: Account, seen: Before) -> None:
    s3, where = account.client("s3"), {"Bucket": account.bucket}
    s3.put_object(
        **where, Key=lake("plain"), Body=b"old", Metadata={"who": "me"}, ContentType="text/x", Tagging="a=1&b=2"
    )
    s3.put_object(**where, Key=lake("overwritten"), Body=b"old")
    s3.put_object(**where, Key=lake("overwritten"), Body=b"new")
    s3.copy_object(**where, Key=lake("cöpy & co"), CopySource={**where, "Key": lake("plain")})
    for number in range(3):
        s3.put_object(**where, Key=lake(f"gone{number}"), Body=b"x")
    s3.delete_object(**where, Key=lake("gone0"))
    s3.delete_objects(**where, Delete={"Objects": [{"Key": lake("gone1")}, {"Key": lake("gone2")}]})
    whole = s3.create_multipart_upload(**where, Key=lake("whole"))["UploadId"]
    tags = [
        s3.upload_part(**where, Key=lake("whole"), UploadId=whole, PartNumber=number, Body=body)["ETag"]
        for number, body in ((1, b"1" * PART), (2, b"2"))
    ]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**where, Key=lake("whole"), UploadId=whole, MultipartUpload={"Parts": parts})
    seen.upload = s3.create_multipart_upload(**where, Key=lake("open"), Metadata={"who": "me"})["UploadId"]
    seen.part = s3.upload_part(**where, Key=lake("open"), UploadId=seen.upload, PartNumber=1, Body=b"3" * PART)["ETag"]
    seen.never = s3.create_multipart_upload(**where, Key=lake("never"))["UploadId"]


def buckets(account: Account, seen: Before) -> None:
    """One with two versions of an object under a delete marker, and one that is deleted."""
    s3 = account.client("s3", account.root())
    region = {"LocationConstraint": account.document["region"]}
    for bucket in (VERSIONED, f"{VERSIONED}-gone"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=region)
    s3.delete_bucket(Bucket=f"{VERSIONED}-gone")
    s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
    seen.versions = [s3.put_object(Bucket=VERSIONED, Key="k", Body=body)["VersionId"] for body in (b"1", b"2")]
    s3.delete_object(Bucket=VERSIONED, Key="k")


def parameters(account: Account) -> None:
    ssm, prefix = account.client("ssm"), f"/testenv/{A}/credentials"
    tags = [{"Key": "testenv:env", "Value": A}]
    ssm.put_parameter(Name=f"{prefix}/one", Value="1", Type="SecureString", Tags=tags)
    ssm.put_parameter(Name=f"{prefix}/one", Value="2", Overwrite=True)
    for name in ("gone0", "gone1"):
        ssm.put_parameter(Name=f"{prefix}/{name}", Value="x", Type="String")
    ssm.delete_parameter(Name=f"{prefix}/gone0")
    ssm.delete_parameters(Names=[f"{prefix}/gone1"])


def listing(account: Account) -> list[dict[str, Any]]:
    """Keys, sizes, ETags, and when they were last modified."""
    found = account.client("s3").list_objects_v2(Bucket=account.bucket, Prefix=f"env/{A}/")
    return list(found["Contents"])


def described(account: Account) -> list[dict[str, Any]]:
    found = account.client("ssm").describe_parameters(
        ParameterFilters=[{"Key": "Path", "Option": "Recursive", "Values": [f"/testenv/{A}"]}]
    )
    return list(found["Parameters"])


class TestAfterAKill:
    def test_the_same_objects_are_there_with_the_same_dates(self, account: Account, before: Before) -> None:
        assert listing(account) == before.listing
        assert [entry["Key"] for entry in before.listing] == sorted(
            lake(name) for name in ("plain", "overwritten", "cöpy & co", "whole")
        )

    def test_objects_have_their_content_metadata_and_tags(self, account: Account, before: Before) -> None:
        s3, where = account.client("s3"), {"Bucket": account.bucket}
        for name in ("plain", "cöpy & co"):
            got = s3.get_object(**where, Key=lake(name))
            assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"old", {"who": "me"}, "text/x")
        tags = s3.get_object_tagging(**where, Key=lake("plain"))["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "1", "b": "2"}
        assert s3.get_object(**where, Key=lake("overwritten"))["Body"].read() == b"new"
        assert s3.get_object(**where, Key=lake("whole"))["Body"].read() == b"1" * PART + b"2"

    def test_an_open_upload_can_be_completed(self, account: Account, before: Before) -> None:
        s3, where = account.client("s3"), {"Bucket": account.bucket, "Key": lake("open"), "UploadId": before.upload}
        last = s3.upload_part(**where, PartNumber=2, Body=b"4")["ETag"]
        assert [part["Size"] for part in s3.list_parts(**where)["Parts"]] == [PART, 1]
        tags = [before.part, last]
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        got = s3.get_object(Bucket=account.bucket, Key=lake("open"))
        assert (got["Body"].read(), got["Metadata"]) == (b"3" * PART + b"4", {"who": "me"})
        s3.delete_object(Bucket=account.bucket, Key=lake("open"))

    def test_versions_of_an_object_and_what_deleted_it_are_there(self, account: Account, before: Before) -> None:
        s3 = account.client("s3", account.root())
        got = [s3.get_object(Bucket=VERSIONED, Key="k", VersionId=each)["Body"].read() for each in before.versions]
        assert got == [b"1", b"2"]
        markers = [marker["VersionId"] for marker in s3.list_object_versions(Bucket=VERSIONED)["DeleteMarkers"]]
        assert len(markers) == 1
        for version in (*before.versions, *markers):
            s3.delete_object(Bucket=VERSIONED, Key="k", VersionId=version)
        s3.delete_bucket(Bucket=VERSIONED)

    def test_parameters_have_their_values_versions_and_tags(self, account: Account, before: Before) -> None:
        ssm, name = account.client("ssm"), f"/testenv/{A}/credentials/one"
        assert described(account) == before.parameters
        assert [parameter["Name"] for parameter in before.parameters] == [name]
        got = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
        assert (got["Value"], got["Version"], got["Type"]) == ("2", 2, "SecureString")
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
        assert tags == [{"Key": "testenv:env", "Value": A}]

    def test_a_role_keeps_its_id_policy_and_tags(self, account: Account, before: Before) -> None:
        role = account.client("iam").get_role(RoleName=f"te-{A}")["Role"]
        kept = ("RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument", "Tags")
        assert [role[key] for key in kept] == [before.role[key] for key in kept]
        assert role["Tags"] == [{"Key": "testenv:env", "Value": A}]

    def test_a_session_from_before_may_what_it_could_and_no_more(self, account: Account, before: Before) -> None:
        s3, ssm = (account.client(service, before.session) for service in ("s3", "ssm"))
        s3.put_object(Bucket=account.bucket, Key=f"env/{A}/checkpoints/x", Body=b"")
        s3.delete_object(Bucket=account.bucket, Key=f"env/{A}/checkpoints/x")
        assert ssm.get_parameter(Name=f"/testenv/{A}/credentials/one")["Parameter"]["Version"] == 2
        with denied():
            s3.put_object(Bucket=account.bucket, Key=f"env/{B}/lake/x", Body=b"")
        with denied():
            ssm.get_parameter(Name=f"/testenv/{B}/credentials/one")

    def test_a_topic_keeps_its_subscriptions(self, account: Account, before: Before) -> None:
        sns = account.client("sns")
        topic = next(each["TopicArn"] for each in sns.list_topics()["Topics"] if "testenv-kept" in each["TopicArn"])
        found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert [each["Endpoint"] for each in found] == ["a@example.com"]
        sns.delete_topic(TopicArn=topic)

    def test_the_accounts_own_parts_are_there_once(self, account: Account, before: Before) -> None:
        root = account.root()
        buckets = account.client("s3", root).list_buckets()["Buckets"]
        fixed = [account.bucket, account.document["production_bucket"]]
        assert sorted(bucket["Name"] for bucket in buckets) == sorted(fixed)
        users = account.client("iam", root).list_users()["Users"]
        assert sorted(user["UserName"] for user in users) == sorted(account.document["users"])
        applications = account.client("emr-serverless").list_applications()["applications"]
        assert sorted(each["id"] for each in applications) == sorted(account.document["applications"].values())

    def test_a_role_that_is_made_again_is_another_one(self, account: Account, before: Before) -> None:
        """Last, as it ends A: its sessions end with it, and so does the folder of its tasks."""
        assert before.home.is_dir()
        iam = account.client("iam")
        iam.delete_role_policy(RoleName=f"te-{A}", PolicyName="access")
        iam.delete_role(RoleName=f"te-{A}")
        assert not before.home.exists()
        account.make_role(A)
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            account.client("s3", before.session).list_objects_v2(Bucket=account.bucket, Prefix=f"env/{A}/")


def test_what_cannot_be_kept_is_refused(account: Account) -> None:
    """The real service does these; here they would be forgotten."""
    root = account.root()
    with pytest.raises(ClientError, match="NotImplemented"):
        account.client("iam", root).create_group(GroupName="g")
    with pytest.raises(ClientError, match="NotImplemented"):
        account.client("ec2", root).create_vpc(CidrBlock="10.0.0.0/16")


def test_a_kill_amid_writes_loses_nothing_that_was_acknowledged(account: Account) -> None:
    print("seed", SEED)
    writers = [_Writer(account, number) for number in range(4)]
    for writer in writers:
        writer.start()
    enough = random.Random(SEED).randrange(20, 60)
    until(lambda: True if sum(writer.acknowledged for writer in writers) > enough else None, 30)
    account.kill()
    for writer in writers:
        writer.check()


class _Writer:
    """Writes 1, 2, 3 … to an object and a parameter of its own until it fails."""

    def __init__(self, account: Account, number: int) -> None:
        self._s3, self._ssm, self._bucket = account.client("s3"), account.client("ssm"), account.bucket
        self._key, self._name = f"env/{B}/lake/w{number}", f"/testenv/{B}/credentials/w{number}"
        self.acknowledged = 0
        self._tried = 0
        self._thread = threading.Thread(target=self._write)

    def start(self) -> None:
        self._thread.start()

    def _write(self) -> None:
        try:
            for self._tried in range(1, 1000):
                body = str(self._tried)
                self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=body.encode())
                self._ssm.put_parameter(Name=self._name, Value=body, Type="String", Overwrite=True)
                self.acknowledged = self._tried
        except (BotoCoreError, ClientError):
            return

    def check(self) -> None:
        """The last that was acknowledged is there, or the one whose answer never came."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        body = self._s3.get_object(Bucket=self._bucket, Key=self._key)["Body"].read()
        value = self._ssm.get_parameter(Name=self._name)["Parameter"]["Value"]
        assert {int(body), int(value)} <= {self.acknowledged, self._tried}
        assert self.acknowledged < 999
