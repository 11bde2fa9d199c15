"""The estate: what one change of each kind affects, to the pipeline."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from tests.unit.testenv.checks.impact.repository import affected, files, text

ESTATE, DBT, CONTRACTS = "include/estate", "include/dbt/finsight", "include/catalog/contracts"
CATALOGUE = f"{ESTATE}/pipelines.yaml"
ENTRIES = yaml.safe_load(text(CATALOGUE))["pipelines"]
ALL = {*ENTRIES, "finsight_dbt"}
DBT_TABLES = ("CUSTOMERS", "MERCHANTS", "ACCOUNTS", "CARDS", "PAYMENTS", "SETTLEMENTS", "FX_RATES", "CARD_EVENTS")
DBT_READS = {f"snowflake.RAW.{table}" for table in DBT_TABLES}


def entries(wanted: Callable[[dict[str, list[str]]], bool]) -> set[str]:
    """Pipelines of the catalogue that are so, with finsight_dbt if it reads what any of them writes."""
    ids = {id_ for id_, entry in ENTRIES.items() if wanted(entry)}
    written = {dataset for id_ in ids for dataset in ENTRIES[id_]["outputs"]}
    return ids | ({"finsight_dbt"} if written & DBT_READS else set())


def reading(*datasets: str) -> set[str]:
    return entries(lambda entry: bool({*datasets} & {*entry["inputs"]}))


def edited(path: str, was: str, now: str) -> dict[str, str | None]:
    """The file with the first `was` in it as `now`."""
    assert was in text(path), f"{path} has no {was!r}"
    return {path: text(path).replace(was, now, 1)}


OF_TABLES = entries(lambda entry: entry["archetype"] == "postgres")
OF_FEEDS = entries(lambda entry: entry["archetype"] == "s3")
OF_CARD_EVENTS = reading("kafka.card_events")
OF_DOCUMENTS = entries(lambda entry: entry["archetype"] == "kafka") - {"finsight_dbt"} - OF_CARD_EVENTS


@pytest.mark.parametrize(
    ("path", "was", "now", "expected"),
    [
        (CATALOGUE, "bureau_scores_daily:\n    {owner: lending", "bureau_scores_daily:\n    {owner: risk",
         {"bureau_scores_daily"}),
        (CATALOGUE, "sla: 45", "sla: 46", {"customers_hourly", "finsight_dbt"}),
        (f"{ESTATE}/sql/merge_table.sql", ">=", ">", OF_TABLES),
        (f"{ESTATE}/sql/merge_topic.sql", "FORCE = TRUE", "FORCE = FALSE", OF_DOCUMENTS),
        (f"{ESTATE}/sql/merge_card_events.sql", "FORCE = TRUE", "FORCE = FALSE", OF_CARD_EVENTS),
        (f"{ESTATE}/sql/replace_day.sql", "FORCE = TRUE", "FORCE = FALSE", OF_FEEDS),
        (f"{ESTATE}/spark/topic.py", '"null"', '"nil"', OF_DOCUMENTS),
        (f"{ESTATE}/spark/card_events.py", '"earliest"', '"latest"', OF_CARD_EVENTS),
        (f"{ESTATE}/spark/settlements.py", '"overwrite"', '"append"', reading("s3.settlements")),
        (f"{ESTATE}/spark/feed.py", '"overwrite"', '"append"',
         reading("s3.bureau_scores", "s3.sanctions_hits", "s3.direct_debit_returns", "s3.atm_withdrawals")),
        (f"{ESTATE}/tasks.py", '"retries": 2', '"retries": 3', ALL),
        (f"{ESTATE}/tables.py", '"RAW"', '"RAWER"', ALL),
        (f"{ESTATE}/extract.py", "20_000", "10_000", OF_TABLES),
        (f"{ESTATE}/dbt_profile.py", '"host"', '"the_host"', {"finsight_dbt"}),
        (f"{ESTATE}/dags/settlements_to_snowflake.py", "@daily", "@hourly",
         {"settlements_to_snowflake", "finsight_dbt"}),
        (f"{ESTATE}/registry.py", '"_schemas"', '"schemas"', set()),
        (f"{ESTATE}/schema/avro/5-loan_events-value-v1.avsc", "loan_id", "loan_nr", reading("kafka.loan_events")),
        (f"{ESTATE}/schema/snowflake.sql", "VARCHAR", "NUMBER", ALL),
        (f"{CONTRACTS}/kafka.loan_events.yaml", "required: true", "required: false", reading("kafka.loan_events")),
        (f"{CONTRACTS}/postgres.loans.yaml", "required: true", "required: false", reading("postgres.loans")),
        (f"{CONTRACTS}/snowflake.RAW.CUSTOMERS.yaml", "required: true", "required: false",
         entries(lambda entry: "snowflake.RAW.CUSTOMERS" in entry["outputs"])),
        (f"{DBT}/models/staging/stg_cards.sql", "4)", "2)", {"finsight_dbt"}),
        (f"{DBT}/profiles.yml", "threads: 4", "threads: 8", {"finsight_dbt"}),
        ("requirements.txt", "pyyaml==", "pyyaml>=", ALL),
        ("Dockerfile", "FROM", "FROM ", ALL),
        ("include/testenv/engine.py", "import", "import os, ", set()),
    ],
)  # fmt: skip
def test_a_change_affects_these_pipelines(path: str, was: str, now: str, expected: set[str]) -> None:
    assert affected(edited(path, was, now)).names == expected


def test_the_way_is_told_from_the_file_to_the_pipeline() -> None:
    selection = affected(edited(f"{ESTATE}/sql/merge_table.sql", ">=", ">"))
    assert selection.why("customers_hourly") == (
        "customers_hourly is affected: include/estate/sql/merge_table.sql → estate.archetypes → estate.factory → "
        "include/estate/dags/catalogue.py → customers_hourly"
    )
    assert selection.why("finsight_dbt").endswith("→ snowflake.RAW.ACCOUNTS → source.raw.accounts → finsight_dbt")
    why_not = selection.why("login_events_stream")
    assert "is not affected" in why_not and "include/estate/spark/topic.py" in why_not
    assert "leads elsewhere  include/estate/sql/merge_table.sql" in why_not


@pytest.mark.parametrize(
    ("path", "was", "now", "models"),
    [
        ("models/staging/stg_cards.sql", "4)", "2)", {"stg_cards", "dim_customers", "fct_card_activity"}),
        ("models/marts/marts.yml", "{name: email, data_type: varchar}", "{name: email, data_type: text}",
         {"dim_customers"}),
        ("models/staging/sources.yml", "- name: fx_rates", "- name: fx_rates\n        identifier: RATES",
         {"stg_fx_rates", "int_payments_in_euro", "fct_payments"}),
        ("tests/assert_net_is_amount_less_fee.sql", "<>", "!=", set()),
    ],
)  # fmt: skip
def test_models_are_modified_with_all_that_follow_and_the_rest_is_deferred(
    path: str, was: str, now: str, models: set[str]
) -> None:
    selection = affected(edited(f"{DBT}/{path}", was, now))
    assert {each.name.rpartition(".")[2] for each in selection.models} == models
    assert selection.names == {"finsight_dbt"}
    built = len(selection.models) + len(selection.deferred)
    assert built == sum(path.startswith((f"{DBT}/models", f"{DBT}/snapshots")) for path in files()
                        if path.endswith(".sql") or "/snapshots/" in path)  # fmt: skip


PAYMENTS = edited(
    f"{ESTATE}/dags/payments_to_snowflake.py", "copy_tables(CORE_TABLES)", "copy_tables(CORE_TABLES[:-1])"
)
MODEL = edited(f"{DBT}/models/staging/stg_cards.sql", "4)", "2)")
CONTRACT = edited(f"{CONTRACTS}/snowflake.RAW.CARDS.yaml", "mastercard", "maestro")


@pytest.mark.parametrize(
    ("changes", "by_data"),
    [(PAYMENTS, {"finsight_dbt"}), (MODEL, set()), (PAYMENTS | MODEL, set()), (CONTRACT, set())],
    ids=["what it reads", "itself", "both", "what is promised of it"],
)
def test_what_runs_as_it_did_on_other_data_is_told_apart(changes: dict[str, str | None], by_data: set[str]) -> None:
    selected = affected(changes).selected
    assert "finsight_dbt" in {each.name for each in selected}
    assert {each.name for each in selected if each.by_data} == by_data


@pytest.mark.parametrize("macro", ["latest", "generate_schema_name"])
def test_a_macro_reaches_the_models_that_use_it_and_one_of_dbts_own_reaches_all(macro: str) -> None:
    selection = affected({f"{DBT}/macros/{macro}.sql": text(f"{DBT}/macros/{macro}.sql").replace("-%}", "-%} 1 ")})
    deferred = {each.rpartition(".")[2] for each in selection.deferred}
    assert deferred == ({"stg_fx_rates", "stg_card_events"} if macro == "latest" else set())


@pytest.mark.parametrize(
    ("path", "was", "now"),
    [
        (f"{ESTATE}/archetypes.py", '"""The three ways', '"""Three ways'),
        (f"{ESTATE}/sql/merge_table.sql", "-- An older interval", "-- Any older interval"),
        (f"{ESTATE}/sql/merge_table.sql", "ON target.", "    ON\n  target."),
        (f"{CONTRACTS}/kafka.loan_events.yaml", "kind: DataContract", "kind:   DataContract # of loans"),
        (f"{DBT}/models/staging/stg_cards.sql", "-- The card number", "-- A card's number"),
        (f"{DBT}/models/marts/marts.yml", "One row per customer.", "A row for each customer."),
        (CATALOGUE, "# Streams", "# The streams"),
        ("README.md", "testenv", "TestEnv"),
    ],
)
def test_what_changes_no_run_affects_nothing_and_says_why(path: str, was: str, now: str) -> None:
    selection = affected(edited(path, was, now))
    assert not selection.names and not selection.models
    assert path == CATALOGUE or [each for each, _ in selection.harmless] == [path]


def test_a_removed_file_affects_those_who_had_it() -> None:
    assert affected({f"{ESTATE}/sql/merge_card_events.sql": None}).names == OF_CARD_EVENTS
    gone = affected({f"{ESTATE}/dags/finsight_dbt.py": None})
    assert gone.removed == ("finsight_dbt",) and not gone.names


def test_the_same_change_is_told_in_the_same_words() -> None:
    change = edited(f"{ESTATE}/extract.py", "20_000", "10_000")
    assert affected(change) == affected(change)
