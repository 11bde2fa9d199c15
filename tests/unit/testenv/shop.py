"""A small repository under test, in git, with what a verdict reads of one: layout, catalogue, contracts, DAGs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.unit.testenv.checks.schema.shop import Shop

LAYOUT = """
dags: [dags]
catalogue: {file: pipelines.yaml}
contracts: [include/catalog/contracts]
batches: [batch]
"""
CATALOGUE = """
pipelines:
  orders_stream:
    {owner: sales, archetype: kafka, schedule: '@hourly', sla: 60, criticality: high, streaming: true,
     inputs: [kafka.orders], outputs: [snowflake.RAW.ORDERS]}
  other: {owner: sales, archetype: kafka, schedule: '@hourly', sla: 60, criticality: low,
     inputs: [kafka.orders], outputs: [snowflake.RAW.ORDERS]}
"""
DAG = '''"""Orders."""
from airflow.models import DAG

with DAG(dag_id="{name}", schedule="@hourly"):
    RETRIES = {retries}
'''


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make(folder: Path) -> Path:
    """The repository, its first commit tagged `base`."""
    Shop().tree(folder, "base")
    write(folder, {"testenv.yaml": LAYOUT, "pipelines.yaml": CATALOGUE})
    for name in ("orders_stream", "other"):
        write(folder, {f"dags/{name}.py": DAG.format(name=name, retries=1)})
    git(folder, "init", "-q")
    commit(folder, "base")
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def commit(folder: Path, tag: str, files: dict[str, str] | None = None) -> str:
    """Commit these files, changed, as `tag`."""
    write(folder, files or {})
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", tag, "--allow-empty")
    git(folder, "tag", tag)
    return git(folder, "rev-parse", "HEAD")
