"""The dbt project, as dbt itself reads it. What it builds is tested where there is a Snowflake."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROJECT = ROOT / "include" / "dbt" / "finsight"
NAMES = ("ACCOUNT", "USER", "PRIVATE_KEY", "ROLE", "DATABASE", "WAREHOUSE")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("dbt")
    paths = ["--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target-path", folder, "--log-path", folder]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | {f"DBT_SNOWFLAKE_{name}": "x" for name in NAMES}
    command = [ROOT / ".venv" / "dbt" / "bin" / "dbt", "--warn-error", "parse", *paths]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    return json.loads((folder / "manifest.json").read_text())


def nodes(manifest: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == kind]


def test_it_parses_without_a_warning_and_has_its_layers(manifest: dict[str, Any]) -> None:
    schemas = [node["schema"] for node in nodes(manifest, "model")]
    assert {schema: schemas.count(schema) for schema in sorted(set(schemas))} == {
        "INTERMEDIATE": 3,
        "MARTS": 6,
        "STAGING": 8,
    }
    assert [node["name"] for node in nodes(manifest, "snapshot")] == ["customers_snapshot"]
    assert len(manifest["unit_tests"]) == 3


def test_every_mart_has_an_enforced_contract(manifest: dict[str, Any]) -> None:
    marts = [node for node in nodes(manifest, "model") if node["schema"] == "MARTS"]
    assert all(node["config"]["contract"]["enforced"] for node in marts)
    assert all(column["data_type"] for node in marts for column in node["columns"].values())


def test_nothing_names_a_database(manifest: dict[str, Any]) -> None:
    """The database is the environment's: a name in the project would lead out of it."""
    assert {node["database"] for node in manifest["nodes"].values()} == {"x"}
    assert {source["database"] for source in manifest["sources"].values()} == {"x"}


def test_no_card_number_leaves_staging(manifest: dict[str, Any]) -> None:
    assert not [name for name, node in manifest["nodes"].items() if "pan" in node.get("columns", {})]
    later = [node for node in nodes(manifest, "model") if node["schema"] != "STAGING"]
    assert not [
        node["name"] for node in later if any(each.startswith("source.") for each in node["depends_on"]["nodes"])
    ]
