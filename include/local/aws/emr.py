"""EMR Serverless that runs its jobs. moto records a job run and calls it a success; here a driver runs on this machine.

An application runs as many jobs at once as its maximum capacity has pairs of vCPUs; the others wait in state
SCHEDULED, first come first served (EMR would wait for capacity likewise).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import utcnow
from moto.emrserverless import urls
from moto.emrserverless.exceptions import ResourceNotFoundException, ValidationException
from moto.emrserverless.models import Application, EMRServerlessBackend, JobRun, emrserverless_backends

from local.aws import roles, spark_submit
from local.aws.changes import Thing
from local.aws.job_run import JobProcess, Outcome, Plan
from local.aws.kept import register
from local.aws.processes import end_left_over
from local.aws.sessions import Keep
from local.aws.settings import Settings
from local.aws.spark_jvm import Jvms
from local.aws.stable_ids import application_id

_SERVICE = "emr-serverless.amazonaws.com"
_CPUS_PER_JOB = 2  # local[2]
_GIGABYTES_PER_JOB = 2
_OVER = ("SUCCESS", "FAILED", "CANCELLED")


@dataclass
class _Lane:
    """The jobs of one application: how many run, and who waits."""

    running: int = 0
    waiting: deque[tuple[JobRun, Callable[[], None]]] = field(default_factory=deque)


class RunningBackend(EMRServerlessBackend):
    """moto's backend, with jobs that run."""

    settings: Settings  # set by install()
    endpoint: str
    keep: Keep
    jvms: Jvms

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._processes: dict[str, JobProcess] = {}
        self._lanes: dict[str, _Lane] = {}
        self._lock = threading.RLock()

    @property
    def _url_module(self) -> Any:
        return urls

    def create_application(self, name: str, *arguments: Any, **options: Any) -> Application:
        """As moto, with an id derived from the name and dates that are not cut to the day."""
        with self._lock:
            application = super().create_application(name, *arguments, **options)
            del self.applications[application.id]
            nth = sum(other.name == name for other in self.applications.values())
            old, application.id = (
                application.id,
                application_id(self.settings.account_root.secret_access_key, name or "", nth),
            )
            application.arn = application.arn.replace(old, application.id)
            application.created_at = application.updated_at = utcnow()
            self.applications[application.id] = application
            self.keep([Thing("application", application.id)])
            return application

    def start_job_run(self, *arguments: Any, **options: Any) -> JobRun:
        """Refuses at once what cannot run, as EMR does; then the job goes its way in a thread."""
        configuration = options.get("configuration_overrides") or {}
        try:
            job = spark_submit.parse(options.get("job_driver"), configuration)
            roles.check(options["execution_role_arn"], _SERVICE)
        except (spark_submit.JobRefusedError, roles.RoleRefusedError) as error:
            raise ValidationException(str(error)) from error
        with self._lock:
            again = self._by_token(options["application_id"], options.get("client_token"))
            if again is not None:  # the same request, repeated
                return again
            run = super().start_job_run(*arguments, **options)
            run.state, run.state_details = "PENDING", ""
            run.created_at = run.updated_at = utcnow()
            folder = self._folder(run)
            folder.mkdir(parents=True)
            process = JobProcess(job, run.execution_role_arn, folder, self.settings, self.jvms)
            self._processes[run.id] = process
            self._note(run, "SCHEDULED", "")
            self._enqueue(run, partial(self._run, run, process))
        return run

    def get_job_run(self, application_id: str, job_run_id: str) -> JobRun:
        self.get_application(application_id)
        if application_id not in self.job_runs:
            raise ResourceNotFoundException(job_run_id, "JobRun")
        return super().get_job_run(application_id, job_run_id)

    def list_job_runs(self, application_id: str, *arguments: Any, **options: Any) -> list[JobRun]:
        """moto says that an application without a job does not exist."""
        self.get_application(application_id)
        self.job_runs.setdefault(application_id, [])
        return super().list_job_runs(application_id, *arguments, **options)

    def cancel_job_run(self, application_id: str, job_run_id: str) -> tuple[str, str]:
        run = self.get_job_run(application_id, job_run_id)
        with self._lock:
            if run.state in _OVER:
                raise ValidationException(
                    f"Job run {job_run_id} is {run.state}; only a run that is not over can be cancelled."
                )
            lane = self._lanes[application_id]
            if any(run is waiting for waiting, _ in lane.waiting):
                lane.waiting = deque(entry for entry in lane.waiting if entry[0] is not run)
                self._note(run, "CANCELLED", "Job was cancelled before its driver started.")
                return application_id, job_run_id
            self._note(run, "CANCELLING", "")
        threading.Thread(target=self._processes[run.id].cancel, name=f"cancel-{run.id}", daemon=True).start()
        return application_id, job_run_id

    def stop(self) -> None:
        """Cancel all that runs or waits; returns when no driver is left."""
        with self._lock:
            for lane in self._lanes.values():
                lane.waiting.clear()
            processes = list(self._processes.values())
        for process in processes:
            process.cancel()
        self.jvms.close()

    def _by_token(self, application: str, token: str | None) -> JobRun | None:
        return next((run for run in self.job_runs.get(application, []) if token and run.client_token == token), None)

    def _enqueue(self, run: JobRun, start: Callable[[], None]) -> None:
        lane = self._lanes.setdefault(run.application_id, _Lane())
        lane.waiting.append((run, start))
        self._advance(run.application_id)

    def _advance(self, application: str) -> None:
        """Start waiting jobs as far as the capacity goes."""
        with self._lock:
            lane = self._lanes[application]
            while lane.waiting and lane.running < self._places(application):
                lane.running += 1
                _, start = lane.waiting.popleft()
                threading.Thread(target=start, name=f"emr-{application}", daemon=True).start()

    def _places(self, application: str) -> int:
        capacity: Any = self.applications[application].maximum_capacity or {}
        cpus = str(capacity.get("cpu", "8 vCPU")).split()[0]
        return max(1, int(float(cpus)) // _CPUS_PER_JOB)

    def _run(self, run: JobRun, process: JobProcess) -> None:
        began = utcnow()
        timeout = run.execution_timeout_minutes * 60.0
        session = partial(
            roles.assume,
            run.execution_role_arn,
            _SERVICE,
            f"emr-{run.id}",
            seconds=int(timeout) + 3600,
            region=self.region_name,
            endpoint=self.endpoint,
        )
        outcome = Outcome("FAILED", "The stand-in failed while it ran the job; see its log.")
        try:
            outcome = process.run(session, Plan(timeout, _log_url(run), partial(self._started, run)))
        finally:
            seconds = (utcnow() - began).total_seconds()
            run.total_execution_duration_seconds = round(seconds)
            run.billed_resource_utilization = {
                "vCPUHour": round(_CPUS_PER_JOB * seconds / 3600, 6),
                "memoryGBHour": round(_GIGABYTES_PER_JOB * seconds / 3600, 6),
                "storageGBHour": 0.0,
            }
            with self._lock:
                self._note(run, outcome.state, outcome.details)
                self._lanes[run.application_id].running -= 1
            self._advance(run.application_id)

    def _started(self, run: JobRun) -> None:
        with self._lock:
            if run.state != "CANCELLING":
                self._note(run, "RUNNING", "")

    def _note(self, run: JobRun, state: str, details: str) -> None:
        run.state, run.state_details, run.updated_at = state, details, utcnow()
        self.keep([Thing("job-run", f"{run.application_id}/{run.id}")])

    def resume(self) -> None:
        """End what is left of the jobs of an earlier server, and say so of each."""
        for run in [run for runs in self.job_runs.values() for run in runs if run.state not in _OVER]:
            end_left_over(self._folder(run))
            self._note(run, "FAILED", "The service was restarted while the job was waiting or running; start it again.")

    def _folder(self, run: JobRun) -> Path:
        return self.settings.work_dir / "emr" / run.id


def _log_url(run: JobRun) -> str | None:
    """Where EMR would keep this run's logs: below the URI that the run was started with."""
    configuration: Any = run.configuration_overrides or {}
    monitoring = configuration.get("monitoringConfiguration", {}).get("s3MonitoringConfiguration", {})
    if not monitoring.get("logUri"):
        return None
    return f"{monitoring['logUri'].rstrip('/')}/applications/{run.application_id}/jobs/{run.id}"


def install(settings: Settings, endpoint: str, keep: Keep) -> None:
    """Make moto use this backend; `endpoint` is where the jobs reach the APIs."""
    RunningBackend.settings, RunningBackend.endpoint = settings, endpoint
    RunningBackend.keep, RunningBackend.jvms = staticmethod(keep), Jvms(settings)
    emrserverless_backends.backend = RunningBackend
    register(RunningBackend, "emr-serverless")


def resume(settings: Settings) -> None:
    """Take up the books of an earlier server."""
    backend: Any = emrserverless_backends[DEFAULT_ACCOUNT_ID][settings.region]
    backend.resume()


def stop() -> None:
    """End all jobs of all regions."""
    for regions in emrserverless_backends.values():
        for backend in list(regions.values()):
            backend.stop()  # type: ignore[attr-defined]
