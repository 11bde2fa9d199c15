"""The estate has the pipelines that it should, in the proportions that it should."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from airflow.timetables.trigger import CronTriggerTimetable

from estate.factory import read_catalog
from testenv.core.contract import Store
from testenv.core.pipelines import Archetype, Criticality, load_pipelines
from testenv.datasets.contracts import load_contracts

REPO = Path(__file__).parents[3]
CONTRACTS = load_contracts()
PIPELINES = load_pipelines(CONTRACTS)


def test_there_are_a_hundred_and_twenty() -> None:
    assert len(PIPELINES) == 120
    streams = [each for each in PIPELINES.values() if each.streaming]
    hourly = [each for each in PIPELINES.values() if each.schedule == "@hourly" and not each.streaming]
    assert (len(streams), len(hourly)) == (8, 25)
    assert {each.criticality for each in hourly} == {Criticality.CRITICAL}
    assert Counter(each.archetype for each in PIPELINES.values()) == {
        Archetype.POSTGRES: 84,
        Archetype.S3: 20,
        Archetype.KAFKA: 16,
    }


def test_those_by_hand_are_among_them() -> None:
    files = {file.stem for file in (REPO / "include/estate/dags").glob("*.py")}
    assert files & PIPELINES.keys() == {
        "card_events_to_snowflake",
        "payments_to_snowflake",
        "settlements_to_snowflake",
    }


def test_every_dataset_that_pipelines_could_read_or_load_is_read_or_loaded() -> None:
    used = {id_ for each in PIPELINES.values() for id_ in (*each.inputs, *each.outputs)}
    assert used == CONTRACTS.keys()


def test_each_loads_what_it_reads() -> None:
    for each in PIPELINES.values():
        read = [id_.split(".", 1)[1].upper() for id_ in each.inputs]
        assert [id_.removeprefix(f"{Store.SNOWFLAKE}.RAW.") for id_ in each.outputs] == read, each.id


def test_every_schedule_is_one() -> None:
    presets = {"@hourly", "@daily", "@weekly", "@monthly"}
    for schedule in {each.schedule for each in PIPELINES.values()} - presets:
        CronTriggerTimetable(schedule, timezone="UTC")


def test_the_estate_reads_the_same_catalog() -> None:
    """The file lies with the estate, whose code travels alone; the catalog has a link to it."""
    assert (REPO / "include/catalog/pipelines.yaml").resolve() == REPO / "include/estate/pipelines.yaml"
    assert read_catalog().keys() == PIPELINES.keys()
