"""IAM on the running stand-in: what a role, a user, a stranger can and cannot do. Each denial fails if it was none."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import REPO
from tests.integration.local.aws.support import Account, Credentials, denied, policy_document

A, B = "ci-iam-a", "ci-iam-b"
OWN, OTHERS = f"env/{A}/landing/x", f"env/{B}/landing/x"


@pytest.fixture(scope="module")
def role(account: Account) -> Credentials:
    """A session of A's role; an object of each, a parameter of each."""
    for env_id in (A, B):
        account.make_role(env_id)
        account.client("s3").put_object(Bucket=account.bucket, Key=f"env/{env_id}/landing/x", Body=b"x")
        account.client("ssm").put_parameter(
            Name=f"/testenv/{env_id}/connections/c", Value=env_id, Type="SecureString", Overwrite=True
        )
    return account.session(A)


@pytest.fixture
def s3(account: Account, role: Credentials) -> Any:
    return account.client("s3", role)


class TestObjects:
    def test_a_role_reads_lists_writes_and_deletes_under_its_own_prefix(self, account: Account, s3: Any) -> None:
        bucket = account.bucket
        s3.put_object(Bucket=bucket, Key=f"env/{A}/lake/t", Body=b"1" * 100)
        s3.copy_object(Bucket=bucket, Key=f"env/{A}/lake/u", CopySource={"Bucket": bucket, "Key": f"env/{A}/lake/t"})
        found = s3.list_objects_v2(Bucket=bucket, Prefix=f"env/{A}/lake/")["Contents"]
        assert [entry["Key"].rsplit("/")[-1] for entry in found] == ["t", "u"]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": entry["Key"]} for entry in found]})
        assert s3.list_objects_v2(Bucket=bucket, Prefix=f"env/{A}/lake/")["KeyCount"] == 0

    def test_it_cannot_read_anothers_object(self, account: Account, s3: Any) -> None:
        with denied():
            s3.get_object(Bucket=account.bucket, Key=OTHERS)
        with denied():
            s3.head_object(Bucket=account.bucket, Key=OTHERS)

    def test_it_cannot_write_or_delete_anothers_object(self, account: Account, s3: Any) -> None:
        with denied():
            s3.put_object(Bucket=account.bucket, Key=OTHERS, Body=b"stolen")
        with denied():
            s3.create_multipart_upload(Bucket=account.bucket, Key=OTHERS)
        with denied():
            s3.delete_object(Bucket=account.bucket, Key=OTHERS)
        assert account.client("s3").get_object(Bucket=account.bucket, Key=OTHERS)["Body"].read() == b"x"

    @pytest.mark.parametrize("prefix", ["", "env/", f"env/{B}/", f"env/{A}"])
    def test_it_cannot_list_beyond_its_prefix(self, account: Account, s3: Any, prefix: str) -> None:
        with denied():
            s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix)

    def test_it_cannot_copy_from_another_into_its_own(self, account: Account, s3: Any) -> None:
        with denied():
            s3.copy_object(
                Bucket=account.bucket, Key=f"env/{A}/stolen", CopySource={"Bucket": account.bucket, "Key": OTHERS}
            )

    def test_a_batch_delete_with_anothers_key_deletes_nothing(self, account: Account, s3: Any) -> None:
        objects = [{"Key": OWN}, {"Key": OTHERS}]
        answer = s3.delete_objects(Bucket=account.bucket, Delete={"Objects": objects})
        assert {error["Code"] for error in answer["Errors"]} == {"AccessDenied"}
        for entry in objects:
            assert account.client("s3").head_object(Bucket=account.bucket, Key=entry["Key"])["ContentLength"] == 1

    def test_nobody_but_production_reaches_production(self, account: Account, s3: Any) -> None:
        bucket = account.document["production_bucket"]
        account.client("s3", account.user("finsight-writer")).put_object(Bucket=bucket, Key="lake/p", Body=b"p")
        reader = account.client("s3", account.user("finsight-reader"))
        assert reader.get_object(Bucket=bucket, Key="lake/p")["Body"].read() == b"p"
        with denied():
            reader.put_object(Bucket=bucket, Key="lake/p", Body=b"")
        with denied():
            reader.delete_object(Bucket=bucket, Key="lake/p")
        for client in (s3, account.client("s3")):
            with denied():
                client.get_object(Bucket=bucket, Key="lake/p")
            with denied():
                client.list_objects_v2(Bucket=bucket)


class TestParametersAndRoles:
    def test_a_role_reads_its_own_parameters_only(self, account: Account, role: Credentials) -> None:
        ssm = account.client("ssm", role)
        name = f"/testenv/{A}/connections/c"
        assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == A
        with denied():
            ssm.get_parameter(Name=f"/testenv/{B}/connections/c", WithDecryption=True)
        with denied():
            ssm.get_parameters(Names=[name, f"/testenv/{B}/connections/c"])
        with denied():
            ssm.get_parameters_by_path(Path="/testenv/", Recursive=True)
        with denied():
            ssm.put_parameter(Name=name, Value="mine", Type="String", Overwrite=True)

    def test_a_role_cannot_assume_or_change_another_or_itself(self, account: Account, role: Credentials) -> None:
        with denied():
            account.client("sts", role).assume_role(RoleArn=account.role_arn(B), RoleSessionName="thief")
        everything = policy_document({"Effect": "Allow", "Action": "*", "Resource": "*"})
        for env_id in (A, B):
            with denied():
                account.client("iam", role).put_role_policy(
                    RoleName=f"te-{env_id}", PolicyName="more", PolicyDocument=everything
                )

    def test_a_role_cannot_pass_another_to_a_job(self, account: Account, role: Credentials) -> None:
        with denied():
            account.client("emr-serverless", role).start_job_run(
                applicationId=account.application,
                executionRoleArn=account.role_arn(B),
                clientToken="t",
                jobDriver={"sparkSubmit": {"entryPoint": f"s3://{account.bucket}/{OWN}"}},
            )

    def test_a_role_that_does_not_exist_cannot_be_assumed(self, account: Account) -> None:
        with denied():
            account.session("ci-nobody")

    def test_the_control_plane_makes_no_role_outside_its_namespace(self, account: Account) -> None:
        with denied():
            account.client("iam").create_role(RoleName="admin", AssumeRolePolicyDocument="{}")

    def test_a_session_policy_takes_away(self, account: Account, role: Credentials) -> None:
        policy = policy_document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::*/{OWN}"})
        narrow = account.client("s3", account.session(A, Policy=policy))
        assert narrow.get_object(Bucket=account.bucket, Key=OWN)["Body"].read() == b"x"
        with denied():
            narrow.put_object(Bucket=account.bucket, Key=OWN, Body=b"y")

    def test_a_session_ends_with_its_role(self, account: Account) -> None:
        account.make_role("ci-iam-gone")
        session = account.session("ci-iam-gone")
        iam = account.client("iam")
        iam.delete_role_policy(RoleName="te-ci-iam-gone", PolicyName="access")
        iam.delete_role(RoleName="te-ci-iam-gone")
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            account.client("s3", session).get_object(Bucket=account.bucket, Key="env/ci-iam-gone/x")


class TestStrangers:
    @pytest.mark.parametrize("service", ["s3", "ssm", "sts"])
    def test_an_unknown_key_is_refused(self, account: Account, service: str) -> None:
        client = account.client(service, Credentials("AKIAUNKNOWNUNKNOWN12", "x"))
        calls = {"s3": "list_buckets", "ssm": "describe_parameters", "sts": "get_caller_identity"}
        with pytest.raises(ClientError, match="InvalidAccessKeyId|UnrecognizedClient|InvalidClientTokenId"):
            getattr(client, calls[service])()

    def test_a_wrong_secret_is_refused(self, account: Account) -> None:
        wrong = Credentials(account.user("testenv-control").access_key_id, "wrong")
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            account.client("s3", wrong).list_buckets()

    def test_a_token_of_another_session_is_refused(self, account: Account, role: Credentials) -> None:
        mixed = Credentials(role.access_key_id, role.secret_access_key, account.session(A).session_token)
        with pytest.raises(ClientError, match="InvalidToken"):
            account.client("s3", mixed).get_object(Bucket=account.bucket, Key=OWN)

    def test_unsigned_and_presigned_requests_are_refused(self, account: Account) -> None:
        address = f"{account.stack.env['AWS_ENDPOINT_URL']}/{account.bucket}/{OWN}"
        presigned = account.client("s3").generate_presigned_url(
            "get_object", Params={"Bucket": account.bucket, "Key": OWN}
        )
        for url in (address, presigned):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(url, timeout=5)
            assert caught.value.code == 403

    @pytest.mark.parametrize("path", ["reset", "reset-auth", "data.json", "state-manager/set-transition"])
    def test_motos_control_api_is_closed(self, account: Account, path: str) -> None:
        for method in ("GET", "POST"):
            request = urllib.request.Request(
                f"{account.stack.env['AWS_ENDPOINT_URL']}/moto-api/{path}", method=method, data=b"inf"
            )
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=5)
            assert caught.value.code == 403

    def test_everyone_may_ask_who_they_are(self, account: Account, role: Credentials) -> None:
        assert f"assumed-role/te-{A}/" in account.client("sts", role).get_caller_identity()["Arn"]


def test_bootstrap_is_harmless_to_repeat(account: Account) -> None:
    from local.aws.bootstrap import bootstrap
    from local.aws.settings import Settings

    settings = Settings.load(account.stack.home / "conf" / "aws.json")
    assert bootstrap(account.stack.env["AWS_ENDPOINT_URL"], settings) == account.document


def test_an_expired_session_is_refused() -> None:
    """In the stand-in's own environment, since AWS gives no session shorter than a test would wait for."""
    script = """
import sys
from moto.core import DEFAULT_ACCOUNT_ID as account
from moto.sts.models import sts_backends
from local.aws import principals
from local.aws.settings import AccessKey
session = sts_backends[account]["aws"].assume_role("eu-central-1", "s", f"arn:aws:iam::{account}:role/r", "", -1, "")
headers = {"X-Amz-Security-Token": session.session_token}
try:
    principals.find(AccessKey("ROOT", "x"), account, session.access_key_id, headers)
except principals.ExpiredTokenError:
    sys.exit(0)
sys.exit("an expired session was taken")
"""
    answer = subprocess.run(
        [REPO / ".venv/local/bin/python", "-c", script],
        env={"PYTHONPATH": str(REPO / "include")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
