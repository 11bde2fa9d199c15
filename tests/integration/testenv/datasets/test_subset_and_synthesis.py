"""On the real services: PostgreSQL finds no orphan in a subset, and Spark writes the files that a process writes."""

from __future__ import annotations

import json
import os
import subprocess
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from tests.conftest import REPO
from tests.spark import HOME, SPARK, quick_start

from testenv.backends.postgres_server import Server
from testenv.config import Config
from testenv.core.contract import Classification, Contract, Field, Store
from testenv.datasets.subset import orphan_queries, orphans, plan, subset
from testenv.datasets.synthesize.model import (
    After,
    Categories,
    Column,
    Key,
    Profile,
    Quantiles,
    Reference,
    Semantic,
    Table,
    Text,
)
from testenv.datasets.synthesize.write import write


def a_table(name: str, key: str, references: dict[str, str], path: tuple[str, ...]) -> Contract:
    internal = Classification.INTERNAL
    fields = [Field(path=key, type="integer", primary_key=True, classification=internal)]
    fields += [
        Field(path=column, type="integer", references=to, classification=internal) for column, to in references.items()
    ]
    return Contract(
        id=f"postgres.{name}",
        version="1.0.0",
        store=Store.POSTGRES,
        name=name,
        owner="sales",
        fields=tuple(fields),
        entity="person",
        entity_path=path,
    )


CONTRACTS = {
    each.id: each
    for each in (
        a_table("subset_people", "id", {"friend_id": "subset_people.id"}, ("id",)),
        a_table("subset_orders", "order_id", {"person_id": "subset_people.id"}, ("person_id", "subset_people.id")),
    )
}
TABLES = """
    CREATE TEMP TABLE subset_people AS SELECT i AS id, NULLIF(i * 7919 % 2000, 0) AS friend_id
        FROM generate_series(1, 1999) AS i;
    CREATE TEMP TABLE subset_orders AS SELECT i AS order_id, 1 + i * 31 % 1999 AS person_id
        FROM generate_series(1, 6000) AS i;
"""


def test_postgresql_finds_no_orphan_in_a_subset_and_each_that_is_planted(config: Config) -> None:
    found = plan(CONTRACTS, "person")
    names = {name: name.removeprefix("postgres.") for name in CONTRACTS}
    with Server(config).control() as connection:  # in temporary tables, which are gone with the session
        cursor = connection.cursor()

        def counted() -> list[int]:
            counts = []
            for _, query in orphan_queries(found.relations, names):
                cursor.execute(query)
                counts.append(cursor.fetchone()[0])
            return counts

        cursor.execute(TABLES)
        keys = {}
        for dataset, columns in found.columns.items():
            cursor.execute(f"SELECT {', '.join(columns)} FROM {names[dataset]}")
            keys[dataset] = pl.DataFrame(cursor.fetchall(), schema=list(columns), orient="row")
        kept = subset(found, keys, Fraction(1, 100), b"a secret")
        for dataset, frame in kept.items():
            key = frame.columns[0]
            assert 0 < frame.height < keys[dataset].height
            cursor.execute(
                f"DELETE FROM {names[dataset]} WHERE NOT {key} = ANY(%s)", (frame.get_column(key).to_list(),)
            )
        assert counted() == [0, 0] == list(orphans(kept, found.relations).values())
        cursor.execute("INSERT INTO subset_orders VALUES (-1, -1), (-2, NULL), (-3, -3)")
        assert counted() == [2, 0]


SHOP = Profile(
    {
        "people": Table(700, (Column("id", "string", Key(0)),)),
        "orders": Table(
            2500,
            (
                Column("id", "int64", Key(10**9)),
                Column("person_id", "string", Reference("people.id", ((0.1, 0.6), (0.5, 0.4), (0.4, 0.0))), 0.1),
                Column("amount", "decimal128(18, 2)", Quantiles((-100, 0, 5000))),
                Column("weight", "double", Quantiles((0, 10**6), 1, 10**6), 0.2),
                Column("kind", "string", Categories(("Größe", "b"), (0.3, 0.7)), 0.1),
                Column("gift", "bool", Categories((0, 1), (0.3, 0.7))),
                Column("on", "date32[day]", Semantic("birth_date")),
                Column("at", "timestamp[us, tz=UTC]", Quantiles((0, 10**15))),
                Column("sent", "timestamp[us, tz=UTC]", After("at", Quantiles((0, 10**9))), 0.5),
                Column("code", "string", Text(6, 6, unique=True)),
                Column("iban", "string", Semantic("iban", unique=True)),
            ),
        ),
    }
)


@pytest.fixture
def spark_submit(tmp_path: Path) -> dict[str, str]:
    """The environment of `spark-submit`, in a time zone that is not the files'."""
    return {
        "PATH": os.environ["PATH"],
        "SPARK_HOME": str(HOME),
        "PYSPARK_PYTHON": str(SPARK / "bin" / "python"),
        "PYTHONPATH": str(REPO / "include"),
        "TZ": "Pacific/Auckland",
    }


def test_spark_writes_the_same_bytes_as_a_process(spark_submit: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(SHOP.to_json(), encoding="utf-8")
    here = write(SHOP, "orders", tmp_path / "here", 5, rows_a_part=1000)
    options = {"profile": tmp_path / "profile.json", "table": "orders", "seed": 5, "rows-a-part": 1000}
    done = subprocess.run(
        [
            f"{spark_submit['SPARK_HOME']}/bin/spark-submit",
            *("--master", "local[2]"),
            *(word for name, value in quick_start().items() for word in ("--conf", f"{name}={value}")),
            str(REPO / "include/testenv/datasets/synthesize/on_spark/job.py"),
            *(word for name, value in options.items() for word in (f"--{name}", str(value))),
            *("--output", str(tmp_path / "spark")),
        ],
        env=spark_submit,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "synthesize: orders: 2500 rows in 3 files" in done.stdout
    told = json.loads((tmp_path / "spark" / "parts.json").read_text())
    assert [each["sha256"] for each in told] == [part.sha256 for part in here]
    for part in here:
        assert (tmp_path / "spark" / part.name).read_bytes() == (tmp_path / "here" / part.name).read_bytes()


READ_BACK = """
import sys
from pyspark.sql import SparkSession
from testenv.datasets.synthesize.on_spark.job import frame
from testenv.datasets.synthesize.model import Profile

profile = Profile.from_json(open(sys.argv[1], encoding="utf-8").read())
spark = (
    SparkSession.builder.master("local[2]").config("spark.sql.shuffle.partitions", 1)
    .config("spark.ui.enabled", "false")
    .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1").getOrCreate()
)
made, files = frame(spark, profile, "orders", 5, 1000), spark.read.parquet(sys.argv[2])
assert made.dtypes == files.dtypes, (made.dtypes, files.dtypes)
print("rows", made.count(), "differ", made.exceptAll(files).count(), files.exceptAll(made).count())
"""


def test_the_rows_of_a_spark_frame_are_those_of_the_files(spark_submit: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(SHOP.to_json(), encoding="utf-8")
    (tmp_path / "read_back.py").write_text(READ_BACK, encoding="utf-8")
    write(SHOP, "orders", tmp_path / "here", 5, rows_a_part=1000)
    done = subprocess.run(
        [spark_submit["PYSPARK_PYTHON"], "read_back.py", "profile.json", "here"],
        cwd=tmp_path,
        env=spark_submit,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["rows 2500 differ 0 0"], done.stderr[-4000:]
