"""Sessions of a role for a service that acts as it: what ECS and EMR Serverless do with the role they are passed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local.aws.policy import Permission, trusts


class RoleRefusedError(Exception):
    """The role does not exist or does not trust the service; the message says which."""


@dataclass(frozen=True)
class Session:
    """Temporary credentials of a role, and where the APIs are."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    region: str
    endpoint: str

    def environment(self) -> dict[str, str]:
        """The environment variables that every AWS SDK reads."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def s3(self) -> BaseClient:
        """An S3 client that may do what the role may do."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
        )


def check(role_arn: str, service: str) -> None:
    """Raises RoleRefusedError unless `role_arn` exists and trusts `service` (such as `ecs-tasks.amazonaws.com`)."""
    try:
        role = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].get_role_by_arn(role_arn)
    except NotFoundException as error:
        raise RoleRefusedError(f"role {role_arn} does not exist; create it before it is passed") from error
    document = json.loads(role.assume_role_policy_document)
    if not trusts(document, frozenset({service}), Permission("sts:AssumeRole")):
        raise RoleRefusedError(
            f"role {role_arn} does not trust {service}; allow sts:AssumeRole to that service in its trust policy"
        )


def assume(role_arn: str, service: str, session_name: str, *, seconds: int, region: str, endpoint: str) -> Session:
    """A session of `role_arn` for `service`, `seconds` long (AWS renews a task's; here it is made long enough at
    once).
    """
    check(role_arn, service)
    minted = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=seconds,
        external_id="",
    )
    return Session(minted.access_key_id, minted.secret_access_key, minted.session_token, region, endpoint)
