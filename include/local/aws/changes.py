"""Which of the account's things a request may change: what has to be written down before it is answered.

A request that would change something of a kind that is not written down is refused, so that nothing is lost silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from local.aws.permissions import Call

_READS = ("Get", "List", "Describe", "Simulate")


@dataclass(frozen=True)
class Thing:
    """Something that the account holds. What names it depends on its kind; `local.aws.kinds` has them."""

    kind: str
    name: str


class NotKeptError(Exception):
    """The request would change what this stand-in does not keep; the message says so."""


def changed_by(call: Call, region: str) -> tuple[Thing, ...]:
    """What `call` may change, in a stand-in whose one region is `region`. Raises NotKeptError."""
    if call.service == "s3":
        return _s3(call)
    if call.service == "sts" or call.operation.startswith(_READS):
        return ()  # sessions are written down where they are made
    if call.service != "iam" and call.region != region:
        raise NotKeptError(f"This stand-in keeps things in {region} only, not in {call.region}.")
    match call.service:
        case "ssm":
            things = _ssm(call)
        case "iam":
            things = _iam(call)
        case "sns":
            things = _sns(call)
        case "ecs":
            things = _ecs(call)
        case "emr-serverless":
            things = _emr_serverless(call)
        case _:
            things = None
    if things is None:
        raise NotKeptError(f"This stand-in does not do {call.service}:{call.operation}: it could not keep the result.")
    return things


def _s3(call: Call) -> tuple[Thing, ...]:
    bucket, _, key = call.resource.removeprefix("arn:aws:s3:::").partition("/")
    if call.method in ("GET", "HEAD", "OPTIONS"):
        return ()
    if not key:
        if call.method != "POST":
            return (Thing("bucket", bucket),)
        if "delete" not in call.query:
            raise NotKeptError("This stand-in takes no objects by HTML forms; use PutObject.")
        keys = [element.text for element in ElementTree.fromstring(call.body).findall("{*}Object/{*}Key")]
        return tuple(Thing("object", f"{bucket}/{key}") for key in keys)
    upload = call.query.get("uploadId")
    its, uploads = Thing("object", f"{bucket}/{key}"), Thing("uploads", f"{bucket}/{key}")
    if upload and "partNumber" in call.query:
        return (Thing("part", f"{bucket}/{upload}/{call.query['partNumber']}"),)
    if upload:  # completed, or aborted: its parts go with it
        return (its, uploads, Thing("parts", f"{bucket}/{upload}/"))
    return (uploads,) if "uploads" in call.query else (its,)


def _ssm(call: Call) -> tuple[Thing, ...] | None:
    given = call.parameters
    match call.operation:
        case "PutParameter" | "DeleteParameter" | "LabelParameterVersion" | "UnlabelParameterVersion":
            names = [given.get("Name", "")]
        case "DeleteParameters":
            names = given.get("Names", [])
        case "AddTagsToResource" | "RemoveTagsFromResource" if given.get("ResourceType") == "Parameter":
            names = [given.get("ResourceId", "")]
        case _:
            return None
    return tuple(Thing("parameter", _parameter(str(name))) for name in names)


def _parameter(name: str) -> str:
    """As moto holds it: a name of one level without its slash."""
    path = name.partition(":parameter")[2] if name.startswith("arn:") else name
    level = path.removeprefix("/")
    return path if "/" in level else level


def _iam(call: Call) -> tuple[Thing, ...] | None:
    given = call.parameters
    if {"GroupName", "InstanceProfileName"} & set(given) or call.operation == "CreateServiceLinkedRole":
        return None
    names = [("role", "RoleName"), ("user", "UserName"), ("user", "NewUserName")]
    return tuple(Thing(kind, str(given[key])) for kind, key in names if key in given) or None


def _sns(call: Call) -> tuple[Thing, ...] | None:
    given = call.parameters
    if call.operation.startswith("Publish"):
        return ()
    if call.operation == "CreateTopic":
        return (Thing("topic", call.arn("sns", str(given.get("Name", "")))),)
    arn = given.get("TopicArn") or given.get("ResourceArn") or str(given.get("SubscriptionArn", "")).rpartition(":")[0]
    return (Thing("topic", str(arn)),) if arn else None


def _ecs(call: Call) -> tuple[Thing, ...] | None:
    given = call.parameters
    match call.operation:
        case "RunTask" | "StopTask":
            return ()  # written down where they are done, and when a task ends
        case "CreateCluster":
            return (Thing("cluster", str(given.get("clusterName", "default"))),)
        case "UpdateCluster" | "DeleteCluster" | "UpdateClusterSettings" | "PutClusterCapacityProviders":
            return (Thing("cluster", _last(given.get("cluster", "default"))),)
        case "RegisterTaskDefinition":
            return (Thing("task-definition", str(given.get("family", ""))),)
        case "DeregisterTaskDefinition":
            return (Thing("task-definition", _last(given.get("taskDefinition", "")).split(":")[0]),)
        case "TagResource" | "UntagResource":
            return _tagged(str(given.get("resourceArn", "")))
        case _:
            return None


def _tagged(arn: str) -> tuple[Thing, ...] | None:
    kind = arn.split(":")[5].split("/")[0] if arn.count(":") >= 5 else ""
    match kind:
        case "task":
            return (Thing("task", _last(arn)),)
        case "cluster":
            return (Thing("cluster", _last(arn)),)
        case "task-definition":
            return (Thing("task-definition", _last(arn).split(":")[0]),)
        case _:
            return None


def _emr_serverless(call: Call) -> tuple[Thing, ...] | None:
    words = unquote(call.path).strip("/").split("/")
    match call.operation:
        case "CreateApplication" | "StartJobRun" | "CancelJobRun":
            return ()  # written down where they are done
        case "UpdateApplication" | "DeleteApplication" | "StartApplication" | "StopApplication" if len(words) > 1:
            return (Thing("application", words[1]),)
        case _:
            return None


def _last(arn: Any) -> str:
    return str(arn).split("/")[-1]
