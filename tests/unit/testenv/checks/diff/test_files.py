"""Files of a folder are one table, whatever their number and format."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from testenv.checks.diff import Rules, diff, files, fingerprint
from testenv.checks.diff.files import form_of
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


def avro(path: Path, rows: list[dict[str, object]], **fields: object) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": n, "type": kind} for n, kind in fields.items()]}
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        fastavro.writer(file, schema, rows)


@pytest.mark.parametrize("form", ["orc", "avro"])
def test_files_of_other_forms_have_the_rows_that_parquet_has(tmp_path: Path, form: str) -> None:
    values = {"id": 1, "name": None, "at": datetime(2026, 1, 2, tzinfo=UTC), "sum": Decimal("1.50"), "of": [1, None]}
    rows = [values, values | {"id": 2, "name": "", "of": []}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "all.parquet")
    for at, row in enumerate(rows):
        if form == "avro":
            avro(tmp_path / f"{at}.avro", [row], id="long", name=["null", "string"], at=TIME, sum=SUM, of=LIST)
        else:
            orc.write_table(pa.Table.from_pylist([row], pa.Table.from_pylist(rows).schema), tmp_path / f"{at}.orc")
    written, parquet = (files(str(tmp_path), kind) for kind in (form, "parquet"))
    found = diff(parquet, written, Rules(("id",)))
    assert (found.base_rows, found.head_rows, found.changed, found.only_in_base) == (2, 2, 0, 0)


TIME = {"type": "long", "logicalType": "timestamp-micros"}
SUM = {"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 2}
LIST = {"type": "array", "items": ["null", "long"]}


def test_avro_files_of_two_versions_of_a_schema_are_one_table(tmp_path: Path) -> None:
    avro(tmp_path / "parts/old.avro", [{"id": 1}], id="int")
    avro(tmp_path / "parts/new.avro", [{"id": 2, "note": "n"}], id="long", note=["null", "string"])
    avro(tmp_path / "whole/all.avro", [{"id": 1, "note": None}, {"id": 2, "note": "n"}],
         id="long", note=["null", "string"])  # fmt: skip
    assert fingerprint(files(str(tmp_path / "parts"), "avro")) == fingerprint(files(str(tmp_path / "whole"), "avro"))


def test_an_avro_file_that_has_a_map_is_refused(tmp_path: Path) -> None:
    avro(tmp_path / "a.avro", [{"id": 1, "of": {"a": 1}}], id="long", of={"type": "map", "values": "long"})
    with pytest.raises(Invalid, match=r"a\.avro: cannot be read row by row"):
        fingerprint(files(str(tmp_path), "avro"))


@pytest.mark.parametrize(("packed", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_text_is_unpacked(tmp_path: Path, packed: str, pack: Callable[[bytes], bytes]) -> None:
    for kind, text in (("csv", "id,name\n1,a\n"), ("json", '{"id": "1", "name": "a"}\n')):
        (tmp_path / f"plain.{kind}").write_text(text)
        (tmp_path / f"packed.{kind}.{packed}").write_bytes(pack(text.encode()))
        one, other = (files(str(tmp_path / name), kind) for name in (f"plain.{kind}", f"packed.{kind}.{packed}"))
        assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("lake/a.b/part-0.c000.snappy.parquet", "parquet"),
        ("part-0.json.gz", "json"),
        ("part-0.parquet.gz", "gz"),  # nobody unpacks these
        ("part-0.csv.zst", "zst"),
        ("part-0.gz", "gz"),
        ("lake/a.csv/part-0", ""),
    ],
)
def test_the_form_of_a_file_is_in_its_name(name: str, form: str) -> None:
    assert form_of(name) == form


def test_a_place_without_files_and_a_format_that_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no file that ends with \.csv"):
        files(str(tmp_path), "csv")
    with pytest.raises(Invalid, match="xml"):
        files(str(tmp_path), "xml")
