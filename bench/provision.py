"""How long environments take, one at a time and forty at once. Writes bench/results/provision.json.

What is measured is what an environment is for: a commit that changes something, here one dbt model. Of those at once,
the sandboxes are of the files as they stand, and have nothing to build.

Run by `make bench-provision` on a warm stack, with its variables in the environment. Seconds are of the wall clock,
from the REST call on; CPU seconds are of the whole machine, which should do nothing else. What is left at the end is
counted by the systems' own inventories.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from tests.commits import commit

from local.demo.contents import contents
from local.inventory import inventory
from testenv import dbt
from testenv.backends.registry import connect_engine
from testenv.build import prepare_build
from testenv.config import Config
from testenv.core.resources import System
from testenv_cli.client import ControlPlane
from testenv_cli.settings import read_settings

REPO = Path(__file__).resolve().parents[1]
RESULT = REPO / "bench" / "results" / "provision.json"

SINGLES = 5
SIZES = (10, 20, 40)
"""Environments at once; three of four are ci, the others sandboxes: of forty, thirty and ten."""

PIPELINE, DATE = "payments_to_snowflake", "2026-01-02"
"""What every one of the forty runs, for the same logical date."""

CHANGED_MODEL = "include/dbt/finsight/models/marts/fct_payments.sql"
"""The model that a changed commit changes."""

PATIENCE = 1200
"""Seconds until the benchmark gives up on a stage."""


@dataclass
class Timing:
    """Seconds that a stage took."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def timing() -> Iterator[Timing]:
    taken, cpu, start = Timing(), _cpu_seconds(), time.monotonic()
    yield taken
    taken.wall_s, taken.cpu_s = round(time.monotonic() - start, 2), round(_cpu_seconds() - cpu, 2)


def _cpu_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system)


# ---------------------------------------------------------------- through Airflow


def provision(plane: ControlPlane, requests: Sequence[dict[str, Any]]) -> tuple[Timing, list[str]]:
    """Ask for environments at once; until all are ready. Returns the ids of those that did not get so far, too."""
    with timing() as taken:
        with ThreadPoolExecutor(min(8, len(requests))) as pool:
            list(pool.map(lambda request: plane.trigger("provision_env", request), requests))
        wanted = {env_id(request) for request in requests}
        failed: set[str] = set()

        def settled() -> bool:
            states = _states(plane)
            failed.update(name for name in wanted if states.get(name) in ("quarantined", "refused", "destroying"))
            return all(states.get(name) == "ready" for name in wanted - failed)

        wait(settled, f"{len(requests)} environments are ready")
    return taken, sorted(failed)


def destroy(plane: ControlPlane, requests: Sequence[dict[str, Any]]) -> Timing:
    """Destroy environments at once; until nothing of them is left."""
    with timing() as taken:
        with ThreadPoolExecutor(min(8, len(requests))) as pool:
            list(pool.map(lambda request: plane.trigger("destroy_env", {"environment": env_id(request)}), requests))
        names = {env_id(request) for request in requests}
        wait(lambda: not names & _states(plane).keys(), f"{len(requests)} environments are gone")
    return taken


def run_everywhere(plane: ControlPlane, requests: Sequence[dict[str, Any]]) -> tuple[Timing, int]:
    """Run one pipeline in all environments for one date; returns how many of them then differ from the first."""
    with timing() as taken:
        runs = [
            plane.trigger("run_pipeline", {"environment": env_id(request), "dag_id": PIPELINE, "logical_date": DATE})
            for request in requests
        ]

        def ended() -> bool:
            newest = {run["dag_run_id"]: run["state"] for run in plane.runs("run_pipeline")}
            return all(newest.get(run) in ("success", "failed") for run in runs)

        wait(ended, f"{PIPELINE} has ended in {len(requests)} environments")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda request: contents(plane.connect(env_id(request))), requests))
    return taken, sum(other["raw"] != found[0]["raw"] or other["marts"] != found[0]["marts"] for other in found)


def request(name: str, kind: str = "sandbox", ref: str = "working-tree") -> dict[str, Any]:
    return {"name": name, "kind": kind, "ref": ref, "owner": "bench"}


def env_id(request: dict[str, Any]) -> str:
    return f"{'ci' if request['kind'] == 'ci' else 'sbx'}-{request['name']}"


def mixture(size: int, ref: str) -> list[dict[str, Any]]:
    """Three ci environments of a changed commit for each sandbox of the files as they stand."""
    return [
        request(f"b{size}-{number}") if number % 4 == 3 else request(f"b{size}-{number}", "ci", ref)
        for number in range(size)
    ]


def _states(plane: ControlPlane) -> dict[str, str]:
    return {environment["id"]: environment["state"] for environment in plane.environments(ended=False)}


def wait(
    done: Callable[[], bool], what: str, seconds: float = PATIENCE, pause: Callable[[float], float] = lambda _: 0.5
) -> None:
    """Until it is done; `pause` gives the seconds until the next look from those that were waited."""
    began = time.monotonic()
    while not done():  # each question costs the web server CPU that the run could use
        if (waited := time.monotonic() - began) > seconds:
            sys.exit(f"gave up: not within {seconds:.0f} s: {what}")
        time.sleep(pause(waited))


# ---------------------------------------------------------------- without Airflow


def provision_directly(config: Config, asked: dict[str, Any]) -> Timing:
    """The same steps, applied by the engine in this process one after another."""
    engine = connect_engine(config)
    with timing() as taken, tempfile.TemporaryDirectory() as folder:
        name = engine.request(asked, run_id=asked["name"], fallback_name="unused").env_id
        engine.admit(name)
        engine.ensure(name, list(System))
        if engine.builds_models(name):
            build = prepare_build(engine, config, name, Path(folder, "code"), "{}")
            dbt.build(config.dbt, build.project, Path(folder, "target"), build.environ, *build.arguments)
        engine.verify(name)
        engine.ready(name)
    engine.drain(name)
    engine.destroy(name, list(System))
    engine.verify_gone(name)
    return taken


def changed_commit() -> str:
    """A commit that changes one model, on no branch: what a pull request would bring."""
    return commit({CHANGED_MODEL: f"{(REPO / CHANGED_MODEL).read_text()}\n-- changed by the benchmark\n"})


# ---------------------------------------------------------------- the benchmark


def one_at_a_time(plane: ControlPlane, config: Config, ref: str, name: str) -> dict[str, Any]:
    """An environment of `ref`, again and again: through Airflow and directly, in turn."""
    through, direct, gone = [], [], []
    for number in range(SINGLES):
        asked = [request(f"{name}{number}", ref=ref)]
        taken, failed = provision(plane, asked)
        if failed:
            sys.exit(f"{failed} did not become ready")
        through.append(taken)
        gone.append(destroy(plane, asked))
        direct.append(provision_directly(config, asked[0]))
    seconds = {"airflow": through, "direct": direct, "destroy": gone}
    p50 = {what: statistics.median(taken.wall_s for taken in timings) for what, timings in seconds.items()}
    return {
        "p50_s": p50["airflow"],
        "max_s": max(taken.wall_s for taken in through),
        "cpu_s": statistics.median(taken.cpu_s for taken in through),
        "direct_p50_s": p50["direct"],
        "overhead_ratio": round(p50["airflow"] / p50["direct"], 2),
        "destroy_p50_s": p50["destroy"],
    }


def at_once(plane: ControlPlane, size: int, ref: str) -> dict[str, Any]:
    """`size` environments at once: made, the largest number of them used, destroyed."""
    asked = mixture(size, ref)
    made, failed = provision(plane, asked)
    result = {"ready_s": made.wall_s, "cpu_s_each": round(made.cpu_s / size, 2), "failures": len(failed)}
    print(f"{size} at once: {result}", flush=True)
    if size == max(SIZES):
        used, different = run_everywhere(plane, [r for r in asked if env_id(r) not in failed])
        result |= {"pipeline_s": used.wall_s, "pipeline_cpu_s_each": round(used.cpu_s / size, 2), "wrong": different}
    gone = destroy(plane, [r for r in asked if env_id(r) not in failed])
    return result | {"destroy_s": gone.wall_s, "destroy_cpu_s_each": round(gone.cpu_s / size, 2)}


def main() -> None:
    plane, config, ref = ControlPlane(read_settings()), Config.from_environ(), changed_commit()
    for warming in (request("warm"), request("warm-changed", ref=ref)):  # what comes first reads every file
        provision(plane, [warming])
        destroy(plane, [warming])
    single = one_at_a_time(plane, config, ref, "changed")
    print(f"one environment of a changed commit: {single}", flush=True)
    same = one_at_a_time(plane, config, "working-tree", "same")
    print(f"one environment with nothing to build: {same}", flush=True)
    many = {size: at_once(plane, size, ref) for size in SIZES}
    left = inventory(os.environ)
    forty = many[max(SIZES)]
    result = {
        "single_p50_s": single["p50_s"],
        "overhead_ratio": single["overhead_ratio"],
        "cpu_s_per_environment": single["cpu_s"],
        "forty_all_ready_s": forty["ready_s"],
        "forty_failures": forty["failures"],
        "forty_destroy_s": forty["destroy_s"],
        "forty_wrong_contents": forty["wrong"],
        "growth_10_to_40": round(forty["ready_s"] / SIZES[-1] / (many[SIZES[0]]["ready_s"] / SIZES[0]), 2),
        "leaked_resources": sum(map(len, left.values())),
        "single": single,
        "single_with_nothing_to_build": same,
        "at_once": {str(size): numbers for size, numbers in many.items()},
        "cores": os.cpu_count(),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if result["leaked_resources"]:
        sys.exit(f"left behind: {left}")


if __name__ == "__main__":
    main()
