"""The DAG files of each case are imported as Airflow imports them: a fault is in what runs, not in whether it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.corpus import Case, cases
from tests.unit.faults.estate import made

DAGS = "include/estate/dags/"
CHANGED = [case for case in cases() if any(edit.file.startswith(DAGS) for edit in case.edits)]


@pytest.mark.parametrize("case", CHANGED, ids=lambda case: case.name)
def test_a_dag_of_a_case_is_imported(case: Case, tmp_path: Path) -> None:
    from airflow.models import DagBag

    for path, text in made(case).items():
        if path.startswith(DAGS) and text is not None:
            file = tmp_path / path.removeprefix(DAGS)
            file.write_text(text)
            bag = DagBag(tmp_path, include_examples=False)
            assert not bag.import_errors and [*bag.dags] == [file.stem]
            assert len(bag.dags[file.stem].tasks) >= 2
