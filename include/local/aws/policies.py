"""The IAM policies of the account's fixed users and of production's role: who may do what, and nothing more.

Environments' roles (`te-…`) are not here: the control plane makes them. Such a role must trust `ecs-
tasks.amazonaws.com` and `emr-serverless.amazonaws.com`, and may start EMR jobs as itself only with `iam:PassRole` on
itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BUCKET = "testenv-environments"
PRODUCTION_BUCKET = "finsight-production"

Document = dict[str, Any]


@dataclass(frozen=True)
class Role:
    """A role: who may assume it, and what it may do."""

    name: str
    trust: Document
    policy: Document


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: list[str], *resources: str, **condition: Document) -> Document:
    statement: Document = {"Effect": "Allow", "Action": actions, "Resource": list(resources)}
    return statement | ({"Condition": condition} if condition else {})


def _objects(bucket: str, *prefixes: str) -> list[str]:
    return [f"arn:aws:s3:::{bucket}/{prefix}" for prefix in prefixes]


def _listing(bucket: str, *prefixes: str) -> Document:
    wanted = {"StringLike": {"s3:prefix": list(prefixes)}} if prefixes else {}
    return _allow(["s3:ListBucket", "s3:GetBucketLocation"], f"arn:aws:s3:::{bucket}", **wanted)


def _control(account: str, region: str) -> Document:
    """The control plane: its bucket, its parameters, its roles; production's bucket not at all."""
    roles = f"arn:aws:iam::{account}:role/te-*"
    return _document(
        _allow(["s3:*"], f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"),
        _allow(["iam:*", "sts:AssumeRole"], roles),
        _allow(["iam:ListRoles"], "*"),
        _allow(
            ["ssm:*"],
            f"arn:aws:ssm:{region}:{account}:parameter/testenv",
            f"arn:aws:ssm:{region}:{account}:parameter/testenv/*",
        ),
        _allow(["ssm:DescribeParameters"], "*"),
        _allow(["ecs:*", "emr-serverless:*", "ec2:Describe*"], "*"),
        _allow(["sns:*"], f"arn:aws:sns:{region}:{account}:testenv-*"),
        _allow(["sns:ListTopics", "sns:ListSubscriptions"], "*"),
    )


def users(account: str, region: str) -> dict[str, Document]:
    """User name → policy."""
    production = _objects(PRODUCTION_BUCKET, "*")
    stage = ["env/*/lake/*", "datasets/*"]
    return {
        "testenv-control": _control(account, region),
        "finsight-writer": _document(
            _allow(["s3:*"], f"arn:aws:s3:::{PRODUCTION_BUCKET}", *production),
            _allow(["emr-serverless:*"], "*"),
            _allow(["iam:PassRole"], f"arn:aws:iam::{account}:role/finsight-*"),
        ),
        "finsight-reader": _document(_listing(PRODUCTION_BUCKET), _allow(["s3:GetObject"], *production)),
        "snowflake-storage": _document(
            _listing(BUCKET, *stage),
            _allow(["s3:GetObject", "s3:GetObjectVersion"], *_objects(BUCKET, *stage)),
            _listing(PRODUCTION_BUCKET, "lake/*"),
            _allow(["s3:GetObject", "s3:GetObjectVersion"], *_objects(PRODUCTION_BUCKET, "lake/*")),
        ),
    }


def production_role(account: str, region: str) -> Role:
    """What production's Spark jobs run as."""
    services = {"Service": ["emr-serverless.amazonaws.com", "ecs-tasks.amazonaws.com"]}
    return Role(
        name="finsight-spark",
        trust=_document({"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"}),
        policy=_document(
            _listing(PRODUCTION_BUCKET),
            _allow(
                ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                *_objects(PRODUCTION_BUCKET, "*"),
            ),
            _allow(["ssm:GetParameter"], f"arn:aws:ssm:{region}:{account}:parameter/finsight/*"),
        ),
    )
