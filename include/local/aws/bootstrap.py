"""Creates what an AWS account would hold before the first environment: buckets, users, cluster, applications.

    .venv/local/bin/python -m local.aws.bootstrap --endpoint URL --settings FILE --out FILE2

Harmless to repeat. The server itself does the same when it starts, so that what the code and the settings say now is in
force. FILE2 (mode 0600) is JSON:

    {"region", "account", "bucket": "testenv-environments", "production_bucket": "finsight-production",
     "users": {"testenv-control" | "finsight-writer" | "finsight-reader" | "snowflake-storage":
               {"access_key_id", "secret_access_key"}},
     "alerts_topic": ARN, "cluster": "testenv", "task_definition": "testenv-orchestrator", "subnets": [ID, …],
     "applications": {"ci" | "sandbox" | "integration" | "production": ID},
     "production_role": ARN}
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from local.aws import policies
from local.aws.settings import AccessKey, Settings
from local.aws.stable_ids import user_key
from local.home import write_private

CLUSTER = "testenv"
ALERTS = "testenv-alerts"
TASK_DEFINITION = "testenv-orchestrator"
RELEASE = "emr-7.10.0"  # Spark 3.5
# vCPUs; a job takes two, so half of it is how many run at once on this machine.
APPLICATIONS = {"ci": ("testenv-ci", 4), "sandbox": ("testenv-sandbox", 4), "integration": ("testenv-integration", 4)}
PRODUCTION_APPLICATION = ("finsight", 4)

Client = Callable[[str], Any]


def fingerprint(settings: Settings) -> bytes:
    """Other bytes, if `bootstrap` would make something else: being another program, or with other settings."""
    programs = [Path(file).read_bytes() for file in (__file__, policies.__file__)]
    given = (settings.region, settings.account_root, settings.account_root.secret_access_key, settings.task_environment)
    return hashlib.sha256(b"\0".join([*programs, repr(given).encode()])).digest()


def bootstrap(endpoint: str, settings: Settings) -> dict[str, Any]:
    """Create what is missing and return the document that FILE2 holds."""
    root = settings.account_root
    client: Client = partial(
        boto3.client,
        endpoint_url=endpoint,
        region_name=settings.region,
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=root.secret_access_key,
    )
    account = client("sts").get_caller_identity()["Account"]
    for bucket in (policies.BUCKET, policies.PRODUCTION_BUCKET):
        _bucket(client("s3"), bucket, settings.region)
    users = policies.users(account, settings.region)
    iam = client("iam")
    role = policies.production_role(account, settings.region)
    ecs = client("ecs")
    ecs.create_cluster(clusterName=CLUSTER, capacityProviders=["FARGATE"])
    _task_definition(ecs, settings.task_environment)
    emr = client("emr-serverless")
    wanted = {**APPLICATIONS, "production": PRODUCTION_APPLICATION}
    return {
        "region": settings.region,
        "account": account,
        "bucket": policies.BUCKET,
        "production_bucket": policies.PRODUCTION_BUCKET,
        "users": {name: _user(iam, root, name, document) for name, document in users.items()},
        "alerts_topic": client("sns").create_topic(Name=ALERTS)["TopicArn"],
        "cluster": CLUSTER,
        "task_definition": TASK_DEFINITION,
        "subnets": _subnets(client("ec2")),
        "applications": {key: _application(emr, *application) for key, application in wanted.items()},
        "production_role": _role(iam, role),
    }


def _bucket(s3: Any, name: str, region: str) -> None:
    if name in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        return
    elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **elsewhere)


def _user(iam: Any, root: AccessKey, name: str, document: dict[str, Any]) -> dict[str, str]:
    if name not in {user["UserName"] for user in iam.list_users()["Users"]}:
        iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="access", PolicyDocument=json.dumps(document))
    expected = user_key(root.secret_access_key, name)
    held = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    key_id = held[0]["AccessKeyId"] if held else iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    if key_id != expected.access_key_id:
        raise RuntimeError(
            f"user {name} has the access key {key_id}, not the one derived from this root secret: "
            "the stack's secrets are not those its data was made with; begin anew (docs/runbook.md)"
        )
    return {"access_key_id": expected.access_key_id, "secret_access_key": expected.secret_access_key}


def _role(iam: Any, role: policies.Role) -> str:
    if role.name not in {each["RoleName"] for each in iam.list_roles()["Roles"]}:
        iam.create_role(RoleName=role.name, AssumeRolePolicyDocument=json.dumps(role.trust))
    iam.put_role_policy(RoleName=role.name, PolicyName="access", PolicyDocument=json.dumps(role.policy))
    return str(iam.get_role(RoleName=role.name)["Role"]["Arn"])


def _task_definition(ecs: Any, environment: dict[str, str]) -> None:
    container = {
        "name": "orchestrator",
        "image": "testenv",
        "essential": True,
        "cpu": 1024,
        "memory": 2048,
        "entryPoint": ["python", "-m", "testenv_airflow.orchestrator"],
        "environment": [{"name": name, "value": value} for name, value in sorted(environment.items())],
        "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
    }
    held = ecs.list_task_definitions(familyPrefix=TASK_DEFINITION)["taskDefinitionArns"]
    if held:
        current = ecs.describe_task_definition(taskDefinition=TASK_DEFINITION)["taskDefinition"][
            "containerDefinitions"
        ][0]
        if current.get("environment", []) == container["environment"]:
            return
    ecs.register_task_definition(
        family=TASK_DEFINITION,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="1024",
        memory="2048",
        containerDefinitions=[container],
    )


def _subnets(ec2: Any) -> list[str]:
    found = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return sorted(subnet["SubnetId"] for subnet in found)


def _application(emr: Any, name: str, cpus: int) -> str:
    for application in emr.list_applications()["applications"]:
        if application["name"] == name:
            return str(application["id"])
    created = emr.create_application(
        name=name,
        releaseLabel=RELEASE,
        type="SPARK",
        maximumCapacity={"cpu": f"{cpus} vCPU", "memory": f"{4 * cpus} GB"},
    )
    return str(created["applicationId"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--settings", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    document = bootstrap(arguments.endpoint, Settings.load(arguments.settings))
    write_private(arguments.out, json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
