"""The catalog of pipelines, `include/catalog/pipelines.yaml`: what runs when, whose it is, what it reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from testenv.core.catalog import CATALOG, read
from testenv.core.contract import Contracts, Store
from testenv.core.errors import InvalidCatalog

FILE = CATALOG / "pipelines.yaml"


class Archetype(StrEnum):
    """How a pipeline moves data; named after the system that it reads."""

    POSTGRES = "postgres"
    S3 = "s3"
    KAFKA = "kafka"


class Criticality(StrEnum):
    """How much it matters when it stands still."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Pipeline(BaseModel):
    """One pipeline. `schedule` is a cron expression or one of Airflow's presets; inputs and outputs are contracts' ids.

    `sla` is how long after the end of its data interval the run must have ended. `lookback_days` is how much further
    back it reads than its interval.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    owner: str
    archetype: Archetype
    schedule: str
    sla: timedelta
    criticality: Criticality
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    streaming: bool = False
    lookback_days: int = 0


Pipelines = dict[str, Pipeline]
"""By id, which is the DAG's."""


def load_pipelines(contracts: Contracts, file: Path = FILE) -> Pipelines:
    """Every pipeline of `file`. Raises `InvalidCatalog` naming all that is wrong, at once: one line each."""
    content = read(file)
    entries = content.get("pipelines") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise InvalidCatalog(f"{file.name}: pipelines: must map ids to pipelines, got {entries!r}")
    pipelines: Pipelines = {}
    wrong: list[str] = []
    for id_, entry in entries.items():
        try:
            minutes = {"sla": timedelta(minutes=entry["sla"])} if isinstance(entry.get("sla"), int) else {}
            pipelines[id_] = Pipeline.model_validate({**entry, **minutes, "id": id_})
        except ValidationError as error:
            wrong += [
                f"{file.name}: {id_}.{'.'.join(map(str, each['loc']))}: {each['msg']}, got {each['input']!r}"
                for each in error.errors()
            ]
    wrong += [f"{file.name}: {line}" for pipeline in pipelines.values() for line in _unusable(pipeline, contracts)]
    if wrong:
        raise InvalidCatalog("\n".join(wrong))
    return pipelines


def _unusable(pipeline: Pipeline, contracts: Contracts) -> Iterator[str]:
    for name, ids in (("inputs", pipeline.inputs), ("outputs", pipeline.outputs)):
        if not ids:
            yield f"{pipeline.id}.{name}: must name a dataset, got none"
        for id_ in ids:
            if id_ not in contracts:
                yield f"{pipeline.id}.{name}: {id_!r} has no contract; write contracts/{id_}.yaml"
    if strays := [each for each in pipeline.inputs if not each.startswith(f"{pipeline.archetype}.")]:
        yield f"{pipeline.id}.inputs: a pipeline of archetype {pipeline.archetype} reads nothing else, got {strays}"
    if strays := [each for each in pipeline.outputs if not each.startswith(f"{Store.SNOWFLAKE}.")]:
        yield f"{pipeline.id}.outputs: pipelines write the warehouse, got {strays}"
    if pipeline.streaming and pipeline.archetype is not Archetype.KAFKA:
        yield f"{pipeline.id}.streaming: only topics are streams, got archetype {pipeline.archetype}"
    if pipeline.sla <= timedelta(0):
        yield f"{pipeline.id}.sla: must be above 0 minutes, got {pipeline.sla}"
    if pipeline.lookback_days < 0:
        yield f"{pipeline.id}.lookback_days: must not be below 0, got {pipeline.lookback_days}"
