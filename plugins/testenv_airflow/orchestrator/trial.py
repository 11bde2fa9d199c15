"""The command `trial`: a release's pipelines by a plan, base's code and head's, and the state of all outputs meanwhile.

The plan lies at `artifacts/ID/trial/plan.json`, base's code at `env/ID/code/base.tar.gz` and `env/ID/code/base-spark/`.
The record, `artifacts/ID/trial/record.json`, is written however the trial ends. This process imports Airflow and forks:
it has one thread, and imports no code under test.
"""

from __future__ import annotations

import resource
import signal
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import boto3

from testenv.checks.trial.kills import Kill, Point, key
from testenv.checks.trial.moments import Moments, differ
from testenv.checks.trial.plan import Alone, Plan, Record, Reset, Runs, Step
from testenv.checks.trial.record import Moment, Run, Side, State, broken
from testenv.checks.trial.record import Record as Trial
from testenv.checks.trial.recorder import Recorder
from testenv.core.naming import EnvId
from testenv_airflow.orchestrator.settings import Deployment
from testenv_airflow.orchestrator.trial_step import Kills, OutOfTime, RunStep

EXIT_FAILED, EXIT_STOPPED = 1, 143
BASE_ARCHIVE, BASE_SPARK = "base.tar.gz", "base-spark/"


class _Stopped(BaseException):
    """SIGTERM came."""


def run_trial(deployment: Deployment) -> int:
    """Go through the plan; 0 if the record is whole."""
    from testenv_airflow.orchestrator.warmth import import_all, import_clients

    import_all()
    import_clients()
    s3 = boto3.client("s3")
    found = s3.get_object(Bucket=deployment.bucket, Key=_key(deployment, "plan.json"))
    plan = Plan.model_validate_json(found["Body"].read())
    signal.signal(signal.SIGTERM, _stop)
    with TemporaryDirectory(prefix="testenv-trial-") as folder:
        trial = _Trial(deployment, plan, s3, Path(folder))
        code, error = 0, ""
        try:
            trial.go()
        except _Stopped:
            code, error = EXIT_STOPPED, "the trial was stopped"
        except Exception as failure:  # noqa: BLE001 (whatever is raised is told in the record)
            traceback.print_exc()
            code, error = EXIT_FAILED, f"{type(failure).__name__}: {failure}"
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being done
        trial.close(error)
    return code


class _Trial:
    """The trial under way: its recorder, the code of its sides, and what it has seen so far."""

    def __init__(self, deployment: Deployment, plan: Plan, s3: Any, folder: Path) -> None:
        self._head, self._plan, self._s3, self._folder = deployment, plan, s3, folder
        self._began, self._deadline = time.monotonic(), time.monotonic() + plan.seconds
        self._states: dict[str, State] = {}
        self._runs: list[Run] = []
        self._ran: set[str] = set()
        self._tasks: dict[str, tuple[str, ...]] = {}
        self._recorder: Recorder | None = None
        self._recorder_cpu = 0.0
        self._step: RunStep | None = None

    def go(self) -> None:
        """Take all steps; after each moment, those that its difference asks for."""
        self._recorder = Recorder.start(self._moments)
        sides: dict[Side, Deployment] = {"head": self._head}
        if "base" in self._plan.sides:
            spark = f"s3://{self._head.bucket}/env/{self._head.env_id}/code/{BASE_SPARK}"
            sides["base"] = self._head.other(BASE_ARCHIVE, {"spark_code_url": spark})
        kills = Kills(self._order_kill, self._withdraw_kill)
        self._step = RunStep(self._plan, sides, self._head, self._folder, self._deadline, self._store_log, kills)
        self._go()

    def _go(self) -> None:
        for step in self._plan.steps:
            self._take(step)
        waiting = list(self._plan.alone)
        while waiting:
            further: list[Alone] = []
            for each in waiting:
                if self._differs(each):
                    self._go_into(each)
                    further += each.then
            waiting = further

    def _go_into(self, alone: Alone) -> None:
        try:
            for step in alone.steps:
                self._take(step)
        except OutOfTime as error:
            if not alone.optional:
                raise
            print(f"orchestrator: what is known already is judged: {error}", flush=True)
            half = {moment for step in alone.steps if isinstance(step, Runs) for moment in step.moments}
            self._runs = [run for run in self._runs if run.moment not in half]

    def close(self, error: str) -> None:
        """End what is left, and write the record."""
        if self._step:
            self._step.end_all()
        if self._recorder:
            self._recorder_cpu = self._recorder.stop()
        usage = [resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        record = Trial(
            env_id=self._plan.env_id,
            dataset=self._plan.dataset,
            intervals=self._plan.intervals,
            runs=tuple(self._runs),
            states=tuple(self._states.values()),
            emulated=self._plan.emulated,
            error=error,
            seconds=round(time.monotonic() - self._began, 3),
            cpu_seconds=round(sum(each.ru_utime + each.ru_stime for each in usage), 3),
        )
        self._put("record.json", record.model_dump_json(indent=1).encode(), "application/json")
        print(f"orchestrator: trial of {self._plan.env_id}: {len(self._runs)} runs, {record.seconds} s", flush=True)

    def _take(self, step: Step) -> None:
        from testenv_airflow.orchestrator.memory import Memory

        if time.monotonic() > self._deadline:
            raise OutOfTime(f"the trial took longer than its {self._plan.seconds} s")
        began = time.monotonic()
        assert self._recorder and self._step
        match step:
            case Runs():
                self._runs = [run for run in self._runs if run.moment not in step.moments]  # they are run anew
                for run, report in self._step.take(step):
                    self._runs.append(run)
                    self._ran.add(run.pipeline)
                    self._tasks[run.pipeline] = report.tasks or self._tasks.get(run.pipeline, ())
                if time.monotonic() > self._deadline:
                    raise OutOfTime(f"the trial took longer than its {self._plan.seconds} s")
            case Record(moment=moment, of=others):
                state = self._recorder.record(moment, self._ran, self._tasks)
                self._states |= {each: state.model_copy(update={"moment": each}) for each in others or (moment,)}
                if moment == Moment.START:
                    self._memory = Memory.of_now(self._head.home)
                    self._ran.clear()
            case Reset():
                self._recorder.reset()
                self._memory.restore()
                self._ran.clear()
        what = getattr(step, "moment", "")
        print(f"orchestrator: {step.do} {what}: {time.monotonic() - began:.1f} s", flush=True)

    def _differs(self, alone: Alone) -> bool:
        """Whether the moment is not like the other in something that no way alone has shown yet."""
        shown = {each for way in self._states if way.startswith(f"{alone.moment}/") for each in self._wrong(alone, way)}
        return not self._wrong(alone, alone.moment) <= shown

    def _wrong(self, alone: Alone, moment: str) -> set[str]:
        """Outputs that a moment does not have like the other, and pipelines of which a run on the way to it failed."""
        one, other = self._states.get(alone.like), self._states[moment]
        failed = {run.pipeline for run in self._runs if run.moment == moment and run.state == "failed"}
        whole = set(alone.pipelines) - broken(self._runs, alone.like)  # what a failed run left says nothing
        return failed | set(differ(one, other, self._plan.allowed, whole) if one else ())

    def _moments(self) -> Moments:
        from testenv_airflow.orchestrator.trial_login import moments

        return moments(self._head, self._plan)

    def _store_log(self, name: str, log: Path) -> str:
        """Store a run's log; where it stands below the environment's artifacts."""
        self._put(name, log.read_bytes() if log.exists() else b"", "text/plain")
        return f"trial/{name}"

    def _order_kill(self, point: str) -> None:
        """Have the environment's next Spark job killed at a point of its first micro-batch."""
        body = Kill(Point(point)).body()
        self._s3.put_object(Bucket=self._head.bucket, Key=key(EnvId(self._head.env_id)), Body=body)

    def _withdraw_kill(self) -> bool:
        """Whether the kill that was ordered was carried out: then nothing is left of the order, else it is now."""
        place = {"Bucket": self._head.bucket, "Key": key(EnvId(self._head.env_id))}
        left = self._s3.list_objects_v2(Bucket=place["Bucket"], Prefix=place["Key"], MaxKeys=1)["KeyCount"]
        self._s3.delete_object(**place)
        return not left

    def _put(self, name: str, body: bytes, kind: str) -> None:
        self._s3.put_object(Bucket=self._head.bucket, Key=_key(self._head, name), Body=body, ContentType=kind)


def _key(deployment: Deployment, name: str) -> str:
    return f"artifacts/{deployment.env_id}/trial/{name}"


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped
