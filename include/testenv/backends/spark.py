"""Spark: job files of the code under test in S3, and jobs on EMR Serverless, told by their execution role."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any

from testenv.backends.aws import client, translate
from testenv.backends.guards import require_derived
from testenv.backends.protocol import Site, Source
from testenv.backends.waiting import wait_until
from testenv.config import Config
from testenv.core.naming import EnvId, Names, owner_of
from testenv.core.resources import Resource, System

JOB_FILES = "include/estate/spark/"
"""Folder of the repository whose files are Spark jobs."""

RUNNING = ("SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING", "CANCELLING")


_DERIVED = {
    "code": lambda names, name: name == names.prefix + "code/spark/",
    "job": lambda names, name: name.startswith(names.iam_role + "/"),
}


class SparkBackend:
    """Kinds: `code` (the job files below `env/ID/code/spark/`) and `job` (a run that has not ended; never desired)."""

    system = System.SPARK

    def __init__(self, config: Config, source: Source) -> None:
        self._config = config
        self._source = source

    @translate
    def ensure(self, resource: Resource, site: Site) -> None:
        require_derived(resource, _DERIVED)
        s3 = client("s3", self._config)
        for name, content in job_files(self._source.archive(site.spec.ref)).items():
            s3.put_object(Bucket=self._config.bucket, Key=resource.name + name, Body=content)

    @translate
    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        return frozenset([*self._code(env_id), *(Resource(self.system, "job", name) for name in self._jobs(env_id))])

    @translate
    def destroy(self, resource: Resource) -> None:
        env_id = require_derived(resource, _DERIVED).env_id
        if resource.kind == "job":
            self._cancel(env_id, resource.name)
            return
        s3 = client("s3", self._config)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self._config.bucket, Prefix=resource.name)
        for found in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
            s3.delete_object(Bucket=self._config.bucket, Key=found)

    @translate
    def probe(self, site: Site) -> Mapping[str, int]:
        s3 = client("s3", self._config)
        prefix = site.names.prefix + "code/spark/"
        return {prefix: s3.list_objects_v2(Bucket=self._config.bucket, Prefix=prefix)["KeyCount"]}

    def _code(self, env_id: EnvId | None) -> list[Resource]:
        s3, bucket = client("s3", self._config), self._config.bucket
        names = [Names(env_id)] if env_id else [Names(found) for found in environments_in(s3, bucket)]
        prefixes = [name.prefix + "code/spark/" for name in names]
        return [
            Resource(self.system, "code", prefix)
            for prefix in prefixes
            if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"]
        ]

    def _jobs(self, env_id: EnvId | None) -> dict[str, tuple[str, str]]:
        """Resource name → application and job-run id, of every run that has not ended."""
        emr, jobs = client("emr-serverless", self._config), {}
        for application in self._applications(env_id):
            for run in _job_runs(emr, application):
                role = str(run["executionRole"]).rsplit("/", 1)[-1]
                owner = owner_of(role)
                if owner and env_id in (None, owner):
                    jobs[f"{role}/{run['id']}"] = (application, run["id"])
        return jobs

    def _applications(self, env_id: EnvId | None) -> list[str]:
        applications = self._config.emr_applications
        return [applications[env_id.kind]] if env_id else sorted(set(applications.values()))

    def _cancel(self, env_id: EnvId, name: str) -> None:
        if found := self._jobs(env_id).get(name):
            application, run = found
            client("emr-serverless", self._config).cancel_job_run(applicationId=application, jobRunId=run)
            wait_until(lambda: name not in self._jobs(env_id), f"the Spark job {name} is cancelled", seconds=60)


def _job_runs(emr: Any, application: str) -> list[dict[str, Any]]:
    pages = emr.get_paginator("list_job_runs").paginate(applicationId=application, states=list(RUNNING))
    return [run for page in pages for run in page["jobRuns"]]


def job_files(archive: bytes) -> dict[str, bytes]:
    """Name → content of each Spark job of the code."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {
            member.name.removeprefix(JOB_FILES): content.read()
            for member in tar.getmembers()
            if member.name.startswith(JOB_FILES) and (content := tar.extractfile(member))
        }


def environments_in(s3: Any, bucket: str) -> list[EnvId]:
    """Ids of the environments that have any object below `env/`."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="env/", Delimiter="/")
    prefixes = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    return [owner for prefix in prefixes if (owner := owner_of(prefix))]
