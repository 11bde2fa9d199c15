"""Which permissions a request needs: its action on each resource it names, as AWS's service authorization reference
has them.

moto asks for `*` instead of the resource in all services but S3, ignores `s3:prefix`, does not ask for the source of a
copy nor for the keys of a batch delete, and never asks for `iam:PassRole`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from local.aws.policy import Permission


@dataclass(frozen=True)
class Call:
    """A signed request, taken apart. `resource` is moto's own finding, right for S3 alone; `path` has no query
    string.
    """

    service: str
    operation: str
    resource: str
    account: str
    region: str
    method: str = "POST"
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        return f"arn:aws:{service}:{self.region if region is None else region}:{self.account}:{resource}"


def required(call: Call) -> list[Permission]:
    """All permissions that `call` needs; every one must be granted."""
    match call.service:
        case "s3":
            return _s3(call)
        case "ssm":
            return _each(call, _parameter_arns(call))
        case "iam":
            return _each(call, [_iam_arn(call)])
        case "sts":
            return _each(call, [call.parameters.get("RoleArn", "*")])
        case "sns":
            return _each(call, [_topic_arn(call)])
        case "ecs":
            return _ecs(call)
        case "emr-serverless":
            return _emr_serverless(call)
        case _:
            return _each(call, ["*"])


def _each(call: Call, resources: list[str], context: Mapping[str, str] | None = None) -> list[Permission]:
    return [Permission(f"{call.service}:{call.operation}", resource, context or {}) for resource in resources]


def _pass_role(role_arn: str, service: str) -> Permission:
    return Permission("iam:PassRole", role_arn, {"iam:PassedToService": service})


def _s3(call: Call) -> list[Permission]:
    if call.method == "POST" and "delete" in call.query:
        keys = ElementTree.fromstring(call.body).findall("{*}Object/{*}Key")
        return _each(call, [f"{call.resource}/{key.text}" for key in keys])
    operation = "ListBucket" if call.operation == "HeadBucket" else call.operation
    context = {}
    if operation in ("ListBucket", "ListBucketVersions"):
        context = {f"s3:{key}": call.query.get(key, "") for key in ("prefix", "delimiter")}
    needs = [Permission(f"s3:{operation}", call.resource, context)]
    source = {key.lower(): value for key, value in call.headers.items()}.get("x-amz-copy-source")
    if source:
        key = unquote(source.split("?versionId=")[0]).removeprefix("/")
        needs.append(Permission("s3:GetObject", f"arn:aws:s3:::{key}"))
    return needs


def _parameter_arns(call: Call) -> list[str]:
    """The SSM parameters a call names; `*` for calls that name none, such as DescribeParameters."""
    given = call.parameters
    names = given.get("Names") or [n for n in (given.get("Name"), given.get("Path")) if n]
    if call.operation in ("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"):
        names = [given.get("ResourceId", "")]
    if call.operation in ("GetParameter", "GetParameters"):
        names = [name if name.startswith("arn:") else name.split(":")[0] for name in names]
    return [n if n.startswith("arn:") else call.arn("ssm", f"parameter/{n.removeprefix('/')}") for n in names] or ["*"]


def _iam_arn(call: Call) -> str:
    given = call.parameters
    if "PolicyArn" in given and not {"RoleName", "UserName", "GroupName"} & set(given):
        return str(given["PolicyArn"])
    path = given.get("Path", "/")
    for key, kind in (("RoleName", "role"), ("UserName", "user"), ("GroupName", "group"), ("PolicyName", "policy")):
        if key in given:
            return call.arn("iam", f"{kind}{path}{given[key]}", region="")
    return "*"


def _topic_arn(call: Call) -> str:
    given = call.parameters
    named = given.get("TopicArn") or given.get("TargetArn") or given.get("ResourceArn") or given.get("SubscriptionArn")
    if call.operation == "CreateTopic":
        named = call.arn("sns", given.get("Name", ""))
    return named or "*"


def _ecs(call: Call) -> list[Permission]:
    given = call.parameters
    name = str(given.get("cluster", "default")).split("/")[-1]
    cluster = call.arn("ecs", f"cluster/{name}")
    context = {"ecs:cluster": cluster}
    match call.operation:
        case "RunTask":
            definition = str(given.get("taskDefinition", ""))
            if not definition.startswith("arn:"):
                revision = "" if ":" in definition else ":latest"
                definition = call.arn("ecs", f"task-definition/{definition}{revision}")
            overrides = given.get("overrides") or {}
            roles = [overrides[key] for key in ("taskRoleArn", "executionRoleArn") if overrides.get(key)]
            return [*_each(call, [definition], context), *(_pass_role(r, "ecs-tasks.amazonaws.com") for r in roles)]
        case "StopTask" | "DescribeTasks":
            tasks = given.get("tasks") or [given.get("task", "")]
            arns = [t if t.startswith("arn:") else call.arn("ecs", f"task/{name}/{t}") for t in tasks]
            return _each(call, arns, context)
        case "ListTasks":
            return _each(call, [call.arn("ecs", f"container-instance/{name}/*")], context)
        case "DescribeClusters":
            names = given.get("clusters", ["default"])
            return _each(call, [call.arn("ecs", f"cluster/{str(n).split('/')[-1]}") for n in names])
        case "CreateCluster" | "DeleteCluster" | "UpdateCluster":
            chosen = given.get("clusterName") or given.get("cluster", "default")
            return _each(call, [call.arn("ecs", f"cluster/{str(chosen).split('/')[-1]}")])
        case "TagResource" | "UntagResource" | "ListTagsForResource":
            return _each(call, [given.get("resourceArn", "*")])
        case _:
            return _each(call, ["*"])


def _emr_serverless(call: Call) -> list[Permission]:
    """`/applications/APP[/jobruns/JOB]` is the resource; starting a job also passes its execution role."""
    if call.operation in ("CreateApplication", "ListApplications"):
        return _each(call, ["*"])
    if call.path.startswith("/tags/"):
        return _each(call, [unquote(call.path.removeprefix("/tags/"))])
    resource = "/" + "/".join(call.path.strip("/").split("/")[: 4 if "/jobruns/" in call.path else 2])
    needs = _each(call, [call.arn("emr-serverless", resource)])
    if call.operation == "StartJobRun":
        needs.append(_pass_role(str(call.parameters.get("executionRoleArn", "")), "emr-serverless.amazonaws.com"))
    return needs
