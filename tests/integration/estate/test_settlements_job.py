"""The settlements job on the seed's landing files, by spark-submit with the arguments that the DAG gives it."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from tests.integration.estate.conftest import ESTATE, SparkSubmit

JOB = ESTATE / "spark" / "settlements.py"
LANDING = ESTATE / "seed" / "landing"
DAY = "2026-01-02"

Lake = dict[str, Any]


@pytest.fixture(scope="module")
def lakes(spark_submit: SparkSubmit, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Lake]:
    """What the first run and a rerun leave."""
    folder = tmp_path_factory.mktemp("lake")
    arguments = [
        f"--day={DAY}",
        f"--settlements=file://{LANDING}/settlements/dt={DAY}/",
        f"--fx-rates=file://{LANDING}/fx_rates/dt={DAY}/",
        f"--settlements-output=file://{folder}/raw/settlements/dt={DAY}/",
        f"--fx-rates-output=file://{folder}/raw/fx_rates/dt={DAY}/",
        f"--quarantine=file://{folder}/quarantine/",
    ]
    spark_submit(JOB, *arguments)
    first = read(folder)
    spark_submit(JOB, *arguments)
    return first, read(folder)


def read(folder: Path) -> Lake:
    def rows(table: str) -> list[dict[str, Any]]:
        files = sorted((folder / "raw" / table / f"dt={DAY}").glob("*.parquet"))
        return ds.dataset([str(file) for file in files]).to_table().to_pylist()

    rejected = [json.loads(line) for file in sorted((folder / "quarantine").glob("*.json")) for line in file.open()]
    return {
        "settlements": {(row["settlement_id"], row["line_no"]): row for row in rows("settlements")},
        "lines": len(rows("settlements")),
        "rates": {row["currency"]: row["rate_to_eur"] for row in rows("fx_rates")},
        "rejected": sorted(rejected, key=lambda row: (row["source_file"], row["record"])),
    }


def test_each_line_arrives_once_though_delivered_twice(lakes: tuple[Lake, Lake]) -> None:
    lake, _ = lakes
    assert lake["lines"] == 7
    assert sorted(lake["settlements"]) == [
        ("STL-20260102-1", 1),
        ("STL-20260102-1", 2),
        ("STL-20260102-4", 1),
        ("STL-20260102-5", 1),
        ("STL-20260102-6", 1),
        ("STL-20260102-6", 2),
        ("STL-20260102-6", 3),
    ]
    assert lake["settlements"]["STL-20260102-1", 1]["source_file"] == "part-2.json"


def test_nested_fields_become_columns(lakes: tuple[Lake, Lake]) -> None:
    lake, _ = lakes
    assert lake["settlements"]["STL-20260102-4", 1] == {
        "settlement_id": "STL-20260102-4",
        "line_no": 1,
        "merchant_id": 5,
        "merchant_name": "カメラ店",
        "merchant_iban": "FI0300000009000005",
        "payment_id": 16,
        "amount": Decimal("1499.95"),
        "fee": Decimal("15.00"),
        "currency": "DKK",
        "amount_eur": Decimal("200.83"),
        "settled_at": datetime(2026, 1, 2, 21, 0),
        "source_file": "part-1.json",
        "landed_on": date(2026, 1, 2),
    }


def test_amounts_in_euro_need_a_rate_of_the_day(lakes: tuple[Lake, Lake]) -> None:
    lake, _ = lakes
    assert lake["settlements"]["STL-20260102-6", 2]["amount_eur"] == Decimal("9999999999999999.99")
    assert lake["settlements"]["STL-20260102-6", 3]["amount_eur"] == Decimal("-45.90")
    assert lake["settlements"]["STL-20260102-5", 1]["amount_eur"] is None
    assert lake["rates"] == {
        "SEK": Decimal("0.09125000"),
        "DKK": Decimal("0.13389000"),
        "PLN": Decimal("0.23490000"),
        "GBP": Decimal("1.14900000"),
        "JPY": Decimal("0.00545000"),
    }


def test_what_cannot_be_read_is_kept_with_the_reason(lakes: tuple[Lake, Lake]) -> None:
    lake, _ = lakes
    assert [(row["source_file"], row["reason"]) for row in lake["rejected"]] == [
        ("part-1.json", "not JSON, or of other types"),
        ("part-1.json", "currency is missing or cannot be read"),
        ("part-2.json", "line_no is missing or cannot be read"),
        ("rates.csv", "no currency with a positive rate"),
    ]
    assert lake["rejected"][0]["record"].startswith('{"settlement_id": "STL-20260102-2"')


def test_a_rerun_leaves_the_same(lakes: tuple[Lake, Lake]) -> None:
    first, second = lakes
    assert first == second


def test_a_day_that_was_not_delivered_fails_and_says_so(spark_submit: SparkSubmit, tmp_path: Path) -> None:
    missing = f"file://{tmp_path}/settlements/dt=2026-01-09/"
    outputs = [
        f"--{name}=file://{tmp_path}/{name}/" for name in ("settlements-output", "fx-rates-output", "quarantine")
    ]
    done = spark_submit(
        JOB, "--day=2026-01-09", f"--settlements={missing}", f"--fx-rates={missing}", *outputs, check=False
    )
    assert done.returncode != 0
    assert "PATH_NOT_FOUND" in done.stdout and "dt=2026-01-09" in done.stdout
    assert not (tmp_path / "settlements-output").exists()
