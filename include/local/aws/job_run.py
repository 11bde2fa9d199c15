"""One EMR Serverless job run, run: files fetched, driver started, waited for, logs stored."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlparse

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import class_archive, spark_submit
from local.aws.processes import end_group, first_ended, forget, remember
from local.aws.roles import RoleRefusedError, Session
from local.aws.settings import Settings
from local.aws.spark_jvm import DRIVER, Jvm, JvmError, Jvms, order, surroundings

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

    def __init__(self, job: spark_submit.SparkJob, role: str, folder: Path, settings: Settings, jvms: Jvms) -> None:
        self.job, self.folder = job, folder
        self._role, self._settings, self._jvms = role, settings, jvms
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
        """In a JVM that stays, if the job asks nothing of it; in one of its own otherwise."""
        if not job.is_plain:
            return self._attend(self._submit(job, session), None, plan)
        try:
            jvm = self._jvms.take(self._role)
        except JvmError as error:
            return Outcome("FAILED", f"Job failed before its driver started: {error}")
        clean = self.folder / "clean"
        try:
            return self._attend(self._start(job, session, jvm, clean), jvm, plan)
        finally:
            self._jvms.give_back(jvm, clean.exists())

    def _submit(self, job: spark_submit.SparkJob, session: Session) -> subprocess.Popen[bytes] | None:
        spark_submit.log_configuration(self.folder).write_text(spark_submit.LOG_PROPERTIES)
        java = class_archive.options(self._settings.spark_submit, self._settings.spark_jars)
        return self._open(spark_submit.command(job, self._place(session, java)), self._environment(session))

    def _start(
        self, job: spark_submit.SparkJob, session: Session, jvm: Jvm, clean: Path
    ) -> subprocess.Popen[bytes] | None:
        environment = self._environment(session)
        environment |= {**jvm.environment(), "PYTHONPATH": os.pathsep.join(job.py_files)}
        words = [str(self._settings.spark_python), str(DRIVER), job.entry_point, *job.arguments]
        told = self.job.driver_environment | session.environment()
        return self._open(words, environment, order(job, self._place(session), told, clean))

    def _open(
        self, words: list[str], environment: dict[str, str], order: bytes = b""
    ) -> subprocess.Popen[bytes] | None:
        """Start the driver, with `order` to read; None if the job was cancelled."""
        with self._log("stdout").open("wb") as out, self._log("stderr").open("wb") as error, self._lock:
            if self._cancelled.is_set():
                return None
            self._process = process = subprocess.Popen(
                words,
                env=environment,
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=error,
                start_new_session=True,
            )
            remember(process.pid, self.folder)
        assert process.stdin
        with suppress(BrokenPipeError), process.stdin:  # one that has ended already is told by its exit code
            process.stdin.write(order)
        return process

    def _attend(self, process: subprocess.Popen[bytes] | None, jvm: Jvm | None, plan: Plan) -> Outcome:
        """Wait for the driver, and say how it ended."""
        if process is None:
            return Outcome("CANCELLED", "Job was cancelled before its driver started.")
        plan.started()
        ended = first_ended([process, *([jvm.process] if jvm else [])], plan.timeout)
        if ended is not process:  # it cannot go on without its JVM, nor after its time
            end_group(process, KILL_GRACE)
        if jvm:
            with self._log("stderr").open("ab") as log:
                log.write(jvm.said())
        if self._cancelled.is_set():
            return Outcome("CANCELLED", "Job was cancelled.")
        if ended is None:
            return Outcome(
                "CANCELLED", f"Job was cancelled: it ran longer than its timeout of {plan.timeout / 60:g} minutes."
            )
        code = ended.wait()
        if code == 0 and ended is process:
            return Outcome("SUCCESS", "")
        end_group(process, KILL_GRACE)  # a JVM that is killed leaves its Python behind
        if jvm and jvm.process.poll() is not None:
            code = jvm.process.returncode
        said = spark_submit.last_error(
            *(self._log(stream).read_text(errors="replace") for stream in ("stdout", "stderr"))
        )
        return Outcome("FAILED", f"Job failed (exit code {code}): {said}")

    def _place(self, session: Session, java: tuple[str, ...] = ()) -> spark_submit.Place:
        found = self._settings
        return spark_submit.Place(
            found.spark_submit, found.spark_jars, self.folder, session.endpoint, session.region, java
        )

    def _environment(self, session: Session) -> dict[str, str]:
        return {
            **surroundings(self.folder, self._settings),
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
