"""The AWS stand-in after a crash, and after the stack was down: clients notice nothing but the wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import psutil
from tests.conftest import local, read_env
from tests.integration.local.test_stack import status_line, wait_for

PARTS = ("--only", "runner", "aws")


def client(service: str, env: dict[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )


def test_an_account_comes_back_with_its_keys_ids_and_objects(own_home: Path) -> None:
    up = local("up", own_home, "--free-ports", *PARTS)
    assert up.returncode == 0, up.stdout + up.stderr
    env = read_env(own_home / "stack.env")
    application, bucket = env["TESTENV_EMR_APPLICATION_CI"], env["TESTENV_BUCKET"]
    client("s3", env).put_object(Bucket=bucket, Key="env/ci-kept/x", Body=b"kept")

    def is_whole(env: dict[str, str]) -> bool:
        name = client("emr-serverless", env).get_application(applicationId=application)["application"]["name"]
        body = client("s3", env).get_object(Bucket=bucket, Key="env/ci-kept/x")["Body"].read()
        return bool((name, body) == ("testenv-ci", b"kept"))

    pid = int(status_line(own_home, "aws").split("pid ")[1].split()[0])
    psutil.Process(pid).kill()
    wait_for(lambda: "ready  pid" in (line := status_line(own_home, "aws")) and f"pid {pid} " not in line)
    assert is_whole(env)
    assert local("up", own_home, *PARTS).returncode == 0
    assert read_env(own_home / "stack.env") == env

    assert local("down", own_home).returncode == 0
    assert local("up", own_home, "--free-ports", *PARTS).returncode == 0
    later = read_env(own_home / "stack.env")
    assert is_whole(later)
    assert {name: value for name, value in later.items() if "_URL" not in name} == {
        name: value for name, value in env.items() if "_URL" not in name
    }  # ports are chosen anew
