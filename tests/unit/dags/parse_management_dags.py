"""Parses each file of a DAGs folder in this fresh process; prints what it found as JSON on the last line."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from airflow.models import DAG, DagBag
from airflow.serialization.serialized_objects import SerializedDAG


def described(dag: DAG) -> dict[str, Any]:
    return {
        "doc": dag.doc_md,
        "tags": sorted(dag.tags),
        "max_active_runs": dag.max_active_runs,
        "params": {name: vars(dag.params.get_param(name)) for name in dag.params},
        "defaults": {name: dag.params[name] for name in dag.params if dag.params.get_param(name).has_value},
        "tasks": {
            task.task_id: {
                "name": task.task_display_name,
                "upstream": sorted(task.upstream_task_ids),
                "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
                "notes_failure": task.on_failure_callback is not None,
                "teardown": task.is_teardown,
                "pool": task.pool,
                "in_triggerer": task.start_from_trigger,
                "trigger_rule": str(task.trigger_rule),
                "at_once": task.max_active_tis_per_dagrun,
                "retries": task.retries,
                "template_fields": list(task.template_fields),
            }
            for task in dag.tasks
        },
    }


def main(folder: Path) -> None:
    files = {}
    for file in sorted(folder.glob("*.py")):
        start = time.process_time()
        bag = DagBag(file, include_examples=False)
        seconds = time.process_time() - start
        for dag in bag.dags.values():
            SerializedDAG.to_dict(dag)  # the scheduler must be able to store it
        dags = {name: described(dag) for name, dag in bag.dags.items()}
        files[file.name] = {"errors": bag.import_errors, "seconds": seconds, "dags": dags}
    print(json.dumps({"files": files, "imported": sorted(sys.modules)}, default=repr))


main(Path(sys.argv[1]))
