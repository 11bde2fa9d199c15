"""The page about the corpus says what is in it."""

from __future__ import annotations

from tests.faults.readme import BEGIN, README, table


def test_its_table_is_the_corpus() -> None:
    written = README.read_text(encoding="utf-8").partition(BEGIN)[2]
    assert written.strip() == table().strip(), "run python -m tests.faults.readme"
