"""Before a trial starts, what its rows refer to is loaded, by as few runs as can be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from tests.unit.testenv.checks.trial.world import pipeline

from testenv.checks.trial.feeders import feeders
from testenv.core.contract import Contract, Contracts, Field, Store
from testenv.core.dataset import Dataset
from testenv.core.pipelines import Archetype, Pipelines

SEED = Dataset(version="seed-1", files={}, postgres={}, snowflake={}, topics=())
WEEK, DAYS = "2025-12-28T00:00:00Z", tuple(f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3))
REFERENCES = {"cards": "accounts", "accounts": "customers", "customers": "customers", "payments": "cards"}


def contract(id_: str, to: str) -> Contract:
    store, _, name = id_.partition(".")
    fields = (Field(path="ID", type="integer"), Field(path="TO", type="integer", references=f"{to}.id" if to else ""))
    return Contract(id=id_, version="1.0.0", store=Store(store), name=name, owner="payments", fields=fields)


@pytest.fixture
def contracts() -> Contracts:
    """Cards refer to accounts, accounts to customers, customers to each other; payments to cards."""
    ids = {f"postgres.{table}": to for table, to in REFERENCES.items()}
    ids |= {f"snowflake.RAW.{table.upper()}": to for table, to in REFERENCES.items()}
    return {id_: contract(id_, to) for id_, to in ids.items()}


@pytest.fixture
def pipelines() -> Pipelines:
    """Of each table one that runs daily and one that runs weekly."""
    found = [
        pipeline(
            f"{table}_{often}",
            schedule=f"@{often}",
            inputs=(f"postgres.{table}",),
            outputs=(f"snowflake.RAW.{table.upper()}",),
        )
        for table in REFERENCES
        for often in ("daily", "weekly")
    ]
    return {each.id: each for each in found}


@dataclass(frozen=True)
class Changed:
    """Rows of `tables` changed at these times, no others."""

    tables: Collection[str]
    at: Sequence[datetime]

    def minutes(self, table: str, _start: datetime, _end: datetime) -> Sequence[datetime]:
        return self.at if table in self.tables else ()

    def last(self, table: str, _before: datetime) -> datetime | None:
        return max(self.at) if table in self.tables else None


def changes(*tables: str, on: Collection[int] = (1, 2, 3)) -> Changed:
    """On these days."""
    return Changed(tables, [datetime(2026, 1, day, 5, tzinfo=UTC) for day in on])


def fed(affected: Collection[str], pipelines: Pipelines, contracts: Contracts, changed: Changed) -> object:
    return feeders(affected, pipelines, contracts, SEED, changed)


def test_what_the_rows_refer_to_is_loaded_directly_and_by_way_of_others(
    pipelines: Pipelines, contracts: Contracts
) -> None:
    found = fed(["cards_daily"], pipelines, contracts, changes(*REFERENCES))
    assert found == {"accounts_weekly": (WEEK,), "customers_weekly": (WEEK,)}


def test_the_pipeline_with_the_fewest_runs_is_taken_and_of_two_alike_the_first(
    pipelines: Pipelines, contracts: Contracts
) -> None:
    found = fed(["accounts_weekly"], pipelines, contracts, changes("customers", on=[2]))
    assert found == {"customers_daily": (DAYS[1],)}


def test_all_of_its_dates_run_so_that_no_row_is_left_out(pipelines: Pipelines, contracts: Contracts) -> None:
    hourly = pipelines["customers_daily"].model_copy(update={"schedule": "@hourly"})
    only = {"cards_daily": pipelines["cards_daily"], "customers_daily": hourly}

    times = Changed(["customers"], [datetime(2026, 1, 1, hour, 30, tzinfo=UTC) for hour in range(5)])
    assert fed(["cards_daily"], only, contracts, times) == {
        "customers_daily": tuple(f"2026-01-01T0{hour}:00:00Z" for hour in range(5))
    }


def test_what_an_affected_pipeline_loads_is_not_loaded_beforehand(pipelines: Pipelines, contracts: Contracts) -> None:
    """A fault that leaves rows out would not be seen, if they were there."""
    affected = ["cards_daily", "accounts_daily"]
    assert fed(affected, pipelines, contracts, changes(*REFERENCES)) == {"customers_weekly": (WEEK,)}


def test_where_no_row_is_new_nothing_is_loaded(pipelines: Pipelines, contracts: Contracts) -> None:
    assert fed(["cards_daily"], pipelines, contracts, changes("payments")) == {}


def test_a_dataset_of_production_has_all_that_its_rows_refer_to(pipelines: Pipelines, contracts: Contracts) -> None:
    taken = SEED.__class__(
        version="d1", files={}, postgres={}, snowflake={}, topics=(), snapshot=datetime(2026, 1, 4, tzinfo=UTC)
    )
    assert feeders(["cards_daily"], pipelines, contracts, taken, changes(*REFERENCES)) == {}


def test_what_reads_files_or_topics_loads_no_table_of_the_operational_database(
    pipelines: Pipelines, contracts: Contracts
) -> None:
    strays = {
        id_: each.model_copy(update={"archetype": Archetype.S3}) if "accounts" in id_ else each
        for id_, each in pipelines.items()
    }
    assert fed(["cards_daily"], strays, contracts, changes(*REFERENCES)) == {"customers_weekly": (WEEK,)}


def test_a_pipeline_in_no_catalogue_refers_to_nothing_that_is_known(contracts: Contracts) -> None:
    assert fed(["finsight_dbt"], {}, contracts, changes(*REFERENCES)) == {}
