"""The environment's role sees its own prefix, and nothing outlives a destroyed prefix or dies beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.integration.testenv.conftest import World

from testenv.backends.access import Access
from testenv.backends.aws import client
from testenv.backends.protocol import Site
from testenv.core.errors import Drifted
from testenv.core.naming import golden_prefix
from testenv.core.resources import Resource, System


@pytest.fixture
def s3(world: World) -> Any:
    return client("s3", world.config)


@pytest.fixture
def versioned(world: World, s3: Any) -> Iterator[None]:
    """The bucket keeps old versions, as a bucket on AWS may."""
    s3.put_bucket_versioning(Bucket=world.config.bucket, VersioningConfiguration={"Status": "Enabled"})
    yield
    s3.put_bucket_versioning(Bucket=world.config.bucket, VersioningConfiguration={"Status": "Suspended"})


class Role:
    """AWS as an environment's role."""

    def __init__(self, world: World, site: Site) -> None:
        self._session = Access(world.config, world.vault).session(site.names)
        self._config = world.config

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=self._config.region,
            endpoint_url=self._config.endpoint_url or None,
            aws_access_key_id=self._session["AccessKeyId"],
            aws_secret_access_key=self._session["SecretAccessKey"],
            aws_session_token=self._session["SessionToken"],
        )


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    """True if AWS said no; fails if it did what was asked, or failed otherwise."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    assert raised.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), raised.value
    return True


class TestRole:
    def test_it_works_in_its_prefix(self, world: World, site: Site) -> None:
        world.ensure(site, System.S3)
        s3, bucket, prefix = Role(world, site).client("s3"), world.config.bucket, site.names.prefix
        for key in (f"{prefix}lake/x", f"{site.names.artifacts}x"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
            assert s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 1
            s3.delete_object(Bucket=bucket, Key=key)

    def test_it_reads_its_own_parameters(self, world: World, site: Site) -> None:
        world.ensure(site, System.S3)
        world.ensure(site, System.SECRETS)
        ssm, name = Role(world, site).client("ssm"), site.names.parameter("credentials", "kafka")
        assert site.names.kafka_user in ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        assert refused(ssm.put_parameter, Name=name, Value="x", Type="SecureString", Overwrite=True)

    def test_it_is_shut_out_of_anothers(self, world: World, new_site: Callable[[], Site]) -> None:
        one, other = new_site(), new_site()
        for site in (one, other):
            world.ensure(site, System.S3)
            world.ensure(site, System.SECRETS)
        role, bucket = Role(world, one), world.config.bucket
        s3, ssm, foreign = role.client("s3"), role.client("ssm"), f"{other.names.prefix}.testenv"
        assert refused(s3.list_objects_v2, Bucket=bucket, Prefix=other.names.prefix)
        assert refused(s3.list_objects_v2, Bucket=bucket)
        assert refused(s3.get_object, Bucket=bucket, Key=foreign)
        assert refused(s3.put_object, Bucket=bucket, Key=foreign, Body=b"x")
        assert refused(s3.delete_object, Bucket=bucket, Key=foreign)
        copied = {"Bucket": bucket, "Key": foreign}
        assert refused(s3.copy_object, Bucket=bucket, Key=f"{one.names.prefix}stolen", CopySource=copied)
        foreign_parameter = other.names.parameter("credentials", "kafka")
        assert refused(ssm.get_parameter, Name=foreign_parameter, WithDecryption=True)
        assert refused(ssm.get_parameters_by_path, Path=other.names.parameters)

    def test_it_is_shut_out_of_datasets_and_production(self, world: World, site: Site) -> None:
        world.ensure(site, System.S3)
        s3, version = Role(world, site).client("s3"), site.dataset.version
        assert refused(s3.get_object, Bucket=world.config.bucket, Key=f"{golden_prefix(version)}manifest.json")
        assert refused(s3.put_object, Bucket=world.config.bucket, Key="datasets/current", Body=b"x")
        assert refused(s3.list_objects_v2, Bucket="finsight-production")

    def test_it_assumes_no_other_role(self, world: World, new_site: Callable[[], Site]) -> None:
        one, other = new_site(), new_site()
        world.ensure(one, System.S3)
        world.ensure(other, System.S3)
        account = client("sts", world.config).get_caller_identity()["Account"]
        arn = f"arn:aws:iam::{account}:role/{other.names.iam_role}"
        assert refused(Role(world, one).client("sts").assume_role, RoleArn=arn, RoleSessionName="other")

    def test_a_policy_that_someone_added_is_taken_away(self, world: World, site: Site) -> None:
        world.ensure(site, System.S3)
        document = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        client("iam", world.config).put_role_policy(
            RoleName=site.names.iam_role,
            PolicyName="more",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [document]}),
        )
        bucket = world.config.bucket
        assert Role(world, site).client("s3").get_object(Bucket=bucket, Key="datasets/current")
        world.ensure(site, System.S3)
        assert refused(Role(world, site).client("s3").get_object, Bucket=bucket, Key="datasets/current")


class TestLanding:
    def test_it_holds_the_datasets_bytes_and_no_marker(self, world: World, site: Site, s3: Any) -> None:
        world.ensure(site, System.S3)
        bucket, prefix = world.config.bucket, site.names.prefix
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}landing/")["Contents"]
        paths = {entry["Key"].removeprefix(prefix) for entry in listed}
        assert paths == {path for path in site.dataset.files if path.startswith("landing/")}
        for path in paths:
            original = s3.get_object(Bucket=bucket, Key=golden_prefix(site.dataset.version) + path)["Body"].read()
            assert s3.get_object(Bucket=bucket, Key=prefix + path)["Body"].read() == original

    def test_what_is_right_is_not_copied_again(self, world: World, site: Site, s3: Any) -> None:
        """The same bytes with metadata of their own are still those afterwards; other bytes are not."""
        world.ensure(site, System.S3)
        bucket, prefix = world.config.bucket, site.names.prefix
        kept, changed = sorted(path for path in site.dataset.files if path.startswith("landing/"))[:2]
        body = s3.get_object(Bucket=bucket, Key=prefix + kept)["Body"].read()
        s3.put_object(Bucket=bucket, Key=prefix + kept, Body=body, Metadata={"seen": "before"})
        s3.put_object(Bucket=bucket, Key=prefix + changed, Body=b"changed", Metadata={"seen": "before"})
        world.ensure(site, System.S3)
        assert s3.head_object(Bucket=bucket, Key=prefix + kept)["Metadata"] == {"seen": "before"}
        assert s3.head_object(Bucket=bucket, Key=prefix + changed)["Metadata"] == {}

    def test_a_copy_that_was_interrupted_is_there_but_of_no_dataset(self, world: World, site: Site, s3: Any) -> None:
        world.ensure(site, System.S3)
        s3.delete_object(Bucket=world.config.bucket, Key=f"{site.names.prefix}.testenv-landing")
        landing = next(part for part in world.backends[System.S3].observe(site.spec.env_id) if part.kind == "landing")
        assert landing.settings == ()

    def test_a_file_too_few_is_drift(self, world: World, site: Site, s3: Any) -> None:
        world.ensure(site, System.S3)
        path = min(path for path in site.dataset.files if path.startswith("landing/"))
        s3.delete_object(Bucket=world.config.bucket, Key=site.names.prefix + path)
        with pytest.raises(Drifted, match="landing/"):
            world.backends[System.S3].probe(site)


@pytest.mark.usefixtures("versioned")
class TestDestroy:
    def test_versions_markers_and_uploads_go_too(self, world: World, site: Site, s3: Any) -> None:
        bucket, prefix = world.config.bucket, site.names.prefix
        for body in (b"1", b"2"):
            s3.put_object(Bucket=bucket, Key=f"{prefix}lake/x", Body=body)
        s3.delete_object(Bucket=bucket, Key=f"{prefix}lake/x")
        s3.create_multipart_upload(Bucket=bucket, Key=f"{prefix}lake/unfinished")
        backend, part = world.backends[System.S3], Resource(System.S3, "prefix", prefix)
        assert part in backend.observe(site.spec.env_id)
        assert part in backend.observe()
        backend.destroy(part)
        left = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
        assert not left.get("Versions") and not left.get("DeleteMarkers")
        uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        assert not [upload for upload in uploads if upload["Key"].startswith(prefix)]
        assert part not in backend.observe()

    def test_a_neighbour_whose_name_begins_alike_stays(self, world: World, site: Site, s3: Any) -> None:
        bucket, neighbour = world.config.bucket, f"env/{site.spec.env_id}x/lake/x"
        s3.put_object(Bucket=bucket, Key=neighbour, Body=b"stays")
        s3.put_object(Bucket=bucket, Key=f"{site.names.artifacts}log", Body=b"outlives it")
        world.ensure(site, System.S3)
        world.destroy(site)
        try:
            assert s3.get_object(Bucket=bucket, Key=neighbour)["Body"].read() == b"stays"
            assert s3.get_object(Bucket=bucket, Key=f"{site.names.artifacts}log")["Body"].read() == b"outlives it"
        finally:
            for key in (neighbour, f"{site.names.artifacts}log"):
                for found in s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", []):
                    s3.delete_object(Bucket=bucket, Key=key, VersionId=found["VersionId"])
