"""What each DAG is, and which files it reads, seen by running the code: nothing here knows of `testenv.checks.impact`.

Takes roots of copies of a repository and prints, for each, by DAG: `files` that its code opens, and `is`, a digest of
its tasks with their templates, jobs and callables. Airflow is imported once; each root is parsed in a fork of its own.
"""

from __future__ import annotations

import dis
import hashlib
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import cosmos.operators.local  # noqa: F401  # warm, as all of Airflow
from airflow.models.dag import DAG
from airflow.models.dagbag import DagBag
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator  # noqa: F401
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator  # noqa: F401

opened: set[str] = set()


def look(root: Path, file: Path) -> dict[str, Any]:
    """Every DAG of one file of the repository at `root`, in a process that has imported nothing of it."""
    prefix = f"{root}/"
    sys.path.insert(0, str(root / "include"))
    sys.addaudithook(
        lambda event, args: opened.add(str(args[0])) if event == "open" and str(args[0]).startswith(prefix) else None
    )
    # Airflow reads the templates of all DAGs while it parses a file; here each DAG's are to be told apart.
    resolve, DAG.resolve_template_files = DAG.resolve_template_files, lambda _: None
    bag = DagBag(file, include_examples=False, collect_dags=True)
    DAG.resolve_template_files = resolve
    parsed, found = {*opened}, {}
    for dag in bag.dags.values():
        opened.clear()
        is_ = _describe(dag, root)
        files = {path.removeprefix(prefix) for path in parsed | opened if "__pycache__" not in path}
        found[dag.dag_id] = {"files": sorted(files), "is": is_}
    return found


def _imports(code: CodeType) -> Iterator[str]:
    """Modules that a function imports when it is called."""
    yield from (each.argval for each in dis.get_instructions(code) if each.opname == "IMPORT_NAME")
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _imports(inner)


def _describe(dag: Any, root: Path) -> str:
    """Everything about a DAG that its runs depend on; not what it says of itself to people."""
    dag.resolve_template_files()
    told: list[Any] = [dag.schedule_interval, dag.catchup, dag.max_active_runs, sorted(dag.tags)]
    for task in dag.tasks:
        told.append(
            [task.task_id, task.task_type, task.owner, task.retries, str(task.sla), sorted(task.upstream_task_ids)]
        )
        told.append([str(getattr(task, name, "")) for name in task.template_fields])
        told.append(task.params.dump())
        functions = [getattr(task, "python_callable", None), *(getattr(task, "interceptors", None) or [])]
        for function in filter(None, functions):
            told.append(inspect.getsource(function))
            for name in _imports(function.__code__):
                module = importlib.import_module(name)
                if str(module.__file__).startswith(f"{root}/"):
                    opened.add(str(module.__file__))
                    told.append(Path(str(module.__file__)).read_text())
        if job := (getattr(task, "job_driver", None) or {}).get("sparkSubmit", {}).get("entryPoint", ""):
            told.append(_read(root / "include" / "estate" / "spark" / job.rpartition("}")[2]))
        if project := getattr(task, "project_dir", None):
            told += [_read(file) for file in sorted(Path(project).rglob("*")) if file.is_file()]
    text = json.dumps(told, default=str).replace(str(root), "ROOT")
    return hashlib.sha256(text.encode()).hexdigest()


def _read(file: Path) -> str:
    return file.open().read() if file.is_file() else "missing"


def in_a_fork(root: Path, file: Path) -> dict[str, Any]:
    """What `look` finds, in a child that has all of Airflow and nothing of the repository."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            with os.fdopen(writer, "w") as answer:
                json.dump(look(root, file), answer)
            os._exit(0)
        except BaseException:  # noqa: BLE001  # the child must not go on as a second parent
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{file} could not be looked at")
    return dict(json.loads(text))


def main() -> None:
    for name in sys.argv[1:]:
        root, found = Path(name).resolve(), {}
        for file in sorted((root / "include" / "estate" / "dags").glob("*.py")):
            found |= in_a_fork(root, file)
        print(json.dumps(found))


if __name__ == "__main__":
    main()
