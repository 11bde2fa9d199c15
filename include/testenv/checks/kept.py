"""What a verdict leaves on its way, below `artifacts/ENV/verdict/`: plan, contracts, checks' verdicts, stages, report.

The steps of a verdict are tasks of different workers; this is all that one tells the next.
"""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from pydantic import TypeAdapter

from testenv.checks.plan import Plan
from testenv.checks.protocol import Verdict
from testenv.checks.report import Report, Stage, html, junit
from testenv.core.contract import Contracts
from testenv.core.errors import NotFound
from testenv.core.naming import EnvId
from testenv.core.pipelines import Pipelines

FOLDER = "verdict/"
"""Below the artifacts; the environment itself may not write there (`backends.roles`)."""

FILES = {
    "report.html": "text/html; charset=utf-8",
    "report.json": "application/json",
    "junit.xml": "application/xml",
}
"""What a report is written as, with its content type."""

DATA_DOCS = "quality/index.html"
"""First page of what Great Expectations has to say, where it was asked."""

STAGES = ("select", "provision", "trial", "checks", "report")
"""In the order in which they are told."""

_CONTRACTS: TypeAdapter[Contracts] = TypeAdapter(Contracts)
_PIPELINES: TypeAdapter[Pipelines] = TypeAdapter(Pipelines)


class Artifacts(Protocol):
    """Where environments' artifacts are kept."""

    def put(self, env_id: EnvId, path: str, body: bytes, content_type: str = "application/json") -> None:
        """Keep `body` at `path`, in place of what was there."""

    def get(self, env_id: EnvId, path: str) -> bytes | None:
        """What is kept at `path`, or `None`."""


def cpu_clock() -> float:
    """CPU seconds of this process and of those that it waited for."""
    return sum(os.times()[:4])


@dataclass(frozen=True)
class Kept:
    """One verdict's files."""

    artifacts: Artifacts
    env_id: EnvId

    # ---------------------------------------------------------------- plan

    def plan(self) -> Plan:
        """The plan. Raises `NotFound`."""
        kept = self.get("plan.json")
        if not kept:
            raise NotFound(f"{self.env_id} has no verdict, and none is being made. bin/testenv ci asks for one")
        return Plan.model_validate_json(kept)

    def put_plan(self, plan: Plan) -> None:
        self.put("plan.json", plan.model_dump_json().encode())

    def contracts(self, side: str) -> Contracts:
        """The contracts of a side: reading them from their files anew would cost each check seconds."""
        return _CONTRACTS.validate_json(self.get(f"contracts/{side}.json") or b"{}")

    def put_contracts(self, side: str, contracts: Contracts) -> None:
        self.put(f"contracts/{side}.json", _CONTRACTS.dump_json(contracts))

    def pipelines(self, side: str) -> Pipelines:
        """The whole catalogue of a side."""
        return _PIPELINES.validate_json(self.get(f"pipelines/{side}.json") or b"{}")

    def put_pipelines(self, side: str, pipelines: Pipelines) -> None:
        self.put(f"pipelines/{side}.json", _PIPELINES.dump_json(pipelines))

    def manifest(self, side: str) -> dict[str, Any] | None:
        """dbt's manifest of a side; None where the project does not differ."""
        kept = self.get(f"manifests/{side}.json")
        return json.loads(kept) if kept else None

    def put_manifest(self, side: str, manifest: Mapping[str, Any]) -> None:
        self.put(f"manifests/{side}.json", json.dumps(manifest).encode())

    def outside(self) -> dict[str, str]:
        """Fingerprints of what the trial may not touch, taken before it."""
        return dict(json.loads(self.get("outside.json") or b"{}"))

    def put_outside(self, fingerprints: Mapping[str, str]) -> None:
        self.put("outside.json", json.dumps(fingerprints, sort_keys=True).encode())

    def forget(self) -> None:
        """Of an earlier try of the same run nothing counts any more. Artifacts are not deleted; empty ones are none."""
        earlier = self.get("plan.json")
        if not earlier:
            return
        checks = (f"checks/{name}.json" for name in Plan.model_validate_json(earlier).checks)
        stages = (f"stages/{name}.json" for name in STAGES)
        for path in ("plan.json", *checks, *stages, *FILES):
            self.put(path, b"")

    # ---------------------------------------------------------------- verdicts and stages

    def verdicts(self, names: Collection[str]) -> dict[str, Verdict]:
        """What each check said that has said something."""
        kept = {name: self.get(f"checks/{name}.json") for name in names}
        return {name: Verdict.model_validate_json(each) for name, each in kept.items() if each}

    def put_verdict(self, verdict: Verdict) -> None:
        self.put(f"checks/{verdict.check}.json", verdict.model_dump_json().encode())

    def stages(self) -> tuple[Stage, ...]:
        """What each stage took, of those that are over."""
        kept = [self.get(f"stages/{name}.json") for name in STAGES]
        return tuple(Stage.model_validate_json(each) for each in kept if each)

    def put_stage(self, stage: Stage) -> None:
        self.put(f"stages/{stage.name}.json", stage.model_dump_json().encode())

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """Write down what the block took as a stage, however it ends."""
        began, cpu = monotonic(), cpu_clock()
        try:
            yield
        finally:
            self.put_stage(Stage(name=name, seconds=monotonic() - began, cpu_seconds=cpu_clock() - cpu))

    # ---------------------------------------------------------------- report

    def report(self) -> Report:
        """The report. Raises `NotFound`."""
        return Report.model_validate_json(self.file("report.json"))

    def put_report(self, report: Report) -> None:
        """As a page, as JUnit XML, and, last, as JSON: with that there is a verdict."""
        links = {"JUnit": "junit.xml", "JSON": "report.json"}
        if self.get(DATA_DOCS):
            links["Data docs"] = DATA_DOCS
        written = {
            "report.html": html.render(report, links).encode(),
            "junit.xml": junit.render(report),
            "report.json": report.model_dump_json(indent=2).encode(),
        }
        for name, body in written.items():
            self.put(name, body, FILES[name])

    def file(self, name: str) -> bytes:
        """A file of the report, or what a check has put beside it. Raises `NotFound`."""
        kept = None if ".." in name.split("/") else self.get(name)
        if not kept:
            raise NotFound(f"{self.env_id} has no {name}: its verdict is not there yet, or 30 days are over")
        return kept

    def put_for_people(self, path: str, body: bytes) -> None:
        """What a check leaves beside the report, such as data docs: the report's pages find it by the same path."""
        self.put(path, body, mimetypes.guess_type(path)[0] or "application/octet-stream")

    # ---------------------------------------------------------------- bytes

    def get(self, path: str) -> bytes | None:
        return self.artifacts.get(self.env_id, FOLDER + path)

    def put(self, path: str, body: bytes, content_type: str = "application/json") -> None:
        self.artifacts.put(self.env_id, FOLDER + path, body, content_type)
