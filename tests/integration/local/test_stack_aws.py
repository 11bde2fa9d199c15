"""The AWS stand-in after a crash: moto forgets everything, and clients must not notice more than lost data."""

from __future__ import annotations

from pathlib import Path

import boto3
import psutil
from tests.conftest import local, read_env
from tests.integration.local.test_stack import status_line, wait_for


def test_a_killed_account_comes_back_with_the_same_keys_and_ids(own_home: Path) -> None:
    up = local("up", own_home, "--free-ports", "--only", "runner", "aws")
    assert up.returncode == 0, up.stdout + up.stderr
    env = read_env(own_home / "stack.env")
    client = boto3.client(
        "emr-serverless",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    before = client.get_application(applicationId=env["TESTENV_EMR_APPLICATION_CI"])["application"]["name"]
    pid = int(status_line(own_home, "aws").split("pid ")[1].split()[0])
    psutil.Process(pid).kill()
    wait_for(lambda: "ready  pid" in (line := status_line(own_home, "aws")) and f"pid {pid} " not in line)
    after = client.get_application(applicationId=env["TESTENV_EMR_APPLICATION_CI"])["application"]["name"]
    assert before == after == "testenv-ci"
    assert local("up", own_home, "--only", "runner", "aws").returncode == 0
    assert read_env(own_home / "stack.env") == env
