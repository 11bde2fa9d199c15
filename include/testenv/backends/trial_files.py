"""What a trial needs besides the environment's own code: its plan, and base's code beside head's."""

from __future__ import annotations

from testenv.backends.aws import client, translate
from testenv.backends.spark import job_files
from testenv.config import Config
from testenv.core.naming import Names


@translate
def put_base(config: Config, names: Names, archive: bytes) -> None:
    """Put base's archive and its Spark jobs below `env/ID/code/`; they go with the environment's prefix."""
    s3, code = client("s3", config), f"{names.prefix}code/"
    s3.put_object(Bucket=config.bucket, Key=f"{code}base.tar.gz", Body=archive)
    for name, content in job_files(archive).items():
        s3.put_object(Bucket=config.bucket, Key=f"{code}base-spark/{name}", Body=content)


@translate
def put_plan(config: Config, names: Names, plan: str) -> None:
    """Put the plan where the trial looks for it, and away the record of an earlier one."""
    s3, folder = client("s3", config), f"{names.artifacts}trial/"
    s3.delete_object(Bucket=config.bucket, Key=f"{folder}record.json")
    s3.put_object(Bucket=config.bucket, Key=f"{folder}plan.json", Body=plan.encode(), ContentType="application/json")
