"""One EMR Serverless job run, run: files fetched, driver started, waited for, logs stored."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlparse

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import class_archive, spark_submit
from local.aws.processes import end_group, forget, remember
from local.aws.roles import RoleRefusedError, Session
from local.aws.settings import Settings
from local.launch import MARK

KILL_GRACE = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a job ended: an EMR state and what to say about it."""

    state: str
    details: str


@dataclass(frozen=True)
class Plan:
    """What is to be done around a driver: `started` is called once it is there; it gets `timeout` seconds; its output
    goes to `log_url`, if that is not None.
    """

    timeout: float
    log_url: str | None
    started: Callable[[], None]


class JobProcess:
    """The execution of one job. `run` blocks; `cancel` may be called from another thread at any time."""

    def __init__(self, job: spark_submit.SparkJob, folder: Path, settings: Settings) -> None:
        self.job, self.folder = job, folder
        self._settings = settings
        self._cancelled = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """End the driver with all its children; a job that has not started will not."""
        self._cancelled.set()
        with self._lock:
            process = self._process
        if process is not None:
            end_group(process, KILL_GRACE)

    def run(self, session: Callable[[], Session], plan: Plan) -> Outcome:
        """Run to the end. `session` mints the role's credentials."""
        try:
            credentials = session()
            job = self._fetch(credentials)
        except (RoleRefusedError, ClientError, BotoCoreError) as error:
            return Outcome("FAILED", f"Job failed before its driver started: {error}")
        outcome = self._drive(job, credentials, plan)
        try:
            self._store_logs(credentials, plan.log_url)
        except (ClientError, BotoCoreError) as error:
            return replace(outcome, details=f"{outcome.details} (logs not stored at {plan.log_url}: {error})".strip())
        finally:
            forget(self.folder)
            for scratch in ("local", "hadoop", "warehouse"):
                shutil.rmtree(self.folder / scratch, ignore_errors=True)
        return outcome

    def _drive(self, job: spark_submit.SparkJob, session: Session, plan: Plan) -> Outcome:
        submit, jars = self._settings.spark_submit, self._settings.spark_jars
        java = class_archive.options(submit, jars)
        place = spark_submit.Place(submit, jars, self.folder, session.endpoint, session.region, java)
        words = spark_submit.command(job, place)
        spark_submit.log_configuration(self.folder).write_text(spark_submit.LOG_PROPERTIES)
        with self._log("stdout").open("wb") as out, self._log("stderr").open("wb") as error, self._lock:
            if self._cancelled.is_set():
                return Outcome("CANCELLED", "Job was cancelled before its driver started.")
            self._process = subprocess.Popen(
                words, env=self._environment(session), cwd=self.folder, stdout=out, stderr=error, start_new_session=True
            )
            remember(self._process.pid, self.folder)
        plan.started()
        try:
            code = self._process.wait(plan.timeout)
        except subprocess.TimeoutExpired:
            end_group(self._process, KILL_GRACE)
            return Outcome(
                "CANCELLED", f"Job was cancelled: it ran longer than its timeout of {plan.timeout / 60:g} minutes."
            )
        if self._cancelled.is_set():
            return Outcome("CANCELLED", "Job was cancelled.")
        if code == 0:
            return Outcome("SUCCESS", "")
        end_group(self._process, KILL_GRACE)  # a JVM that is killed leaves its Python behind
        said = spark_submit.last_error(
            *(self._log(stream).read_text(errors="replace") for stream in ("stdout", "stderr"))
        )
        return Outcome("FAILED", f"Job failed (exit code {code}): {said}")

    def _environment(self, session: Session) -> dict[str, str]:
        """All that the driver sees: nothing of this server's own environment but where programs are."""
        python = str(self._settings.spark_python)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            # The mark tells `down` that the process is of this stack, should its parent have been killed.
            **{name: os.environ[name] for name in ("JAVA_HOME", MARK) if name in os.environ},
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYSPARK_PYTHON": python,
            "PYSPARK_DRIVER_PYTHON": python,
            "SPARK_LAUNCHER_OPTS": " ".join(class_archive.QUICK_START),
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
            **self.job.driver_environment,
            **session.environment(),
        }

    def _fetch(self, session: Session) -> spark_submit.SparkJob:
        """The job with its `s3://` files downloaded by its own role."""
        s3 = session.s3()

        def local(url: str) -> str:
            if urlparse(url).scheme not in ("s3", "s3a"):
                return url
            bucket, key = _bucket_and_key(url)
            target = self.folder / "code" / Path(key).name
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(target))
            return str(target)

        job = self.job
        return replace(
            job,
            entry_point=local(job.entry_point),
            py_files=tuple(map(local, job.py_files)),
            jars=tuple(map(local, job.jars)),
            files=tuple(map(local, job.files)),
        )

    def _store_logs(self, session: Session, log_url: str | None) -> None:
        """As EMR lays them out: `LOG_URL/applications/APP/jobs/JOB/SPARK_DRIVER/{stdout,stderr}.gz`."""
        if not log_url:
            return
        s3 = session.s3()
        for stream in ("stdout", "stderr"):
            bucket, key = _bucket_and_key(f"{log_url.rstrip('/')}/SPARK_DRIVER/{stream}.gz")
            content = self._log(stream).read_bytes() if self._log(stream).exists() else b""
            s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(content, mtime=0))

    def _log(self, stream: str) -> Path:
        return self.folder / stream


def _bucket_and_key(url: str) -> tuple[str, str]:
    parsed = urlparse(url)
    return parsed.netloc, parsed.path.removeprefix("/")
