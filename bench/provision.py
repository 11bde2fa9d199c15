"""Seconds from the REST call to READY, for one environment on a warm stack. Writes bench/results/provision.json.

Run by `make bench-provision`, with the stack's variables in the environment. Every environment is destroyed before the
next is asked for; what is left of any at the end is counted by the systems' own inventories.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from local.inventory import inventory
from testenv_cli.client import ControlPlane
from testenv_cli.errors import CliError, Exit
from testenv_cli.settings import read_settings

REPO = Path(__file__).resolve().parents[1]
RESULT = REPO / "bench" / "results" / "provision.json"
RUNS = 5
POLL_SECONDS = 0.5


def provision(plane: ControlPlane, name: str) -> dict[str, float]:
    """Provision one sandbox and destroy it; seconds of wall clock, and CPU seconds of the whole machine."""
    cpu, start = _cpu_seconds(), time.monotonic()
    run = plane.trigger("provision_env", {"name": name, "owner": "bench"})
    _await(plane, "provision_env", run, lambda: _state(plane, f"sbx-{name}") == "ready")
    ready, cpu_ready = time.monotonic(), _cpu_seconds()
    run = plane.trigger("destroy_env", {"environment": f"sbx-{name}"})
    _await(plane, "destroy_env", run, lambda: _state(plane, f"sbx-{name}") == "destroyed")
    return {
        "ready_s": round(ready - start, 2),
        "cpu_s": round(cpu_ready - cpu, 2),
        "destroy_s": round(time.monotonic() - ready, 2),
    }


def _await(plane: ControlPlane, dag_id: str, run_id: str, done: Callable[[], bool]) -> None:
    """Ask `done` until it says yes; ends the benchmark when the run fails before."""
    for asked in itertools.count(1):  # each question costs the web server CPU that the run could use
        if done():
            return
        if asked % 20 == 0 and plane.run(dag_id, run_id)["state"] == "failed":
            sys.exit(f"{dag_id} failed: {plane.grid(dag_id, run_id)}")
        time.sleep(POLL_SECONDS)


def _state(plane: ControlPlane, env_id: str) -> str:
    try:
        return str(plane.environment(env_id)["state"])
    except CliError as error:
        if error.code is Exit.NOT_FOUND:  # its first task has not begun
            return ""
        raise


def _cpu_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    plane = ControlPlane(read_settings())
    provision(plane, "warm")  # the first one reads every file and opens every connection for the first time
    runs = [provision(plane, f"bench{number}") for number in range(RUNS)]
    left = inventory(os.environ)
    result = {
        "single_p50_s": statistics.median(run["ready_s"] for run in runs),
        "single_max_s": max(run["ready_s"] for run in runs),
        "destroy_p50_s": statistics.median(run["destroy_s"] for run in runs),
        "cpu_s_per_environment": statistics.median(run["cpu_s"] for run in runs),
        "leaked_resources": sum(map(len, left.values())),
        "runs": runs,
        "cores": os.cpu_count(),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "runs"}, indent=2))
    if result["leaked_resources"]:
        sys.exit(f"left behind: {left}")


if __name__ == "__main__":
    main()
