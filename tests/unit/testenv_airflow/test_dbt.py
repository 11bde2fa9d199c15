from __future__ import annotations

import os
from pathlib import Path

from testenv_airflow import manifest
from testenv_airflow.dbt import PASSED_ON, failed_nodes


def test_failed_nodes_are_named_with_dbts_words_on_one_line() -> None:
    results = {
        "results": [
            {"unique_id": "model.finsight.stg_payments", "status": "success", "message": "OK"},
            {"unique_id": "model.finsight.dim_customers", "status": "error", "message": "Database Error\n  no table X"},
            {"unique_id": "test.finsight.unique_id", "status": "fail", "message": "Got 3 results"},
            {"unique_id": "model.finsight.fct", "status": "skipped", "message": None},
        ]
    }
    assert failed_nodes(results) == [
        "model.finsight.dim_customers: Database Error no table X",
        "test.finsight.unique_id: Got 3 results",
    ]


def test_the_code_under_test_is_passed_no_setting_of_the_control_plane() -> None:
    assert not [name for name in PASSED_ON if name.startswith(("TESTENV", "AIRFLOW", "AWS"))]


def test_a_manifest_is_current_until_a_file_of_the_project_is_newer(tmp_path: Path) -> None:
    model = tmp_path / manifest.PROJECT / "models" / "a.sql"
    model.parent.mkdir(parents=True)
    model.write_text("select 1")
    assert not manifest.is_current(tmp_path)
    made = tmp_path / manifest.MANIFEST
    made.parent.mkdir()
    made.write_text("{}")
    os.utime(model, (1, 1))
    assert manifest.is_current(tmp_path)
    os.utime(made, (0, 0))
    assert not manifest.is_current(tmp_path)
