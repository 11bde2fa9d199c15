"""Where CPU seconds go: which part of the stack used them, seen by looking at all processes each second."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

KINDS = {
    "org.apache.spark": "Spark",
    "kafka.Kafka": "Kafka",
    "local.dbt": "dbt",
    "dbt.cli": "dbt",
    "local.snowflake": "Snowflake",
    "local.aws.runner": "tried DAG runs",
    "local.aws": "AWS",
    "gunicorn": "Airflow's web server",
    "airflow triggerer": "Airflow's triggerer",
    "airflow task": "Airflow's tasks",
    "airflow scheduler": "Airflow's scheduler",
    "postgres": "PostgreSQL",
    "pgbouncer": "PostgreSQL",
    "bench.": "the benchmark",
}
"""Part of a command line → kind. The first that fits is taken, of the process itself, else of who started it."""

EVERY = 1.0
"""Seconds between two looks."""


class Looking:
    """CPU seconds by kind, of processes while they were looked at."""

    def __init__(self) -> None:
        self._seen: dict[psutil.Process, float] = {}
        self._kinds: dict[psutil.Process, str] = {}
        self._seconds: Counter[str] = Counter()

    def look(self, *, first: bool = False) -> None:
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess):  # ended since it was listed
                times = process.cpu_times()
                used = times.user + times.system
                before = self._seen.get(process, used if first else 0.0)
                self._seen[process] = used
                if used > before:
                    self._seconds[self._kind(process)] += used - before

    def shares(self, total: float) -> dict[str, float]:
        """Kind → its share of `total` CPU seconds, most first; last what was not seen: ends of processes."""
        seen = {kind: round(seconds / total, 3) for kind, seconds in self._seconds.most_common()}
        return seen | {"not seen": round(1 - sum(self._seconds.values()) / total, 3)}

    def _kind(self, process: psutil.Process) -> str:
        """A process may be given another command after its first look, but not be asked for once it has ended."""
        with suppress(psutil.NoSuchProcess):
            for each in (process, *process.parents()):
                command = " ".join(each.cmdline())
                for part, kind in KINDS.items():
                    if part in command:
                        self._kinds[process] = kind
                        return kind
        return self._kinds.get(process, "others")


@contextmanager
def looking() -> Iterator[Looking]:
    """Look at all processes until the end of the block."""
    found, ended = Looking(), threading.Event()
    found.look(first=True)

    def watch() -> None:
        while not ended.wait(EVERY):
            found.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        found.look()
