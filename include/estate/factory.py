"""DAGs from the catalog of pipelines, `pipelines.yaml`: whatever has no file of its own in `dags/`.

`include/catalog/pipelines.yaml` is the same file; `testenv.core.pipelines` validates it. It lies here because the
pipelines' code travels without the rest of the repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from airflow.models.dag import DAG

from estate.archetypes import copy_tables, drain_card_events, drain_topic, replace_feed, replace_settlements
from estate.feeds import FEEDS
from estate.tables import table_named
from estate.tasks import DAG_DEFAULTS, TASK_DEFAULTS

CATALOG = Path(__file__).parent / "pipelines.yaml"
DAGS = Path(__file__).parent / "dags"
AVRO = Path(__file__).parent / "schema" / "avro"

_STREAM_RUNS = 1
"""Runs of a drain at once: all share the checkpoint."""

_WHAT = {
    "postgres": "Extracts what changed in the interval and merges it by key",
    "s3": "Reads the files of a day with Spark and replaces the day",
    "kafka": "Drains the topic with Spark and merges its records by partition and offset",
}


@dataclass(frozen=True)
class Pipeline:
    """An entry. `sla` is in minutes, from the end of the data interval."""

    id: str
    owner: str
    archetype: str
    schedule: str
    sla: int
    criticality: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    streaming: bool = False
    lookback_days: int = 0

    @property
    def names(self) -> list[str]:
        """The inputs without their store."""
        return [each.split(".", 1)[1] for each in self.inputs]


def read_catalog(file: Path = CATALOG) -> dict[str, Pipeline]:
    """Every pipeline, by id. Raises `TypeError` where an entry has a field that is not known, or lacks one."""
    # The C loader where there is one: the file is read each time that a DAG file is parsed.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entries: Mapping[str, Mapping[str, Any]] = yaml.load(file.read_text(encoding="utf-8"), loader)["pipelines"]
    return {id_: Pipeline(id=id_, **entry) for id_, entry in entries.items()}


def generated(wanted: str | None = None) -> dict[str, DAG]:
    """The DAGs of all pipelines without a file of their own, by id; with `wanted`, that one alone, if it is one."""
    by_hand = {file.stem for file in DAGS.glob("*.py")}
    pipelines = read_catalog()
    ids = pipelines.keys() if wanted is None else pipelines.keys() & {wanted}
    return {id_: make_dag(pipelines[id_]) for id_ in ids if id_ not in by_hand}


def make_dag(pipeline: Pipeline) -> DAG:
    """The DAG of one pipeline. Raises `ValueError` for an archetype or input that is not known."""
    with DAG(
        pipeline.id,
        schedule=pipeline.schedule,
        max_active_runs=_STREAM_RUNS if pipeline.archetype == "kafka" else 16,
        tags=["finsight", pipeline.archetype, pipeline.criticality, *(("streaming",) if pipeline.streaming else ())],
        default_args=TASK_DEFAULTS | {"owner": pipeline.owner, "sla": timedelta(minutes=pipeline.sla)},
        doc_md=_doc(pipeline),
        **DAG_DEFAULTS,
    ) as dag:
        _define(pipeline)
    return dag


def _define(pipeline: Pipeline) -> None:
    first = pipeline.names[0]
    match pipeline.archetype:
        case "postgres":
            copy_tables([table_named(name) for name in pipeline.names], pipeline.id, pipeline.lookback_days)
        case "s3" if first == "settlements":
            replace_settlements(pipeline.lookback_days)
        case "s3":
            replace_feed(first, FEEDS[first].format, FEEDS[first].key, pipeline.lookback_days)
        case "kafka" if first == "card_events":
            drain_card_events(pipeline.id, folder=pipeline.id)
        case "kafka":
            drain_topic(first, pipeline.id, avro=any(AVRO.glob(f"*-{first}-value-v*.avsc")))
        case other:
            raise ValueError(f"{pipeline.id}: archetype {other!r} is not known; there are postgres, s3 and kafka")


def _doc(pipeline: Pipeline) -> str:
    what = _WHAT.get(pipeline.archetype, "")
    back = f", {pipeline.lookback_days} days back" if pipeline.lookback_days else ""
    return (
        f"### {pipeline.id.replace('_', ' ').capitalize()}\n\n{what}{back}.\n\n"
        f"From {', '.join(f'`{each}`' for each in pipeline.inputs)} to "
        f"{', '.join(f'`{each}`' for each in pipeline.outputs)}, "
        f"within {pipeline.sla} minutes of the interval's end.\n\n"
        "**Run it again** whenever you like: the same interval gives the same rows."
    )
