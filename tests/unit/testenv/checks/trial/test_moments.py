"""Names of copies, folders of a lake, and whose an output is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from testenv.checks.diff import Fingerprint
from testenv.checks.trial.lake import folders, kind_of
from testenv.checks.trial.moments import Moments, differ
from testenv.checks.trial.record import Output, State
from testenv.checks.trial.tables import SCHEMA, copy_of, original_of
from testenv.checks.trial.writers import Writers
from testenv.core.contract import Store

NAMES = st.text(st.characters(exclude_characters=".\0", exclude_categories=["Cs"]), min_size=1, max_size=120)
ROWS = Fingerprint("m", 1, 1, {"A": 1, "B": 2})
TABLE = Output(store=Store.SNOWFLAKE, name="RAW.CARDS", dataset="snowflake.RAW.CARDS", fingerprint=ROWS)


@given(NAMES, NAMES, st.sampled_from(["start", "head", "backfill/at-once"]))
def test_the_table_is_recovered_from_the_name_of_its_copy(schema: str, name: str, moment: str) -> None:
    copy = copy_of(moment, f"{schema}.{name}")
    assert original_of(copy) == f"{schema}.{name}"
    assert copy.startswith(SCHEMA)


def test_moments_have_schemas_of_their_own() -> None:
    assert copy_of("backfill/at-once", "RAW.CARDS") == "TESTENV_BACKFILL_AT_ONCE.3_RAW_CARDS"
    assert copy_of("start", "RAW.CARDS") == "TESTENV_START_RAW.CARDS"


def test_every_folder_that_holds_data_is_an_output_and_what_spark_hides_is_none() -> None:
    listing = {
        "lake/raw/a/dt=1/part-0.parquet": "1",
        "lake/raw/a/dt=1/_SUCCESS": "2",
        "lake/raw/a/.part-0.crc": "3",
        "lake/raw/a/_temporary/0/part.parquet": "4",
        "lake/raw/b/part.json": "5",
        "lake/raw/b/deeper/part.json": "6",
    }
    found = folders(listing)
    assert {folder: len(files) for folder, files in found.items()} == {
        "lake/raw/a/dt=1/": 1, "lake/raw/b/": 2, "lake/raw/b/deeper/": 1,
    }  # fmt: skip


def test_files_of_batches_are_one_output_however_they_lie() -> None:
    listing = {f"lake/raw/a/dt=1/batch={number}/part.parquet": "1" for number in range(3)}
    assert {folder: len(files) for folder, files in folders(listing, ["batch"]).items()} == {"lake/raw/a/dt=1/": 3}
    assert len(folders(listing)) == 3, "where nobody says that they are batches"
    assert list(folders({"lake/a/batch=1/dt=2/x.json": "1"}, ["batch"])) == ["lake/a/batch=1/dt=2/"]


class ListedLake:
    """A lake by its listing; a folder's rows are as many as its files."""

    def __init__(self, *paths: str) -> None:
        self.paths = dict.fromkeys(paths, "1")

    def listing(self, _: str) -> dict[str, str]:
        return self.paths

    def fingerprint(self, _: str, listing: dict[str, str]) -> Fingerprint:
        return Fingerprint("rows", len(listing), 0)

    def keep(self, _: str, paths: Iterable[str]) -> None:
        assert set(paths) <= self.paths.keys()


def test_a_moment_has_one_output_for_the_files_of_batches() -> None:
    lake: Any = ListedLake("lake/raw/a/batch=0/part.json", "lake/raw/a/batch=1/part.json")
    nothing: Any = None
    found = Moments(nothing, lake, None, Writers(), batches=["batch"])._record_lake("head")
    assert [(each.name, each.fingerprint.rows) for each in found] == [("lake/raw/a/", 2)]


def test_files_have_a_form_if_they_all_have_it() -> None:
    assert kind_of(["lake/a.parquet", "lake/b.parquet"]) == "parquet"
    assert kind_of(["lake/a.parquet", "lake/b.csv"]) == kind_of(["lake/a.bin"]) == kind_of([]) == ""


def named(output: Output, *ran: str, **tasks: tuple[str, ...]) -> Output:
    declared = {"cards_daily": ("snowflake.RAW.CARDS",), "others": ("snowflake.RAW.X",)}
    return Writers(declared).named(output, ran, tasks)


def test_a_table_is_its_declared_writers_and_the_task_with_its_name_loaded_it() -> None:
    found = named(TABLE, "cards_daily", "others", "dbt", cards_daily=("extract_cards", "load_cards", "notify"))
    assert (found.writers, found.tasks) == (("cards_daily",), ("cards_daily.load_cards",))


def test_a_folder_is_that_of_the_table_that_it_carries_the_name_of_or_of_its_pipeline() -> None:
    folder = Output(store=Store.S3, name="lake/raw/cards/interval=1/", fingerprint=TABLE.fingerprint)
    assert named(folder, "cards_daily", "others", cards_daily=("extract_cards", "load_cards")).tasks == (
        "cards_daily.extract_cards",
    )
    assert named(folder.model_copy(update={"name": "lake/raw/others/x/"}), "cards_daily", "others").writers == (
        "others",
    )


def test_files_that_one_task_loads_were_written_by_the_first() -> None:
    folder = Output(store=Store.S3, name="lake/raw/cards/dt=1/", fingerprint=TABLE.fingerprint)
    found = named(folder, "cards_daily", cards_daily=("flatten", "load_rates", "load_cards"))
    assert found.tasks == ("cards_daily.flatten",)


def test_what_nobody_declares_is_of_the_one_that_declares_nothing_or_of_the_only_one() -> None:
    unknown = TABLE.model_copy(update={"name": "MARTS.DIM_CARDS", "dataset": ""})
    assert named(unknown, "cards_daily", "dbt").writers == ("dbt",)
    assert named(unknown, "cards_daily").writers == ("cards_daily",)
    assert named(unknown, "cards_daily", "others").writers == ()


def state(*outputs: Output) -> State:
    return State(moment="m", outputs=outputs)


def test_states_differ_in_what_the_asked_wrote_but_for_columns_that_may() -> None:
    one = TABLE.model_copy(update={"writers": ("cards_daily",)})
    other = one.model_copy(update={"fingerprint": Fingerprint("m", 1, 9, {"A": 1, "B": 3})})
    assert differ(state(one), state(one), {}, ["cards_daily"]) == []
    assert differ(state(one), state(other), {}, ["cards_daily"]) == [one.id]
    assert differ(state(one), state(other), {}, ["others"]) == []
    assert differ(state(one), state(other), {one.id: ("B",)}, ["cards_daily"]) == []
    assert differ(state(one), state(other), {one.id: ("A",)}, ["cards_daily"]) == [one.id]
    assert differ(state(), state(one), {}, ["cards_daily"]) == [one.id]
