"""The seed's version is its content, and its manifest says what the files hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from testenv.core.errors import Invalid
from testenv.core.naming import golden_postgres, golden_prefix, golden_snowflake
from testenv.datasets.golden_snowflake import statements
from testenv.datasets.seed import ESTATE, read_seed

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A copy of the estate's schema and seed."""
    for folder in ("schema", "seed"):
        shutil.copytree(REPO / ESTATE / folder, tmp_path / ESTATE / folder)
    return tmp_path


def test_the_same_files_are_the_same_version(repo: Path) -> None:
    assert read_seed(repo).dataset == read_seed(REPO).dataset


@pytest.mark.parametrize("path", ["seed/postgres/payments.csv", "schema/topics.toml", "schema/snowflake.sql"])
def test_one_more_byte_is_another_version(repo: Path, path: str) -> None:
    before = read_seed(repo).dataset.version
    with (repo / ESTATE / path).open("a") as file:
        file.write("\n")
    assert read_seed(repo).dataset.version != before


def test_a_renamed_file_is_another_version(repo: Path) -> None:
    before, landing = read_seed(repo).dataset.version, repo / ESTATE / "seed/landing"
    first = sorted(path for path in landing.rglob("*") if path.is_file())[0]
    first.rename(first.with_name("another" + first.suffix))
    assert read_seed(repo).dataset.version != before


def test_its_description_is_no_part_of_it(repo: Path) -> None:
    before = read_seed(repo).dataset.version
    (repo / ESTATE / "seed/README.md").write_text("words")
    assert read_seed(repo).dataset.version == before


def test_every_system_names_it(repo: Path) -> None:
    version = read_seed(repo).dataset.version
    assert golden_postgres(version) and golden_snowflake(version) and golden_prefix(version)


def test_rows_are_counted_as_csv_and_not_as_lines(repo: Path) -> None:
    (repo / ESTATE / "seed/postgres/merchants.csv").write_text('merchant_id,name\n1,"two\nlines"\n2,x\n')
    assert read_seed(repo).dataset.postgres["merchants"] == 2


def test_the_manifest_holds_what_the_repository_has() -> None:
    dataset = read_seed(REPO).dataset
    assert {"customers", "accounts", "cards", "payments", "merchants"} <= dataset.postgres.keys()
    assert "RAW.PAYMENTS" in dataset.snowflake
    assert dataset.topic("card_events").partitions == 3
    assert dataset.topic("card_events").records > 0
    assert any(path.startswith("landing/settlements/") for path in dataset.files)


def test_a_topic_without_records_is_refused(repo: Path) -> None:
    (repo / ESTATE / "seed/kafka/card_events.jsonl").unlink()
    with pytest.raises(Invalid, match="topics.toml declares"):
        read_seed(repo)


def test_a_repository_without_an_estate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="TESTENV_REPO"):
        read_seed(tmp_path)


def test_a_script_is_split_at_its_statements_ends() -> None:
    script = "-- one; two\nCREATE TABLE A (X INT); -- why; not\n\nCREATE TABLE B (\n  Y INT\n);\n"
    assert list(statements(script)) == ["CREATE TABLE A (X INT)", "CREATE TABLE B (\n  Y INT\n)"]
