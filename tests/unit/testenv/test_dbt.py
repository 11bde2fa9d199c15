"""The dbt project: what makes two versions of it differ, what a dbt process is told, how its failures read."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from testenv import dbt
from testenv.config import Config, SnowflakeConfig
from testenv.core.errors import Failed

MODEL = f"{dbt.PROJECT}/models/a.sql"


def archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            (info := tarfile.TarInfo(name)).size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_the_digest_is_of_the_projects_files_alone_in_any_order() -> None:
    files = {MODEL: "select 1", f"{dbt.PROJECT}/dbt_project.yml": "name: finsight"}
    same = dict(reversed(files.items())) | {"include/estate/dags/x.py": "print()", f"{dbt.PROJECT}-old/a.sql": "x"}
    assert dbt.project_digest(archive(files)) == dbt.project_digest(archive(same))


@pytest.mark.parametrize("changed", [{MODEL: "select 2"}, {f"{dbt.PROJECT}/models/b.sql": "select 1"}, {MODEL: None}])
def test_the_digest_changes_with_any_file(changed: dict[str, str | None]) -> None:
    files: dict[str, str | None] = {MODEL: "select 1", f"{dbt.PROJECT}/models/c.sql": "select 3"}
    other = {name: text for name, text in (files | changed).items() if text is not None}
    assert dbt.project_digest(archive(files)) != dbt.project_digest(archive(other))  # type: ignore[arg-type]


def test_a_repository_without_a_project_has_no_digest() -> None:
    assert dbt.project_digest(archive({"include/estate/dags/x.py": ""})) == ""


def test_a_dbt_process_sees_its_login_and_no_setting_of_the_control_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TESTENV_LEDGER_URL", "AIRFLOW_HOME", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of the control plane")
    account = SnowflakeConfig("finsight", "CONTROL", "its key", "CONTROL", "", "", "", "S3")
    config = cast(Config, SimpleNamespace(snowflake=account))
    login = {"user": "TE_CI_A", "private_key": "key"}
    given = dbt.variables(config, login, role="TE_CI_A_RW", database="TE_CI_A", warehouse="W", query_tag="{}")
    assert given["DBT_SNOWFLAKE_DATABASE"] == "TE_CI_A"
    assert given["DBT_SNOWFLAKE_PRIVATE_KEY"] == "key"
    assert not {"of the control plane", "its key", "CONTROL"} & set(given.values())


def test_failures_are_named_with_dbts_words_on_one_line(tmp_path: Path) -> None:
    results = {
        "results": [
            {"unique_id": "model.finsight.stg_payments", "status": "success", "message": "OK"},
            {"unique_id": "model.finsight.dim_customers", "status": "error", "message": "Database Error\n  no table X"},
            {"unique_id": "test.finsight.unique_id", "status": "fail", "message": "Got 3 results"},
            {"unique_id": "model.finsight.fct", "status": "skipped", "message": None},
        ]
    }
    (tmp_path / "run_results.json").write_text(json.dumps(results))
    assert dbt.failures(tmp_path) == [
        "model.finsight.dim_customers: Database Error no table X",
        "test.finsight.unique_id: Got 3 results",
    ]


def test_a_build_that_left_no_results_has_no_failures_to_name(tmp_path: Path) -> None:
    assert dbt.failures(tmp_path) == []


def test_a_dbt_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="dbt could not be run: .*no-such-dbt"):
        dbt.build(str(tmp_path / "no-such-dbt"), tmp_path, tmp_path, {})
