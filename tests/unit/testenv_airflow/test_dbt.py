from __future__ import annotations

import os
from pathlib import Path

from testenv_airflow import manifest


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
