"""How long a nightly refresh takes, and what stands on its version. Writes bench/results/refresh.json.

Production is filled as the demo does it (scale 1: 2,000 customers, 20,000 payments), and one run of `refresh_datasets`
makes a version of it: subset, mask, judge, synthesize, load, publish. Then ci environments are provisioned from the
version: `seeding_s` is from the first of their parts' tasks to the end of the last, which is what making and filling
the four stores takes.

Run by `make bench-refresh` on a warm stack, with its variables in the environment. Seconds are of the wall clock, CPU
seconds of the whole machine, which should do nothing else.
"""

from __future__ import annotations

import json
import os
import statistics
from datetime import datetime
from pathlib import Path
from typing import Any

from provision import destroy, env_id, provision, request, timing, wait

from testenv_cli.client import ControlPlane
from testenv_cli.settings import read_settings

RESULT = Path(__file__).resolve().parent / "results" / "refresh.json"

SINGLES = 5


def seconds_of(tasks: list[dict[str, Any]]) -> float:
    """From the start of the first to the end of the last."""
    starts, ends = ([datetime.fromisoformat(task[when]) for task in tasks] for when in ("start_date", "end_date"))
    return round((max(ends) - min(starts)).total_seconds(), 2)


def refreshed(plane: ControlPlane) -> dict[str, Any]:
    """One run of the whole, by its tasks."""
    with timing() as taken:
        run_id = plane.trigger("refresh_datasets", {})
        wait(lambda: plane.run("refresh_datasets", run_id)["state"] in ("success", "failed"), "the datasets refreshed")
    run = plane.run("refresh_datasets", run_id)
    if run["state"] != "success":
        raise SystemExit(f"the refresh failed: {run['note']}")
    ran = [task for task in plane.tasks("refresh_datasets", run_id) if task["start_date"] and task["end_date"]]
    stages = {task["task_id"]: seconds_of([task]) for task in sorted(ran, key=lambda task: str(task["start_date"]))}
    return {"refresh_s": taken.wall_s, "refresh_cpu_s": taken.cpu_s, "stages_s": stages}


def seeded(plane: ControlPlane) -> dict[str, Any]:
    """ci environments of the version, one after another."""
    seeding, ready, cpu = [], [], []
    for number in range(SINGLES + 1):
        asked = [request(f"seeded{number}", "ci")]
        taken, failed = provision(plane, asked)
        if failed:
            raise SystemExit(f"{failed} did not become ready")
        environment = plane.environment(env_id(asked[0]))
        tasks = plane.tasks("provision_env", environment["run_id"])
        seeding.append(seconds_of([task for task in tasks if task["task_id"].startswith("create.")]))
        ready.append(taken.wall_s)
        cpu.append(taken.cpu_s)
        destroy(plane, asked)
    figures = {"seeding_s": seeding, "ready_s": ready, "cpu_s": cpu}  # the first warms what reads the new files
    return {name: round(statistics.median(each[1:]), 2) for name, each in figures.items()} | {
        "seeding_max_s": max(seeding[1:]),
        "dataset": environment["dataset"].rsplit("-", 1)[1],
    }


def main() -> None:
    plane = ControlPlane(read_settings())
    result = refreshed(plane)
    print(result, flush=True)
    result |= {"ci_environment": seeded(plane), "cores": os.cpu_count()}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
