"""Parses each DAG file of the estate as Airflow's DAG processor does, and prints what it found as JSON.

Run in a process of its own, so that what a file imports, and how many CPU seconds it takes, is seen.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from airflow.models.dagbag import DagBag

folder = Path(sys.argv[1])
found = {}
for file in sorted(folder.glob("*.py")):
    before, began = set(sys.modules), time.process_time()
    bag = DagBag(file, include_examples=False, collect_dags=True)
    seconds = time.process_time() - began
    found[file.name] = {
        "errors": list(bag.import_errors.values()),
        "seconds": seconds,
        "imported": sorted(set(sys.modules) - before),
        "dags": [
            {
                "dag_id": dag.dag_id,
                "schedule": dag.schedule_interval,
                "catchup": dag.catchup,
                "tags": sorted(dag.tags),
                "doc": dag.doc_md,
                "tasks": {
                    task.task_id: {
                        "owner": task.owner,
                        "retries": task.retries,
                        "type": task.task_type,
                        "after": sorted(task.upstream_task_ids),
                    }
                    for task in dag.tasks
                },
            }
            for dag in bag.dags.values()
        ],
    }
print(json.dumps(found))
