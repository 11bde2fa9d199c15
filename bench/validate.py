"""How long a verdict takes, alone and thirty at once, and whether it is right. Writes bench/results/validate.json.

Each is on a pull request of its own, a commit on no branch, that touches a batch, a Spark and a streaming pipeline; all
seven checks judge it. Every third has a planted fault of tests/faults, and its verdict must be no, by the check that
the fault is for; the others change nothing of what runs, and must have a yes.

Run by `make bench-validate` on a warm stack, with its variables in the environment. Seconds are of the wall clock, from
the REST call until `bin/testenv ci` would have seen the verdict; CPU seconds are of the whole machine, which should do
nothing else, and last until the environments are gone. Requests arrive as people push: at random, `ARRIVAL` seconds
apart in the mean.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.cpu import looking
from bench.provision import timing, wait
from tests.commits import commit
from tests.faults.corpus import Case, changes, named, read_repository

from local.inventory import inventory
from testenv_cli import runs
from testenv_cli.client import ControlPlane
from testenv_cli.settings import read_settings
from testenv_cli.watching import pause

RESULT = Path(__file__).parent / "results" / "validate.json"

TOUCHED = {
    "batch": "include/estate/dags/payments_to_snowflake.py",
    "spark": "include/estate/dags/settlements_to_snowflake.py",
    "streaming": "include/estate/dags/card_events_to_snowflake.py",
}
FAULT = "append-instead-of-merge"

SINGLES = int(os.environ.get("TESTENV_BENCH_SINGLES", "3"))
AT_ONCE = int(os.environ.get("TESTENV_BENCH_AT_ONCE", "30"))
"""With fewer, the results are called by their number, and say nothing of thirty."""

ARRIVAL = 4.0
"""Mean seconds between two requests: all thirty within some two minutes, the first long before the last is judged."""

PATIENCE = 7200
"""Seconds until it is given up."""


@dataclass(frozen=True)
class Judged:
    """A verdict: its seconds, what it says, and what it should say."""

    seconds: float
    run_id: str
    found: dict[str, Any]
    fault: Case | None

    @property
    def wrong(self) -> str:
        """What is wrong with it; empty if it is right."""
        answer = self.found["answer"]
        if self.fault is None:
            return "" if answer == "yes" else f"{answer}, and nothing was wrong: {self.found['reason']}"
        failed = {each["check"] for each in self.found["verdicts"] if each["outcome"] == "failed"}
        if answer != "no" or self.fault.caught_by not in failed:
            return f"{answer} by {sorted(failed)}, and {self.fault.caught_by} should have failed"
        return ""


def pull_request(number: int, fault: Case | None) -> str:
    """A commit like no other."""
    files = dict(changes(fault, read_repository)) if fault else {}
    for path in TOUCHED.values():
        files[path] = f"{files.get(path) or read_repository(path)}\nPULL_REQUEST = {number}\n"
    return commit(files)


def judge(plane: ControlPlane, base: str, number: int, fault: Case | None) -> Judged:
    head, start = pull_request(number, fault), time.monotonic()
    run_id = plane.trigger(runs.VALIDATE, {"base": base, "head": head})
    found: list[dict[str, Any]] = []

    def is_judged() -> bool:
        tasks = {task["task_id"]: task["state"] for task in plane.tasks(runs.VALIDATE, run_id) if task["map_index"] < 0}
        if tasks["gate"] in ("success", "failed", "upstream_failed"):
            found.extend(filter(None, [plane.verdict(run_id)]))
            return True
        return False

    wait(is_judged, f"{run_id} is judged", seconds=PATIENCE, pause=pause)
    seconds = round(time.monotonic() - start, 1)
    if not found:
        sys.exit(f"{run_id} ended without a report")
    return Judged(seconds, run_id, found[0], fault)


def gone(plane: ControlPlane, judged: list[Judged]) -> None:
    """Wait until their environments are."""
    ids = {each.found["env_id"] for each in judged}
    wait(lambda: not ids & {each["id"] for each in plane.environments(ended=False)}, "environments are gone")


def where_it_goes(plane: ControlPlane, judged: list[Judged]) -> dict[str, float]:
    """Stage → mean seconds of its tasks."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for each in judged:
        for task in plane.tasks(runs.VALIDATE, each.run_id):
            if task["start_date"] and task["end_date"]:
                begin, end = (datetime.fromisoformat(task[key]) for key in ("start_date", "end_date"))
                seconds[task["task_id"]].append((end - begin).total_seconds())
    return {stage: round(statistics.mean(values), 1) for stage, values in seconds.items()}


def main() -> None:
    plane, base = ControlPlane(read_settings()), commit({})
    faults = [named(FAULT) if number % 3 == 2 else None for number in range(AT_ONCE)]
    alone = []
    for number in range(SINGLES):
        with timing() as taken:
            judged = judge(plane, base, number, None)
            gone(plane, [judged])
        alone.append((judged, taken.cpu_s))
        print(f"one alone: {judged.seconds} s, {taken.cpu_s} CPU seconds, {judged.found['answer']}", flush=True)
    stages = where_it_goes(plane, [each for each, _ in alone])
    print(f"where it goes: {stages}", flush=True)

    arrivals = random.Random(5)
    with timing() as taken, looking() as looks, ThreadPoolExecutor(AT_ONCE) as pool:
        asked = []
        for number, fault in enumerate(faults):
            asked.append(pool.submit(judge, plane, base, 1000 + number, fault))
            time.sleep(arrivals.expovariate(1 / ARRIVAL))  # of the people who push
        many = [each.result() for each in asked]
        gone(plane, many)
    wrong = [each.wrong for each in [*(judged for judged, _ in alone), *many] if each.wrong]
    left = inventory(os.environ)
    number = "thirty" if AT_ONCE == 30 else f"at_once_{AT_ONCE}"
    result = {
        "single_s": statistics.median(judged.seconds for judged, _ in alone),
        f"{number}_max_s": max(each.seconds for each in many),
        f"{number}_median_s": statistics.median(each.seconds for each in many),
        "cpu_s_per_verdict": round(taken.cpu_s / AT_ONCE, 1),
        "single_cpu_s": statistics.median(cpu for _, cpu in alone),
        "wrong_verdicts": len(wrong),
        "wrong": wrong,
        "leaked_resources": sum(map(len, left.values())),
        "cpu_by_kind": looks.shares(taken.cpu_s),
        "single_stages_s": stages,
        f"{number}_stages_s": where_it_goes(plane, many),
        "cores": os.cpu_count(),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if wrong or result["leaked_resources"]:
        sys.exit(f"wrong: {wrong}; left behind: {left}")


if __name__ == "__main__":
    main()
