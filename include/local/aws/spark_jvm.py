"""JVMs of Spark that stay: each serves Python jobs of one role, one after the other.

What EMR Serverless calls pre-initialized capacity, for a machine where most of a job would be its JVM's start: measured
on 2 shared cores, a job of the estate takes 13 CPU seconds in a JVM of its own, and 3 in one that has run such a job
before. It is the one that pyspark starts for itself, Spark's gateway for Python; it ends when its standard input does,
and so with this server.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.aws import class_archive, spark_submit
from local.aws.processes import end_group
from local.aws.settings import Settings
from local.launch import MARK

IDLE, IDLE_SECONDS = 6, 120.0
"""How many JVMs wait for a job at most, of all roles, and for how long. Each has some 500 MB."""

JOBS = 30
"""A JVM's last job: what a job's Python leaves in it is not all given back."""

DRIVER = Path(__file__).with_name("spark_driver.py")

START_SECONDS, GRACE = 120.0, 5.0


class JvmError(Exception):
    """A JVM did not start; the message has what it said."""


@dataclass
class Jvm:
    """One JVM, for jobs of `role`. `folder` has its scratch files, and what it says on standard error."""

    role: str
    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    secret: str = field(repr=False)
    jobs: int = 0
    since: float = 0.0
    _said: int = 0

    @classmethod
    def start(cls, role: str, folder: Path, settings: Settings) -> Jvm:
        """Returns when it takes connections. Raises JvmError."""
        folder.mkdir(parents=True)
        java = class_archive.options(settings.spark_submit, settings.spark_jars)
        place = spark_submit.Place(settings.spark_submit, settings.spark_jars, folder, "", settings.region, java)
        spark_submit.log_configuration(folder).write_text(spark_submit.LOG_PROPERTIES)
        reached = folder / "gateway"
        with (folder / "stderr").open("wb") as said:
            process = subprocess.Popen(
                spark_submit.command(spark_submit.SparkJob("pyspark-shell"), place),
                env={**surroundings(folder, settings), "_PYSPARK_DRIVER_CONN_INFO_PATH": str(reached)},
                cwd=folder,
                stdin=subprocess.PIPE,  # it ends with us
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not reached.exists():
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                if time.monotonic() < until:
                    continue
                end_group(process, GRACE)
            text = (folder / "stderr").read_text(errors="replace")
            shutil.rmtree(folder)
            raise JvmError(f"Spark's JVM did not start within {START_SECONDS:g} s: {text[-1000:]}")
        content = reached.read_bytes()  # written elsewhere and renamed, so it is whole
        reached.unlink()
        return cls(role, folder, process, struct.unpack("!i", content[:4])[0], content[8:].decode())

    def environment(self) -> dict[str, str]:
        """By which pyspark finds it."""
        return {"PYSPARK_GATEWAY_PORT": str(self.port), "PYSPARK_GATEWAY_SECRET": self.secret}

    def said(self) -> bytes:
        """What it has said since this was asked last."""
        with (self.folder / "stderr").open("rb") as stream:
            stream.seek(self._said)
            found = stream.read()
        self._said += len(found)
        return found

    def end(self) -> None:
        """Kill it, and remove its folder."""
        end_group(self.process, 0)
        if self.process.stdin:
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Jvms:
    """Those that are there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.work_dir / "spark-jvm"
        shutil.rmtree(self._folder, ignore_errors=True)  # of an earlier server, with which its JVMs ended
        self._numbers = itertools.count(1)
        self._idle: list[Jvm] = []
        self._lock = threading.Lock()
        self._closed = False

    def take(self, role: str) -> Jvm:
        """The one of the role that has waited least, or a new one. Raises JvmError."""
        with self._lock:
            alive = [jvm for jvm in self._idle if jvm.role == role and jvm.process.poll() is None]
            if alive:
                self._idle.remove(alive[-1])
        jvm = alive[-1] if alive else Jvm.start(role, self._folder / str(next(self._numbers)), self._settings)
        jvm.said()
        jvm.jobs += 1
        return jvm

    def give_back(self, jvm: Jvm, clean: bool) -> None:
        """It has no job any more. Only one that is `clean` is kept."""
        if not clean or jvm.jobs >= JOBS or jvm.process.poll() is not None:
            jvm.end()
            return
        jvm.since = time.monotonic()
        with self._lock:
            self._idle.append(jvm)
            longest = self._idle[0] if len(self._idle) > IDLE else None
        self._end(lambda each: self._closed or each is longest)
        timer = threading.Timer(IDLE_SECONDS + 1, self._end_old)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """End those that wait; none will wait again."""
        self._closed = True
        self._end(lambda _: True)

    def _end_old(self) -> None:
        limit = time.monotonic() - IDLE_SECONDS
        self._end(lambda jvm: jvm.since <= limit)

    def _end(self, which: Callable[[Jvm], bool]) -> None:
        with self._lock:
            found = [jvm for jvm in self._idle if which(jvm)]
            self._idle = [jvm for jvm in self._idle if jvm not in found]
        for jvm in found:
            jvm.end()


def order(job: spark_submit.SparkJob, place: spark_submit.Place, environment: Mapping[str, str], clean: Path) -> bytes:
    """What `DRIVER` reads."""
    conf = spark_submit.settings_in_jvm(job, place, environment)
    return json.dumps({"conf": conf, "clean": str(clean)}).encode()


def surroundings(folder: Path, settings: Settings) -> dict[str, str]:
    """All that a process of Spark sees: nothing of this server's own environment but where programs are."""
    python = str(settings.spark_python)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        # The mark tells `down` that the process is of this stack, should its parent have been killed.
        **{name: os.environ[name] for name in ("JAVA_HOME", MARK) if name in os.environ},
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "SPARK_LAUNCHER_OPTS": " ".join(class_archive.QUICK_START),
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",  # as spark-submit has it
    }
