"""Files of a folder are one table, whatever their number and format."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from testenv.checks.diff import Rules, diff, files, fingerprint
from testenv.core.errors import Invalid, NotFound

ROWS = pa.table({"id": [3, 1, 2], "name": ["c", None, ""]})


def test_rows_are_the_same_in_one_file_or_several(tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many/day=1"
    for folder in (one, many):
        folder.mkdir(parents=True)
    pq.write_table(ROWS, one / "all.parquet")
    for at in range(len(ROWS)):
        pq.write_table(ROWS.slice(at, 1), many / f"part-{at}.parquet")
    (many / "_SUCCESS.parquet").write_text("no data")
    assert fingerprint(files(str(one), "parquet")) == fingerprint(files(str(tmp_path / "many"), "parquet"))


def test_values_of_csv_are_compared_as_they_are_written(tmp_path: Path) -> None:
    for name, amount in (("base", "1.50"), ("head", "1.5")):
        (tmp_path / f"{name}.csv").write_text(f'id,amount,note\n001,{amount},""\n2,,\n')
    found = diff(*(files(str(tmp_path / f"{name}.csv"), "csv") for name in ("base", "head")), Rules(("id",)))
    [example] = found.examples
    assert (example.key, example.values) == (("001",), {"amount": ("1.50", "1.5")})


def test_lines_of_json(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text('{"id": 1, "to": {"city": "Ulm"}}\n{"id": 2, "to": null}\n')
    (tmp_path / "head.json").write_text('{"id": 2, "to": null}\n{"id": 1, "to": {"city": "Bonn"}}\n')
    found = diff(*(files(str(tmp_path / f"{name}.json"), "json") for name in ("base", "head")), Rules(("id",)))
    assert (found.changed, found.by_column) == (1, {"to": 1})


def test_an_empty_file_is_no_data(tmp_path: Path) -> None:
    """Spark writes one for an empty partition."""
    (tmp_path / "part-0.json").write_text("")
    with pytest.raises(NotFound, match=r"no file that ends with \.json"):
        files(str(tmp_path), "json")
    (tmp_path / "part-1.json").write_text('{"id": 1}\n')
    assert fingerprint(files(str(tmp_path), "json")).rows == 1


def test_a_place_without_files_and_a_format_that_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no file that ends with \.csv"):
        files(str(tmp_path), "csv")
    with pytest.raises(Invalid, match="avro"):
        files(str(tmp_path), "avro")
