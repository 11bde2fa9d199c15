"""Seconds from the REST call to READY, for one environment on a warm stack. Writes bench/results/provision.json.

Run by `make bench-provision`, with the stack's variables in the environment. Every environment is destroyed before the
next is asked for; what is left of any at the end is counted by the systems' own inventories.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from local.inventory import inventory

REPO = Path(__file__).resolve().parents[1]
RESULT = REPO / "bench" / "results" / "provision.json"
RUNS = 5


def testenv(*arguments: str) -> Any:
    """The answer of one CLI call, as JSON."""
    done = subprocess.run(
        [REPO / "bin" / "testenv", *arguments, "--json"], capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        sys.exit(f"testenv {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def provision(name: str) -> dict[str, float]:
    """Provision one sandbox and destroy it; seconds of wall clock, and CPU seconds of the whole machine."""
    cpu, start = _cpu_seconds(), time.monotonic()
    testenv("up", "--name", name, "--owner", "bench")
    ready, cpu_ready = time.monotonic(), _cpu_seconds()
    testenv("down", f"sbx-{name}")
    return {
        "ready_s": round(ready - start, 2),
        "cpu_s": round(cpu_ready - cpu, 2),
        "destroy_s": round(time.monotonic() - ready, 2),
    }


def _cpu_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    provision("warm")  # the first one reads every file and opens every connection for the first time
    runs = [provision(f"bench{number}") for number in range(RUNS)]
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
