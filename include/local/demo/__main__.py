"""Does what README promises of `make demo`, by the commands a user would type, and writes HOME/demo.json."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from local import envfile
from local.demo.contents import Contents, contents
from local.home import REPO, venv_bin
from local.inventory import inventory

DATE = "2026-01-02"
"""The logical date whose rows the seed data is made for."""

LOADS = ("payments_to_snowflake", "settlements_to_snowflake", "card_events_to_snowflake")
BUILD = "finsight_dbt"

ENVIRONMENTS = ("sbx-demo", "sbx-second")

console = Console(highlight=False)


class Demo:
    """One run of the demo. `stages` fills with the seconds each stage took."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.stages: dict[str, float] = {}
        self.environ: Mapping[str, str] = {}

    def run(self) -> int:
        """The whole way; returns the number of resources left behind."""
        with self._stage("start the stack"):
            self._stack("up")
        self.environ = envfile.read(self.home / "stack.env")
        os.environ.update(self.environ)  # clients in this process trust the stack's authority too
        with self._stage("fill production"):
            self._command("production", venv_bin("airflow"), "-m", "estate.production", "fill")
        self._clear()
        with self._stage("provision a sandbox"):
            self._testenv("up", "--name", "demo", "--owner", "demo")
        with self._stage("run the pipelines in it"):
            self._run_side_by_side("sbx-demo", LOADS)
            self._testenv("run", "sbx-demo", BUILD, DATE)
        first = contents(self._testenv("connect", "sbx-demo", "--json"))
        self._show_rows(first)
        with self._stage("provision a second one beside it"):
            self._testenv("up", "--name", "second", "--owner", "demo")
        with self._stage("run one pipeline in it"):
            self._testenv("run", "sbx-second", LOADS[0], DATE)
        self._show_differences(first, contents(self._testenv("connect", "sbx-second", "--json")))
        with self._stage("destroy both"):
            for name in ENVIRONMENTS:
                self._testenv("down", name)
        left = inventory(self.environ)
        leaked = sum(map(len, left.values()))
        self._show_inventory(left)
        self._write(first, leaked)
        return leaked

    def _clear(self) -> None:
        """End what an earlier demo that was broken off has left."""
        there = [environment["id"] for environment in self._testenv("list", "--json")]
        for name in ENVIRONMENTS:
            if name in there:
                self._testenv("down", name)

    # ---------------------------------------------------------------- what it shows

    def _show_rows(self, found: Contents) -> None:
        table = Table("layer", "what", "rows", title=f"What sbx-demo holds after the runs for {DATE}")
        for layer, parts in found.items():
            for name, (count, _) in parts.items():
                table.add_row(layer, name, str(count))
        console.print(table)

    def _show_differences(self, first: Contents, second: Contents) -> None:
        """The two hold the same where they did the same; raises `SystemExit` where they should and do not."""
        same, other = [], []
        for layer, parts in first.items():
            for name, value in parts.items():
                (same if second.get(layer, {}).get(name) == value else other).append(f"{layer}.{name}")
        raw = [f"raw.{name}" for name in ("customers", "accounts", "cards", "payments")]
        must = [entry for entry in [*_names(first, "source", "landing", "topics"), *raw] if entry not in same]
        table = Table("sbx-demo and sbx-second", "", title="Two environments beside each other")
        table.add_row("equal to the last row", ", ".join(same))
        table.add_row(
            f"different, for only sbx-demo ran {', '.join([*LOADS[1:], BUILD])}", ", ".join(other) or "nothing"
        )
        table.add_row("different always", "their names, logins and addresses")
        console.print(table)
        if must:
            sys.exit(f"these should be equal in both environments and are not: {', '.join(must)}")

    def _show_inventory(self, left: Mapping[str, list[str]]) -> None:
        table = Table("system", "what it still has", title="The systems' own inventories after destroying both")
        for system, names in left.items():
            table.add_row(system, ", ".join(names) or "nothing")
        console.print(table)

    def _write(self, first: Contents, leaked: int) -> None:
        rows = {layer: {name: count for name, (count, _) in parts.items()} for layer, parts in first.items()}
        report = {"stages": self.stages, "rows": rows, "leaked_resources": leaked}
        (self.home / "demo.json").write_text(json.dumps(report, indent=2) + "\n")
        table = Table("stage", "seconds", title=f"{sum(self.stages.values()):.0f} s in all")
        for stage, seconds in self.stages.items():
            table.add_row(stage, f"{seconds:.1f}")
        console.print(table)
        console.print(
            f"The Airflow UI is at [bold]{self.environ['TESTENV_AIRFLOW_URL']}[/]: log in as "
            f"{self.environ['TESTENV_AIRFLOW_USER']} with the password after TESTENV_AIRFLOW_PASSWORD in "
            f"{self.home / 'stack.env'}.\nTry `bin/testenv up`; `make down` stops the stack."
        )

    # ---------------------------------------------------------------- how it does it

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        console.rule(f"[bold]{name}")
        start = time.monotonic()
        yield
        self.stages[name] = round(time.monotonic() - start, 2)

    def _stack(self, command: str) -> None:
        self._run([venv_bin("local"), "-m", "local", command, "--home", self.home], os.environ)

    def _command(self, credentials: str, *command: object) -> None:
        environ = {**os.environ, **self.environ, **envfile.read(self.home / f"{credentials}.env")}
        self._run([str(part) for part in command], environ)

    def _testenv(self, *arguments: str) -> Any:
        """One CLI call: its answer where it is asked for JSON, else shown as it runs."""
        command = [REPO / "bin" / "testenv", *arguments]
        environ = {**os.environ, **self.environ}
        if "--json" not in arguments:
            console.print(f"[bold green]$ bin/testenv {' '.join(arguments)}")
            return self._run(command, environ)
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"bin/testenv {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def _run_side_by_side(self, env_id: str, dags: Sequence[str]) -> None:
        """Run pipelines that do not depend on each other, and tell of each when it has ended."""

        def run(dag: str) -> None:
            start = time.monotonic()
            self._testenv("run", env_id, dag, DATE, "--json")
            console.print(f"[bold green]$ bin/testenv run {env_id} {dag} {DATE}[/]  {time.monotonic() - start:.1f} s")

        with ThreadPoolExecutor(len(dags)) as pool:
            list(pool.map(run, dags))

    def _run(self, command: list[Any], environ: Mapping[str, str]) -> None:
        sys.stdout.flush()
        done = subprocess.run(command, env={**environ, "PYTHONPATH": f"{REPO}/include:{REPO}/plugins"}, check=False)
        if done.returncode:
            sys.exit(f"the demo stopped: {' '.join(map(str, command))} ended with {done.returncode}")


def _names(found: Contents, *layers: str) -> list[str]:
    return [f"{layer}.{name}" for layer in layers for name in found[layer]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("TESTENV_HOME", REPO / ".local")))
    sys.exit(1 if Demo(parser.parse_args().home.absolute()).run() else 0)
