"""A worker that can be killed while it refreshes: after every kind of thing that a stage makes outside of itself.

What lies between two boundaries of one kind (one more file of a tier, one more table) leaves the same state, so a
worker dies once at each kind. Nothing here is known to the stages: what they call is wrapped.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from tests.crash.worker import Never

from testenv.config import Config
from testenv.core.naming import golden_prefix
from testenv.datasets import golden_postgres, golden_snowflake
from testenv.datasets.refresh import retention, stages, stored
from testenv.datasets.store import MANIFEST, POINTER


@dataclass(frozen=True)
class Stage:
    """One task of the DAG."""

    verb: str
    tier: str = ""

    def __str__(self) -> str:
        return self.verb


@dataclass(frozen=True)
class RefreshJob:
    """What a worker is to do for `env_id`, the version; it dies where `dies` says so."""

    env_id: str
    tasks: tuple[Stage, ...]
    dies: Callable[[str], bool] = field(default_factory=Never)
    in_use: tuple[str, ...] = ()


def work(job: RefreshJob, parent: Connection) -> None:
    """As `tests.crash.worker.work`, for the stages of a refresh."""
    refresh, lock = stages.Refresh.from_environ(Config.from_environ()), threading.Lock()
    now: list[Stage] = []
    seen: set[str] = set()

    def passed(kind: str) -> None:
        boundary = f"{now[-1]}: {kind}"
        with lock:  # files are uploaded side by side
            if boundary in seen:
                parent.send(("again", boundary))
                return
            seen.add(boundary)
            parent.send(("passed", boundary))
            if job.dies(boundary):
                os.kill(os.getpid(), signal.SIGKILL)

    watch(passed, job)
    for task in job.tasks:
        now.append(task)
        try:
            match task.verb:
                case "load":
                    refresh.load(job.env_id, task.tier)
                case "retire":
                    retention.retire(refresh.config, job.in_use, datetime.now(UTC))
                case verb:
                    getattr(refresh, verb)(job.env_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
            parent.send(("failed", (type(error).__name__, str(error))))
            return
        parent.send(("done", task.verb))


def watch(passed: Callable[[str], None], job: RefreshJob) -> None:
    """Wrap what the stages of a job call, so that each call tells its kind when it is done."""

    def after(place: Any, name: str, kind: Callable[..., str]) -> None:
        call = getattr(place, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            if told := kind(*args, **kwargs):
                passed(told)
            return result

        setattr(place, name, wrapped)

    after(stored.Maskery, "store", lambda *_: "masked a dataset")
    after(stages.Refresh, "_put", lambda _, key, __: f"put {kind_of(key, job.env_id)}")
    after(golden_postgres, "execute", lambda _, text, *__, **___: changed("postgres", text))
    after(golden_snowflake, "run", lambda _, text, *__: changed("snowflake", text))
    after(stages, "build_models", lambda *_: "built models")
    if Stage("retire") in job.tasks:  # a load begins by dropping what another left, which is no state of its own
        after(golden_postgres, "drop", lambda *_: "dropped in postgres")
        after(golden_snowflake, "drop", lambda *_: "dropped in snowflake")
        after(retention, "_delete", removed)


def kind_of(key: str, version: str) -> str:
    """What there is once by its name, and the files of all tiers as one."""
    if key == POINTER or key.startswith(golden_prefix(version)):
        return key.removeprefix(golden_prefix(version))
    return MANIFEST if key.count("/") == 2 and key.endswith(MANIFEST) else "a file of a tier"


def changed(system: str, text: str) -> str:
    """The kind of a statement that leaves another state; nothing for others."""
    words = " ".join(re.sub(r"\{\}|\"[^\"]*\"", "", text).split())
    found = re.match(
        "CREATE DATABASE|CREATE OR REPLACE TRANSIENT DATABASE|COPY INTO|COMMENT ON DATABASE|ALTER DATABASE \\w+ \\w+",
        words,
    )
    return f"{system}: {found[0]}" if found else ""


def removed(_: Config, keys: Collection[str]) -> str:
    """Manifests, or what is not one."""
    if not keys:
        return ""
    return "deleted manifests" if all(key.endswith(MANIFEST) for key in keys) else "deleted files"
