"""The ledger's records as the page and the API show them: plain values, nothing secret."""

from __future__ import annotations

import mimetypes
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Response

from testenv.checks.kept import FILES
from testenv.checks.report import Report, headline, things, took
from testenv.core.contract import Contracts
from testenv.core.dataset import Dataset
from testenv.core.freshness import shown, stale
from testenv.core.kinds import load_kinds
from testenv.core.lifecycle import ENDED, State
from testenv.core.naming import EnvId, Names
from testenv.core.reap import Finding
from testenv.datasets.store import DatasetStore
from testenv.datasets.tapes.sets import TapeStore
from testenv.ledger import Environment, LedgerReader, StepRecord

LIVING = frozenset(State) - ENDED
"""States shown unless all are asked for."""


def environments(reader: LedgerReader, *, ended: bool = False) -> list[dict[str, Any]]:
    """What there is, newest first; with `ended`, what there was, too."""
    found = reader.environments(states=frozenset(State) if ended else LIVING)
    places = reader.queue_places(load_kinds())
    return [summary(environment, places) for environment in found]


def summary(environment: Environment, places: Mapping[EnvId, int]) -> dict[str, Any]:
    """One environment in one row, with its place if it is among those that wait. Times are ISO 8601 in UTC, or None."""
    spec, asked, ready = environment.spec, environment.requested_at, environment.ready_at
    return {
        "id": str(environment.env_id),
        "kind": spec.kind,
        "owner": spec.owner,
        "state": environment.state.value,
        "queue_place": places.get(environment.env_id),
        "ref": spec.ref,
        "dataset": spec.dataset,
        "tapes": spec.tapes,
        "requested_at": asked.isoformat(),
        "ready_at": _iso(ready),
        "ready_in_seconds": round((ready - asked).total_seconds(), 1) if ready else None,
        "expires_at": _iso(environment.expires_at),
        "ended_at": _iso(environment.ended_at),
        "reason": environment.reason,
        "run_id": environment.run_id,
    }


def details(reader: LedgerReader, environment: Environment) -> dict[str, Any]:
    """One environment with its parts, steps and events."""
    return summary(environment, reader.queue_places(load_kinds())) | {
        "on_failure": environment.spec.on_failure.value,
        "follows": environment.spec.follow,
        "kept": [str(thing) for thing in sorted(reader.keeping(environment.env_id).things)],
        "parts": parts(environment),
        "steps": [step(record) for record in reader.steps(environment.env_id)],
        "events": [
            {"at": at.isoformat(), "state": state, "text": text}
            for at, state, text in reader.events(environment.env_id)
        ],
    }


def parts(environment: Environment) -> dict[str, dict[str, str]]:
    """Where each part of the environment is: system → setting → name."""
    names = Names(environment.env_id)
    return {
        "snowflake": {
            "database": names.snowflake_database,
            "role": names.snowflake_role,
            "user": names.snowflake_user,
            "warehouse": environment.spec.warehouse,
        },
        "postgres": {"database": names.postgres_source, "user": names.postgres_role},
        "s3": {"prefix": names.prefix, "artifacts": names.artifacts, "role": names.iam_role},
        "kafka": {"topics": f"{names.topic_prefix}*", "user": names.kafka_user},
    }


def step(record: StepRecord) -> dict[str, Any]:
    """One step of the plan, and how it went."""
    resource = record.step.resource
    return {
        "action": record.step.action.value,
        "system": resource.system.value,
        "kind": resource.kind,
        "name": resource.name,
        "status": record.status,
        "attempts": record.attempts,
        "error": record.error,
    }


def finding(found: Finding) -> dict[str, Any]:
    """What reaping found, why, and what proves that it is ours."""
    return {
        "id": str(found.env_id),
        "why": found.why.value,
        "ends": found.ends,
        "words": found.words,
        "proof": found.proof,
        "resources": [str(resource) for resource in found.resources],
    }


def verdict(report: Report) -> dict[str, Any]:
    """The report with its three things in words, and the addresses of its files below the web server's."""
    return report.model_dump(mode="json") | {
        "headline": headline(report),
        "things": [asdict(thing) for thing in things(report)],
        "took": took(report),
        "files": {name: f"/testenv/environments/{report.env_id}/report/{name}" for name in FILES},
    }


def report(body: bytes, name: str) -> Response:
    """A file of a verdict for a browser. It was written by code that read a pull request: it may do nothing here."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    answer = Response(body, content_type=FILES.get(name, kind))
    answer.headers["Content-Security-Policy"] = "sandbox allow-scripts allow-popups"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def datasets(
    store: DatasetStore, living: Iterable[Environment], contracts: Contracts, now: datetime
) -> list[dict[str, Any]]:
    """Every dataset version, the published one first, with how much it holds and which environments stand on it."""
    current, pinned = store.current(), defaultdict(list)
    for environment in living:
        pinned[environment.spec.dataset].append(str(environment.env_id))
    found = [dataset(store.get(version), current, pinned[version], contracts, now) for version in store.versions()]
    return sorted(found, key=lambda one: (not one["published"], one["version"]))


def dataset(
    found: Dataset, current: str | None, environments: list[str], contracts: Contracts, now: datetime
) -> dict[str, Any]:
    """One dataset version in one row; `stale` has each contract whose promise it does not keep."""
    return {
        "version": found.version,
        "published": current in (found.version, found.version.rpartition("-")[0]),  # or a tier of it
        "rows": sum(found.postgres.values()) + sum(found.snowflake.values()),
        "records": sum(topic.records for topic in found.topics),
        "files": len(found.files),
        "snapshot": _iso(found.snapshot),
        "age": shown(now - found.snapshot) if found.snapshot else None,
        "stale": [one.contract for one in stale(contracts, found.snapshot, now)],
        "environments": sorted(environments),
    }


def tapes(store: TapeStore, living: Iterable[Environment]) -> list[dict[str, Any]]:
    """Every tape set, newest first, with what each topic holds and which environments are filled from it."""
    current, filled = store.current(), defaultdict(list)
    for environment in living:
        filled[environment.spec.tapes].append(str(environment.env_id))
    return [
        {
            "name": each.name,
            "current": each.name == current,
            "recorded_at": each.recorded_at.isoformat(),
            "topics": {topic.name: topic.records for topic in each.topics},
            "key_epoch": each.key_epoch,
            "environments": sorted(filled[each.name]),
        }
        for each in store.sets()
    ]


def remaining(expires_at: str | None, now: datetime) -> str:
    """Time left until an ISO 8601 time, in the two largest units: `2 d 3 h`; empty for no end."""
    if not expires_at:
        return ""
    minutes = int((datetime.fromisoformat(expires_at) - now).total_seconds() // 60)
    if minutes < 0:
        return "over"
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
