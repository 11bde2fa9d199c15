"""No pipeline is left out that a change reaches: held against what is seen when the code runs, `oracle.py`."""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.testenv.checks.impact.repository import affected, files, text

CODE = ("include/estate/", "include/dbt/", "include/catalog/contracts/")
APART = ("include/estate/production/", "include/estate/seed/", "include/estate/schema/")
CATALOGUE = "include/estate/pipelines.yaml"
MUTATIONS = 8


def mutated(path: str, chance: random.Random) -> str:
    """The file with one change that means something."""
    content = text(path)
    if path == CATALOGUE:
        lines = content.splitlines(keepends=True)
        place = chance.choice([n for n, line in enumerate(lines) if "schedule:" in line])
        was, now = chance.choice([("owner: ", "owner: new_"), ("sla: ", "sla: 1"), ("criticality: ", "criticality: x")])
        lines[place] = lines[place].replace(was, now)
        return "".join(lines)
    if path.endswith(".py"):
        return _mutated_python(content, chance)
    if path.endswith(".sql"):
        return content + "\nselect 1 as another\n"
    return content + "\n# another\nanother: 1\n"


def _mutated_python(content: str, chance: random.Random) -> str:
    """One text or number of the program is another."""
    tree = ast.parse(content)
    stated = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    pieces = {id(each) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for each in ast.walk(node)}
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in (str, int) and id(node) not in stated | pieces
        if node.lineno == node.end_lineno
    ]
    if not found:
        return content + "\nANOTHER = 1\n"
    node = chance.choice(found)
    lines = content.encode().splitlines(keepends=True)
    line = lines[node.lineno - 1]
    value = f"{node.value}_x" if isinstance(node.value, str) else node.value + 1  # type: ignore[operator]
    lines[node.lineno - 1] = line[: node.col_offset] + repr(value).encode() + line[node.end_col_offset :]
    return b"".join(lines).decode()


def subjects() -> list[str]:
    """Files whose change is tried: the pipelines' own."""
    found = [path for path in files() if path.startswith(CODE) and not path.startswith(APART)]
    return sorted(path for path in found if path.endswith((".py", ".sql")) or path == CATALOGUE)


def tried() -> list[tuple[str, str]]:
    """Path and new content of each mutation, the same in every run: the catalogue twice, the rest drawn."""
    chance = random.Random(20)
    shared = [path for path in subjects() if path.startswith("include/estate/") and path.endswith(".py")]
    drawn = [CATALOGUE, CATALOGUE, *chance.sample(shared, 4), *chance.sample(subjects(), MUTATIONS - 6)]
    return [(path, mutated(path, chance)) for path in drawn]


pytestmark = pytest.mark.timeout(900)  # a machine that is busy with other tests takes long to parse nine estates


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the oracle sees of the repository, and of each mutation of it."""
    folder = tmp_path_factory.mktemp("mutations")
    roots = []
    for number, change in enumerate([{}, *({path: content} for path, content in tried())]):
        roots.append(root := folder / str(number))
        for path, content in (files() | {path: new.encode() for path, new in change.items()}).items():
            if path.startswith(CODE) and not path.startswith("include/estate/seed/"):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content)
    environ = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("oracle.py")), *map(str, roots)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_the_oracle_sees_all_pipelines_and_what_they_read(seen: list[dict[str, Any]]) -> None:
    base = seen[0]
    assert len(base) == 121 and len(seen) == MUTATIONS + 1
    assert {"include/estate/sql/merge_table.sql", "include/estate/extract.py", "include/estate/__init__.py"} < {
        *base["customers_hourly"]["files"]
    }
    assert "include/estate/spark/topic.py" in base["login_events_stream"]["files"]
    assert "include/dbt/finsight/models/marts/dim_customers.sql" in base["finsight_dbt"]["files"]
    assert "include/estate/sql/merge_table.sql" not in base["login_events_stream"]["files"]


def test_whoever_reads_a_file_is_affected_by_its_change(seen: list[dict[str, Any]]) -> None:
    chance = random.Random(7)
    readable = sorted({path for dag in seen[0].values() for path in dag["files"]} - {CATALOGUE})
    assert len(readable) > 40
    models = [path for path in readable if path.startswith("include/dbt/")]
    for path in [*sorted({*readable} - {*models}), *chance.sample(models, 3)]:
        readers = {id_ for id_, dag in seen[0].items() if path in dag["files"]}
        missing = readers - affected({path: mutated(path, chance)}).names
        assert not missing, f"{path} is read by {sorted(missing)}, which are left out"


@pytest.mark.parametrize("number", range(MUTATIONS))
def test_no_pipeline_that_is_left_out_is_another(seen: list[dict[str, Any]], number: int) -> None:
    path, content = tried()[number]
    base, head = seen[0], seen[number + 1]
    selection = affected({path: content})
    others = {id_ for id_ in base if base[id_]["is"] != head.get(id_, {}).get("is")}
    assert others <= selection.names | {*selection.removed}, f"{path} changes {sorted(others - selection.names)}"


def test_the_mutations_do_change_pipelines(seen: list[dict[str, Any]]) -> None:
    base = seen[0]
    changed = [sum(base[id_]["is"] != head.get(id_, {}).get("is") for id_ in base) for head in seen[1:]]
    assert sum(count > 0 for count in changed) >= MUTATIONS // 2
    assert any(0 < count < len(base) for count in changed)
