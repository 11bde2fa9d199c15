"""The IAM role of an environment: who may assume it, and the little that it may do."""

from __future__ import annotations

import json
from typing import Any

from testenv.backends.access import Access
from testenv.backends.aws import client
from testenv.backends.waiting import wait_until
from testenv.config import Config
from testenv.core.errors import Denied
from testenv.core.naming import EnvId, Names, owner_of

POLICY = "environment"
"""Name of the role's one inline policy."""

SETTLE_SECONDS = 60
"""How long a new role may take until it can be assumed: IAM is consistent only in the end."""

_SERVICES = ["ecs-tasks.amazonaws.com", "emr-serverless.amazonaws.com"]
_RUN_JOBS = ["StartJobRun", "GetJobRun", "TagResource", "GetApplication", "StartApplication"]
"""No `ListJobRuns`, no `CancelJobRun`: environments of a kind share an application, and AWS cannot tell their jobs
apart by role. Who cannot list learns no job's id but its own. What runs is cancelled by the control plane when it
destroys the environment."""

VERDICT = "verdict/"
"""Below an environment's artifacts: what was said of it."""

_OBJECTS = ["GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts"]


class RoleKeeper:
    """Makes, finds and deletes environments' roles. Raises botocore's errors: callers translate them."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def ensure(self, names: Names, access: Access) -> None:
        """Make the role be there with exactly its policy, and wait until it can be assumed."""
        account = client("sts", self._config).get_caller_identity()["Account"]
        trust = json.dumps(trust_document(account))
        try:
            self._iam.create_role(
                RoleName=names.iam_role,
                AssumeRolePolicyDocument=trust,
                Description=f"test environment {names.env_id}",
                Tags=[{"Key": "testenv:env", "Value": names.tag}],
            )
        except self._iam.exceptions.EntityAlreadyExistsException:
            self._iam.update_assume_role_policy(RoleName=names.iam_role, PolicyDocument=trust)
        self._strip(names, keep=POLICY)
        document = policy_document(names, self._config, account)
        self._iam.put_role_policy(RoleName=names.iam_role, PolicyName=POLICY, PolicyDocument=json.dumps(document))
        wait_until(
            lambda: _can_assume(access, names), f"the role {names.iam_role} can be assumed", seconds=SETTLE_SECONDS
        )

    def observe(self, env_id: EnvId | None) -> list[str]:
        """Names of the roles that are there, of one environment or of all."""
        if env_id:
            try:
                self._iam.get_role(RoleName=Names(env_id).iam_role)
            except self._iam.exceptions.NoSuchEntityException:
                return []
            return [Names(env_id).iam_role]
        pages = self._iam.get_paginator("list_roles").paginate()
        return [role["RoleName"] for page in pages for role in page["Roles"] if owner_of(role["RoleName"])]

    def destroy(self, names: Names) -> None:
        """Make the role be gone, its policies first."""
        try:
            self._strip(names, keep="")
            self._iam.delete_role(RoleName=names.iam_role)
        except self._iam.exceptions.NoSuchEntityException:
            return

    def _strip(self, names: Names, *, keep: str) -> None:
        role = names.iam_role
        for page in self._iam.get_paginator("list_role_policies").paginate(RoleName=role):
            for name in set(page["PolicyNames"]) - {keep}:
                self._iam.delete_role_policy(RoleName=role, PolicyName=name)
        for page in self._iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
            for policy in page["AttachedPolicies"]:
                self._iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])

    @property
    def _iam(self) -> Any:
        return client("iam", self._config)


def trust_document(account: str) -> dict[str, Any]:
    """Who may assume the role: the services that run the environment's code, and the account's own users with leave."""
    principals = [{"Service": _SERVICES}, {"AWS": f"arn:aws:iam::{account}:root"}]
    return _document(*({"Effect": "Allow", "Principal": p, "Action": "sts:AssumeRole"} for p in principals))


def policy_document(names: Names, config: Config, account: str) -> dict[str, Any]:
    """All that the role may do: its own prefixes of the bucket, its own parameters, Spark jobs as itself.

    What is said of it there it may read and not write: the code under test runs by this role.
    """
    prefixes, arn = (names.prefix, names.artifacts), f"arn:aws:s3:::{config.bucket}"
    parameters = f"arn:aws:ssm:{config.region}:{account}:parameter{names.parameters}*"
    application = (
        f"arn:aws:emr-serverless:{config.region}:{account}:/applications/{config.emr_applications[names.env_id.kind]}"
    )
    own_role = f"arn:aws:iam::{account}:role/{names.iam_role}"
    return _document(
        _allow([f"s3:{action}" for action in _OBJECTS], [f"{arn}/{prefix}*" for prefix in prefixes]),
        _deny(["s3:PutObject", "s3:DeleteObject"], [f"{arn}/{names.artifacts}{VERDICT}*"]),
        _allow(["s3:ListBucket"], [arn], {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}),
        _allow(["s3:GetBucketLocation"], [arn]),
        _allow(["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"], [parameters]),
        _allow([f"emr-serverless:{action}" for action in _RUN_JOBS], [application, f"{application}/*"]),
        _allow(["iam:PassRole"], [own_role], {"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}}),
    )


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: list[str], resources: list[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def _deny(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": actions, "Resource": resources}


def _can_assume(access: Access, names: Names) -> bool:
    try:
        access.session(names)
    except Denied:
        return False
    return True
