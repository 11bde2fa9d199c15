"""EMR Serverless on the running stand-in: jobs that run, as their role, within their application's capacity."""

from __future__ import annotations

import gzip
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from tests.conftest import REPO
from tests.integration.local.aws.support import Account, until

A, B = "ci-emr-a", "ci-emr-b"
OVER = ("SUCCESS", "FAILED", "CANCELLED")

TRANSFORM = b"""
import os, sys
import boto3
from pyspark.sql import SparkSession, functions as F
from helper import double

source, target = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
rows = spark.read.json(source).withColumn("twice", F.col("n") * double(1)).withColumn("mode", F.lit(os.environ["MODE"]))
rows.write.mode("overwrite").parquet(target)
print("wrote", spark.read.parquet(target).agg(F.sum("twice")).first()[0], rows.first()["mode"])
print("as", boto3.client("sts").get_caller_identity()["Arn"])
"""

# No Spark in it: what is tested is how a job is started and ended, and a JVM for each would be most of the time.
SLEEP = b"import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"


LEAVES = b"""
import sys
from pyspark.sql import SparkSession

builder = SparkSession.builder
spark = (builder.enableHiveSupport() if sys.argv[1] == "hive" else builder).getOrCreate()
system = spark._jvm.java.lang.System
found = [spark.conf.get("spark.left", None), system.getProperty("spark.left"), spark.catalog.tableExists("left")]
found += [spark.conf.get("spark.sql.shuffle.partitions"), spark.sparkContext.appName]
print(spark._jvm.java.lang.ProcessHandle.current().pid(), *found)
spark.conf.set("spark.left", "1")
spark.conf.set("spark.sql.shuffle.partitions", "7")
system.setProperty("spark.left", "1")
spark.range(1).createOrReplaceTempView("left")
sys.exit("no" if sys.argv[1] == "no" else 0)
"""


@pytest.fixture(scope="module")
def role(account: Account) -> str:
    account.make_role(B)
    s3 = account.client("s3")
    files = {
        "landing/in.json": b'{"n": 1}\n{"n": 2}\n',
        "code/transform.py": TRANSFORM,
        "code/helper.py": b"def double(n):\n    return 2 * n\n",
        "code/sleep.py": SLEEP,
        "code/leaves.py": LEAVES,
    }
    for env_id in (A, B):
        for name, content in files.items():
            s3.put_object(Bucket=account.bucket, Key=f"env/{env_id}/{name}", Body=content)
    return account.make_role(A)


def start(account: Account, role: str, script: str, *arguments: str, parameters: str = "", **more: Any) -> str:
    base = f"s3://{account.bucket}/env/{more.pop('code_of', A)}/code"
    answer = account.client("emr-serverless").start_job_run(
        applicationId=account.application,
        executionRoleArn=role,
        clientToken=more.pop("token", uuid.uuid4().hex),
        jobDriver={
            "sparkSubmit": {
                "entryPoint": f"{base}/{script}",
                "entryPointArguments": list(arguments),
                "sparkSubmitParameters": f"--py-files {base}/helper.py {parameters}",
            }
        },
        configurationOverrides={
            "monitoringConfiguration": {
                "s3MonitoringConfiguration": {
                    "logUri": f"s3://{account.bucket}/artifacts/{role.partition('/te-')[2]}/emr"
                }
            }
        },
        tags={"testenv:env": A},
        **more,
    )
    return str(answer["jobRunId"])


def job(account: Account, job_id: str) -> dict[str, Any]:
    emr = account.client("emr-serverless")
    return dict(emr.get_job_run(applicationId=account.application, jobRunId=job_id)["jobRun"])


def wait(account: Account, job_id: str, *states: str, seconds: float = 90) -> dict[str, Any]:
    return until(lambda: run if (run := job(account, job_id))["state"] in states else None, seconds)


@contextmanager
def cancelled(account: Account, *job_ids: str) -> Iterator[None]:
    """Leave no job behind."""
    try:
        yield
    finally:
        for job_id in job_ids:
            if job(account, job_id)["state"] not in OVER:
                account.client("emr-serverless").cancel_job_run(applicationId=account.application, jobRunId=job_id)
                wait(account, job_id, *OVER)


def drivers(job_id: str) -> list[psutil.Process]:
    """Processes of a job: its folder is in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(job_id in word for word in process.info["cmdline"] or []):
            found.append(process)
    return found


def log(account: Account, job_id: str, stream: str, env_id: str = A) -> str:
    key = f"artifacts/{env_id}/emr/applications/{account.application}/jobs/{job_id}/SPARK_DRIVER/{stream}.gz"
    return gzip.decompress(account.client("s3").get_object(Bucket=account.bucket, Key=key)["Body"].read()).decode()


class TestJobs:
    def test_a_job_reads_and_writes_s3_as_its_role(self, account: Account, role: str) -> None:
        base = f"s3://{account.bucket}/env/{A}"
        mode = "--conf spark.emr-serverless.driverEnv.MODE=fast --conf spark.executor.memory=8g"
        job_id = start(account, role, "transform.py", f"{base}/landing/in.json", f"{base}/lake/out", parameters=mode)
        run = wait(account, job_id, *OVER)
        assert run["state"] == "SUCCESS", run["stateDetails"]
        output = log(account, job_id, "stdout")
        assert "wrote 6 fast" in output
        assert f"assumed-role/te-{A}/" in output
        assert run["tags"] == {"testenv:env": A}
        assert run["billedResourceUtilization"]["vCPUHour"] > 0
        stored = account.client("s3").list_objects_v2(Bucket=account.bucket, Prefix=f"env/{A}/lake/out/")
        assert any(entry["Key"].endswith(".parquet") for entry in stored["Contents"])

    def test_a_job_cannot_read_beyond_its_prefix(self, account: Account, role: str) -> None:
        source, target = (f"s3://{account.bucket}/env/{env_id}/landing/in.json" for env_id in (B, A))
        run = wait(account, start(account, role, "transform.py", source, f"{target}.out"), *OVER)
        assert run["state"] == "FAILED"
        assert "AccessDenied" in run["stateDetails"]
        assert f"env/{B}/landing/in.json" in run["stateDetails"]

    def test_a_jvm_serves_the_jobs_of_one_role_and_keeps_nothing_and_none_after_one_that_failed_or_used_hive(
        self, account: Account, role: str
    ) -> None:
        def ran(env_id: str, how: str = "") -> list[str]:
            """The process id of its JVM, and what a job finds there."""
            job_id = start(account, account.role_arn(env_id), "leaves.py", how, code_of=env_id)
            assert wait(account, job_id, *OVER)["state"] == ("FAILED" if how == "no" else "SUCCESS")
            return log(account, job_id, "stdout", env_id).split()

        first, other, failed, hive, last = ran(A), ran(B), ran(A, "no"), ran(A, "hive"), ran(A)
        nothing = ["None", "None", "False", "2", "leaves.py"]
        assert [each[1:] for each in (first, other, failed, hive, last)] == [nothing] * 5
        assert first[0] == failed[0], "the role's next job has the same"
        assert len({first[0], other[0], hive[0], last[0]}) == 4

    def test_a_job_whose_code_its_role_cannot_read_fails_before_it_starts(self, account: Account, role: str) -> None:
        run = wait(account, start(account, account.role_arn(B), "sleep.py"), *OVER)
        assert run["state"] == "FAILED"
        assert "before its driver started" in run["stateDetails"]

    def test_cancelling_kills_the_driver(self, account: Account, role: str) -> None:
        job_id = start(account, role, "sleep.py")
        with cancelled(account, job_id):
            wait(account, job_id, "RUNNING")
            until(lambda: drivers(job_id) or None, 30)
            account.client("emr-serverless").cancel_job_run(applicationId=account.application, jobRunId=job_id)
            assert job(account, job_id)["state"] in ("CANCELLING", "CANCELLED")
            wait(account, job_id, "CANCELLED")
            assert drivers(job_id) == []

    def test_jobs_beyond_the_capacity_wait(self, account: Account, role: str) -> None:
        """The application has 4 vCPUs, a job takes 2."""
        jobs = [start(account, role, "sleep.py") for _ in range(3)]
        with cancelled(account, *reversed(jobs)):
            for job_id in jobs[:2]:
                wait(account, job_id, "RUNNING")
            assert job(account, jobs[2])["state"] == "SCHEDULED"
            account.client("emr-serverless").cancel_job_run(applicationId=account.application, jobRunId=jobs[0])
            wait(account, jobs[2], "RUNNING")


def test_a_kill_of_the_service_fails_its_job_and_leaves_no_process(account: Account, role: str) -> None:
    """On AWS the job goes on; here its driver is a child of the service, and the next one says what became of it."""
    job_id = start(account, role, "sleep.py")
    wait(account, job_id, "RUNNING")
    until(lambda: drivers(job_id) or None, 30)
    account.kill()
    over = job(account, job_id)
    assert over["state"] == "FAILED"
    assert "restarted while the job was" in over["stateDetails"]
    assert over["tags"] == {"testenv:env": A}
    until(lambda: True if not drivers(job_id) else None, 10)
    again = start(account, role, "sleep.py")
    with cancelled(account, again):
        wait(account, again, "RUNNING")


class TestRefusals:
    def test_the_same_token_starts_one_job(self, account: Account, role: str) -> None:
        token = uuid.uuid4().hex
        first = start(account, role, "sleep.py", token=token)
        with cancelled(account, first):
            assert start(account, role, "sleep.py", token=token) == first

    def test_a_role_that_does_not_exist_is_refused_at_once(self, account: Account) -> None:
        with pytest.raises(ClientError, match="does not exist"):
            start(account, account.role_arn("ci-nobody"), "sleep.py")

    def test_an_option_that_is_not_taken_is_named(self, account: Account, role: str) -> None:
        with pytest.raises(ClientError, match="--master"):
            start(account, role, "sleep.py", parameters="--master yarn")


def test_the_operator_of_the_amazon_provider_runs_a_job_unmodified(account: Account, role: str) -> None:
    """In a process of its own: the hook reads its connection from the environment when Airflow is imported."""
    script = f"""
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
operator = EmrServerlessStartJobOperator(
    task_id="t", application_id="{account.application}", execution_role_arn="{role}", name="by-operator",
    job_driver={{"sparkSubmit": {{"entryPoint": "s3://{account.bucket}/env/{A}/code/helper.py"}}}},
    configuration_overrides={{}}, waiter_delay=1, waiter_max_attempts=60, aws_conn_id=None)
print("job", operator.execute({{"ti": None, "task_instance": None}}))
"""
    session = account.session(A)
    environment = {
        **{key: account.stack.env[key] for key in ("AWS_ENDPOINT_URL", "AWS_REGION")},
        "AWS_DEFAULT_REGION": account.stack.env["AWS_REGION"],
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token or "",
        "AIRFLOW_HOME": str(account.stack.home / "data"),
    }
    answer = subprocess.run(
        [REPO / ".venv/airflow/bin/python", "-W", "ignore", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert job(account, answer.stdout.split()[-1])["state"] == "SUCCESS"
