from __future__ import annotations

from pathlib import Path

import pytest

from testenv.core.errors import InvalidCatalog
from testenv.core.prices import FILE, Usage, load_prices

PRICES = load_prices()


def test_an_hour_of_each_costs_what_the_list_says() -> None:
    assert PRICES.dollars(Usage(spark_cpu_seconds=3600)) == pytest.approx(0.052624 + 4 * 0.0057785)
    assert PRICES.dollars(Usage(warehouse_seconds=3600)) == pytest.approx(3.0)
    assert PRICES.dollars(Usage(task_seconds=3600)) == pytest.approx(0.04048 + 2 * 0.004445, abs=1e-6)


def test_the_trap_of_the_design_is_reckoned_as_the_design_does() -> None:
    """120 pipelines, 20 resumes of a minute each on 22 days: $2,640 a month."""
    assert PRICES.dollars(Usage(warehouse_seconds=120 * 20 * 22 * 60)) == pytest.approx(2640)


def test_a_short_task_costs_a_minute_and_none_costs_nothing() -> None:
    assert PRICES.dollars(Usage(task_seconds=1)) == PRICES.dollars(Usage(task_seconds=60)) > 0
    assert PRICES.dollars(Usage()) == 0


@pytest.mark.parametrize(
    ("was", "wrong", "told"),
    [
        ("credit: 3.00", "credit: -3", "snowflake.credit: Input should be greater than 0, got -3"),
        ("  vcpu: 1\n", "", "fargate.vcpu: Field required"),
        ("emr:\n", "spot: 1\nemr:\n", "spot: Extra inputs are not permitted"),
        ("source: https://aws.amazon.com/emr", "source: hearsay", "emr.source"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, was: str, wrong: str, told: str) -> None:
    text = FILE.read_text()
    assert was in text
    file = tmp_path / "prices.yaml"
    file.write_text(text.replace(was, wrong, 1))
    with pytest.raises(InvalidCatalog, match="prices.yaml: ") as caught:
        load_prices(file)
    assert told in str(caught.value)
