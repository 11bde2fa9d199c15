"""A dbt project's graph, from its files and from dbt's own manifest: both say the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from testenv.checks.impact import dbt
from testenv.checks.impact.trees import tree_at, tree_of

ROOT = Path(__file__).parents[5]
FOLDER = "include/dbt/finsight"
DBT = ROOT / ".venv" / "dbt" / "bin" / "dbt"


def project(**files: str) -> dbt.Nodes:
    base = {"dbt_project.yml": "name: p", "models/a.sql": "select 1", "models/b.sql": "select * from {{ ref('a') }}"}
    return dbt.from_files(tree_of({f"p/{path}": text for path, text in (base | files).items()}), "p")


def changed(path: str, text: str, **files: str) -> list[str]:
    return dbt.modified(project(**files), project(**{**files, path: text}))


def test_a_model_is_made_from_what_it_refers_to() -> None:
    nodes = project(**{
        "models/c.sql": "{{ ref('p', 'b') }} {{ source('raw', 't') }} {{ helped('x') }}",
        "macros/m.sql": "{% macro helped(x) %}{{ deeper() }}{% endmacro %}{% macro deeper() %}1{% endmacro %}",
        "models/s.yml": "sources: [{name: raw, schema: RAW, tables: [{name: t, identifier: T1}]}]",
    })  # fmt: skip
    assert nodes["model.c"].parents == {"model.b", "source.raw.t", "macro.helped", "project"}
    assert "macro.deeper" in nodes["macro.helped"].parents
    assert nodes["source.raw.t"].relation == "RAW.T1"


@pytest.mark.parametrize(
    ("path", "text", "keys"),
    [
        ("models/a.sql", "select 2", ["model.a"]),
        ("models/a.sql", "select 1 -- one", []),
        ("models/c.sql", "select 3", ["model.c"]),
        ("models/a.yml", "models: [{name: a, columns: [{name: x, data_type: int}]}]", ["model.a"]),
        ("models/a.yml", "models: [{name: a, config: {materialized: table}}]", ["model.a"]),
        ("models/a.yml", "unit_tests: [{name: u, model: a, given: []}]", ["unit_test.u"]),
        ("seeds/s.csv", "x\n1", ["seed.s"]),
        ("tests/t.sql", "select 1", ["test.t"]),
        ("snapshots/s.yml", "snapshots: [{name: s, relation: ref('a')}]", ["snapshot.s"]),
        ("dbt_project.yml", "name: q", ["project"]),
        ("profiles.yml", "x: 1", ["project"]),
        ("models/a.yml", "exposures: [{name: e}]", ["project"]),
        ("models/a.yml", "models: [", ["project"]),
        ("models/words.md", "{% docs x %}{% enddocs %}", ["project"]),
        ("elsewhere/x.sql", "select 1", ["project"]),
    ],
)
def test_a_change_is_of_the_part_that_it_names(path: str, text: str, keys: list[str]) -> None:
    assert changed(path, text) == keys


def test_words_for_people_count_only_where_they_are_written_to_the_database() -> None:
    said = {"models/a.yml": "models: [{name: a, description: one}]"}
    now = "models: [{name: a, description: two}]"
    assert changed("models/a.yml", now, **said) == []
    assert changed("models/a.yml", now, **said, **{"dbt_project.yml": "models: {+persist_docs: {relation: true}}"}) == [
        "model.a"
    ]


def test_a_macro_that_nothing_calls_may_be_one_of_dbts_own() -> None:
    nodes = project(**{"macros/m.sql": "{% macro generate_alias_name(x) %}{{ x }}{% endmacro %}"})
    assert nodes["project"].parents == {"macro.generate_alias_name"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What dbt itself makes of the estate's project."""
    target = tmp_path_factory.mktemp("target")
    login = {
        f"DBT_SNOWFLAKE_{name}": "x" for name in ("ACCOUNT", "USER", "PRIVATE_KEY", "ROLE", "DATABASE", "WAREHOUSE")
    }
    where = ["--project-dir", str(ROOT / FOLDER), "--profiles-dir", str(ROOT / FOLDER), "--target-path", str(target)]
    command = [str(DBT), "--quiet", "--log-level-file", "none", "parse", "--no-partial-parse", *where]
    subprocess.run(command, env={"PATH": os.environ["PATH"], "HOME": str(target), **login}, check=True, timeout=250)
    return dict(json.loads((target / "manifest.json").read_text()))


def test_the_files_and_dbts_manifest_give_the_same_graph(manifest: dict[str, Any]) -> None:
    tree = tree_at(ROOT)
    read, made = dbt.from_files(tree, FOLDER), dbt.from_manifest(manifest, tree, FOLDER)
    for kind in ("model.", "snapshot.", "source."):
        assert {key for key in read if key.startswith(kind)} == {key for key in made if key.startswith(kind)}
    for key in read:
        if key.startswith(("model.", "snapshot.", "source.")):
            ours = {parent for parent in read[key].parents if parent != "project"}
            assert ours == {parent for parent in made[key].parents if parent in read and parent != "project"}, key
            assert read[key].relation == made[key].relation


def test_dbts_manifest_tells_what_is_modified(manifest: dict[str, Any]) -> None:
    tree = tree_at(ROOT)
    base = dbt.from_manifest(manifest, tree, FOLDER)

    def modified(unique_id: str, section: str = "nodes", **change: Any) -> list[str]:
        other = json.loads(json.dumps(manifest))
        other[section][unique_id] |= change
        return dbt.modified(base, dbt.from_manifest(other, tree, FOLDER))

    assert modified("model.finsight.stg_cards") == []
    assert modified("model.finsight.stg_cards", checksum={"name": "sha256", "checksum": "x"}) == ["model.stg_cards"]
    assert modified("model.finsight.stg_cards", database="ANOTHER", description="x") == []
    assert modified("model.finsight.stg_cards", schema="OTHER") == ["model.stg_cards"]
    assert modified("macro.finsight.latest", "macros", macro_sql="x") == ["macro.latest"]
    assert modified("source.finsight.raw.cards", "sources", identifier="X") == ["source.raw.cards"]
