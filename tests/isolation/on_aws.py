"""Attempts on S3, SSM, IAM, STS and EMR Serverless, with a session of an environment's role."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from tests.isolation.attempts import Attempts
from tests.isolation.parties import Login, Target

ATTEMPTS = Attempts("aws")
DENIED = ("AccessDenied", "AccessDeniedException")


@ATTEMPTS(*DENIED)
def get_an_object(as_: Login, on: Target) -> None:
    as_.aws("s3").get_object(Bucket=on.bucket, Key=on.key)


@ATTEMPTS("403")  # an answer to HEAD has no body that could say more
def head_an_object(as_: Login, on: Target) -> None:
    as_.aws("s3").head_object(Bucket=on.bucket, Key=on.key)


@ATTEMPTS(*DENIED)
def get_an_artifact(as_: Login, on: Target) -> None:
    as_.aws("s3").get_object(Bucket=on.bucket, Key=on.artifacts + "canary")


@ATTEMPTS(*DENIED)
def put_an_object(as_: Login, on: Target) -> None:
    as_.aws("s3").put_object(Bucket=on.bucket, Key=f"{on.prefix}put{secrets.token_hex(4)}", Body=b"x")


@ATTEMPTS(*DENIED)
def put_an_artifact(as_: Login, on: Target) -> None:
    as_.aws("s3").put_object(Bucket=on.bucket, Key=f"{on.artifacts}put{secrets.token_hex(4)}", Body=b"x")


@ATTEMPTS(*DENIED)
def overwrite_an_object(as_: Login, on: Target) -> None:
    as_.aws("s3").put_object(Bucket=on.bucket, Key=on.prefix + "overwritten", Body=secrets.token_bytes(8))


@ATTEMPTS(*DENIED)
def delete_an_object(as_: Login, on: Target) -> None:
    as_.aws("s3").delete_object(Bucket=on.bucket, Key=on.prefix + "victim")


@ATTEMPTS(*DENIED)
def delete_objects_at_once(as_: Login, on: Target) -> None:
    """S3 answers such a request key by key, with success."""
    keys = {"Objects": [{"Key": on.prefix + "victim"}]}
    for error in as_.aws("s3").delete_objects(Bucket=on.bucket, Delete=keys).get("Errors", []):
        raise ClientError({"Error": error}, "DeleteObjects")


@ATTEMPTS(*DENIED)
def list_objects(as_: Login, on: Target) -> None:
    as_.aws("s3").list_objects_v2(Bucket=on.bucket, Prefix=on.prefix)


@ATTEMPTS(*DENIED)
def copy_from_it(as_: Login, on: Target) -> None:
    own = f"env/{as_.kafka_user.removeprefix('te-')}/lake/copied"
    source = {"Bucket": on.bucket, "Key": on.key}
    as_.aws("s3").copy_object(Bucket=as_.stack.env["TESTENV_BUCKET"], Key=own, CopySource=source)


@ATTEMPTS(*DENIED)
def copy_into_it(as_: Login, on: Target) -> None:
    source = {"Bucket": as_.stack.env["TESTENV_BUCKET"], "Key": f"env/{as_.kafka_user.removeprefix('te-')}/lake/canary"}
    as_.aws("s3").copy_object(Bucket=on.bucket, Key=f"{on.prefix}copied{secrets.token_hex(4)}", CopySource=source)


@ATTEMPTS(*DENIED)
def begin_an_upload_in_parts(as_: Login, on: Target) -> None:
    s3, key = as_.aws("s3"), f"{on.prefix}parts{secrets.token_hex(4)}"
    upload = s3.create_multipart_upload(Bucket=on.bucket, Key=key)["UploadId"]
    s3.abort_multipart_upload(Bucket=on.bucket, Key=key, UploadId=upload)


@ATTEMPTS(*DENIED)
def read_a_secret(as_: Login, on: Target) -> None:
    as_.aws("ssm").get_parameter(Name=f"{on.parameters}connections/finsight_postgres", WithDecryption=True)


@ATTEMPTS(*DENIED)
def read_secrets_by_name(as_: Login, on: Target) -> None:
    as_.aws("ssm").get_parameters(Names=[f"{on.parameters}credentials/postgres"], WithDecryption=True)


@ATTEMPTS(*DENIED)
def read_secrets_by_path(as_: Login, on: Target) -> None:
    as_.aws("ssm").get_parameters_by_path(Path=on.parameters + "connections", Recursive=True, WithDecryption=True)


@ATTEMPTS(*DENIED)
def read_the_airflows_settings(as_: Login, on: Target) -> None:
    as_.aws("ssm").get_parameter(Name=f"{on.parameters}orchestrator", WithDecryption=True)


@ATTEMPTS(*DENIED)
def start_a_spark_job_as_its_role(as_: Login, on: Target) -> None:
    """The job is cancelled by the control plane at once; that it was taken is what counts."""
    emr, application = as_.aws("emr-serverless"), as_.stack.env["TESTENV_EMR_APPLICATION_SANDBOX"]
    emr.start_job_run(
        applicationId=application,
        executionRoleArn=on.iam_role,
        clientToken=secrets.token_hex(8),
        jobDriver={"sparkSubmit": {"entryPoint": f"s3://{on.bucket}/{on.key}"}},
    )


Call = Callable[[Callable[[str], Any], Target, dict[str, str]], Any]

_EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}}
)


def _role(on: Target) -> str:
    return on.iam_role.rsplit("/", 1)[1]


NEVER: list[tuple[str, Call]] = [
    ("list buckets", lambda aws, on, _: aws("s3").list_buckets()),
    ("list the bucket", lambda aws, on, _: aws("s3").list_objects_v2(Bucket=on.bucket)),
    ("list env/", lambda aws, on, _: aws("s3").list_objects_v2(Bucket=on.bucket, Prefix="env/")),
    (
        "list by the beginning of its id",
        lambda aws, on, _: aws("s3").list_objects_v2(Bucket=on.bucket, Prefix=on.prefix.split("/lake")[0]),
    ),
    ("list versions", lambda aws, on, _: aws("s3").list_object_versions(Bucket=on.bucket, Prefix=on.prefix)),
    ("list uploads", lambda aws, on, _: aws("s3").list_multipart_uploads(Bucket=on.bucket, Prefix=on.prefix)),
    ("read the bucket's policy", lambda aws, on, _: aws("s3").get_bucket_policy(Bucket=on.bucket)),
    ("set the bucket's policy", lambda aws, on, _: aws("s3").put_bucket_policy(Bucket=on.bucket, Policy=_EVERYTHING)),
    ("set the bucket's ACL", lambda aws, on, _: aws("s3").put_bucket_acl(Bucket=on.bucket, ACL="public-read")),
    (
        "set an object's ACL",
        lambda aws, on, _: aws("s3").put_object_acl(Bucket=on.bucket, Key=on.key, ACL="public-read"),
    ),
    ("delete the bucket", lambda aws, on, _: aws("s3").delete_bucket(Bucket=on.bucket)),
    (
        "change a dataset",
        lambda aws, on, given: aws("s3").put_object(Bucket=given["bucket"], Key="datasets/current", Body=b"x"),
    ),
    ("read a dataset", lambda aws, on, given: aws("s3").get_object(Bucket=given["bucket"], Key="datasets/current")),
    (
        "set a secret",
        lambda aws, on, _: aws("ssm").put_parameter(
            Name=f"{on.parameters}variables/topic_prefix", Value="x", Type="String", Overwrite=True
        ),
    ),
    ("delete a secret", lambda aws, on, _: aws("ssm").delete_parameter(Name=f"{on.parameters}orchestrator")),
    ("list all secrets", lambda aws, on, _: aws("ssm").describe_parameters()),
    ("read all secrets", lambda aws, on, _: aws("ssm").get_parameters_by_path(Path="/testenv", Recursive=True)),
    ("assume its role", lambda aws, on, _: aws("sts").assume_role(RoleArn=on.iam_role, RoleSessionName="thief")),
    (
        "change its role's policy",
        lambda aws, on, _: aws("iam").put_role_policy(RoleName=_role(on), PolicyName="x", PolicyDocument=_EVERYTHING),
    ),
    (
        "change its role's trust",
        lambda aws, on, _: aws("iam").update_assume_role_policy(RoleName=_role(on), PolicyDocument=_EVERYTHING),
    ),
    ("delete its role", lambda aws, on, _: aws("iam").delete_role(RoleName=_role(on))),
    ("create a user", lambda aws, on, _: aws("iam").create_user(UserName="isolation-made")),
    ("make an access key", lambda aws, on, _: aws("iam").create_access_key(UserName="testenv-control")),
    ("list roles", lambda aws, on, _: aws("iam").list_roles()),
    (
        "start its orchestrator",
        lambda aws, on, given: aws("ecs").run_task(
            cluster=given["cluster"], taskDefinition=given["task_definition"], overrides={"taskRoleArn": on.iam_role}
        ),
    ),
    (
        "stop its orchestrator",
        lambda aws, on, given: aws("ecs").stop_task(cluster=given["cluster"], task=given["task"]),
    ),
    (
        "see its orchestrator",
        lambda aws, on, given: aws("ecs").describe_tasks(cluster=given["cluster"], tasks=[given["task"]]),
    ),
    ("list orchestrators", lambda aws, on, given: aws("ecs").list_tasks(cluster=given["cluster"])),
    (
        "cancel its Spark job",
        lambda aws, on, given: aws("emr-serverless").cancel_job_run(
            applicationId=given["application"], jobRunId=given["job"]
        ),
    ),
    ("list Spark jobs", lambda aws, on, given: aws("emr-serverless").list_job_runs(applicationId=given["application"])),
    (
        "make an EMR application",
        lambda aws, on, _: aws("emr-serverless").create_application(
            name="isolation-made", releaseLabel="emr-7.10.0", type="SPARK"
        ),
    ),
    (
        "delete the EMR application",
        lambda aws, on, given: aws("emr-serverless").delete_application(applicationId=given["application"]),
    ),
]
"""Calls that no environment may make, whomever they concern."""
