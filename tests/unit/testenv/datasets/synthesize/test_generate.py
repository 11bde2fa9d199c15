"""Generated rows are the same on any worker, and have what the profile says of the rows that they stand in for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.testenv.datasets.synthesize.contracts_of_a_shop import CONTRACTS, orders, people

from estate.production.identifiers import is_iban, passes_luhn
from testenv.core.errors import Invalid
from testenv.datasets.synthesize.arrow import arrow_type
from testenv.datasets.synthesize.counter import bits, permuted
from testenv.datasets.synthesize.examples import example
from testenv.datasets.synthesize.fan_out import allocate
from testenv.datasets.synthesize.generate import generate
from testenv.datasets.synthesize.model import Column, Key, Profile, Reference, Semantic, Table, Text
from testenv.datasets.synthesize.profile import profile
from testenv.datasets.synthesize.write import batches, parts, write

PEOPLE, ORDERS = "postgres.people", "postgres.orders"


@pytest.fixture(scope="module")
def shop() -> Profile:
    return profile(CONTRACTS, {PEOPLE: [people()], ORDERS: [orders()]})


def rows(shop: Profile, table: str, seed: int = 1) -> pa.RecordBatch:
    return generate(shop, table, 0, shop.tables[table].rows, seed)


def test_the_generator_is_splitmix64() -> None:
    # The reference implementation's first numbers after seed 1234567.
    words = bits(1234567, np.arange(1, 6, dtype=np.uint64)).tolist()
    assert words == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(1, 3000))
def test_a_random_order_has_every_place_once(stream: int, size: int) -> None:
    places = permuted(stream, np.arange(size, dtype=np.uint64), size)
    assert sorted(places.tolist()) == list(range(size))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=1, max_size=6),
    st.integers(1, 300),
    st.integers(1, 900),
)
def test_every_child_has_a_parent_that_is_there_and_not_after_it(
    groups: list[tuple[float, float]], parents: int, children: int
) -> None:
    all_parents, all_children = (sum(group[at] for group in groups) for at in (0, 1))
    shares = tuple((size / all_parents, held / all_children) for size, held in groups)
    found = allocate(shares, parents, children).parent(np.arange(children, dtype=np.uint64)).tolist()
    assert all(0 <= parent < parents and parent <= child for child, parent in enumerate(found))
    assert all(one <= other <= one + 1 for one, other in pairwise(found))


@pytest.mark.parametrize("cuts", [(0, 1, 2, 700, 2000), (0, 1999, 2000), tuple(range(0, 2001, 250))])
@pytest.mark.parametrize("table", [PEOPLE, ORDERS])
def test_any_ranges_put_together_are_the_whole(shop: Profile, table: str, cuts: tuple[int, ...]) -> None:
    pieces = [generate(shop, table, start, stop, 1) for start, stop in pairwise(cuts)]
    assert (
        pa.Table.from_batches(pieces)
        .combine_chunks()
        .equals(pa.Table.from_batches([generate(shop, table, 0, 2000, 1)]))
    )


def test_the_files_are_the_same_bytes_on_any_number_of_workers(shop: Profile, tmp_path: Path) -> None:
    small = Profile({**shop.tables})
    one, two = (write(small, ORDERS, tmp_path / str(workers), 1, workers, 2500) for workers in (1, 2))
    assert [part.name for part in one] == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert one == two
    for part in one:
        assert (tmp_path / "1" / part.name).read_bytes() == (tmp_path / "2" / part.name).read_bytes()
    assert pq.read_table(tmp_path / "1").num_rows == 6000


def test_another_seed_gives_other_rows_of_the_same_keys(shop: Profile) -> None:
    one, other = rows(shop, PEOPLE, 1), rows(shop, PEOPLE, 2)
    assert one.column("id").equals(other.column("id"))
    assert not one.column("iban").equals(other.column("iban"))


def test_the_schema_is_that_of_the_rows_it_stands_in_for(shop: Profile) -> None:
    for table, real in ((PEOPLE, people()), (ORDERS, orders())):
        made = rows(shop, table)
        assert [(field.name, field.type) for field in made.schema] == [
            (field.name, field.type) for field in real.schema
        ]
        made.validate(full=True)


def test_unique_columns_are_unique(shop: Profile) -> None:
    for table, columns in ((PEOPLE, ("id", "email", "iban")), (ORDERS, ("id", "code"))):
        made = rows(shop, table)
        for column in columns:
            assert pc.count_distinct(made.column(column)).as_py() == made.num_rows, column


def test_every_reference_leads_to_a_row_and_fan_out_and_skew_are_kept(shop: Profile) -> None:
    made, parents = rows(shop, ORDERS).column("person_id"), rows(shop, PEOPLE).column("id")
    assert pc.all(pc.is_in(made, parents)).as_py()
    real, generated = (Counter(Counter(column.to_pylist()).values()) for column in (orders().column("person_id"), made))
    for count in range(1, 4):
        assert generated[count] == pytest.approx(real[count], abs=12)
    heaviest = sum(sorted(Counter(made.to_pylist()).values())[-11:])
    assert heaviest == pytest.approx(6000 * (1 / 3 + 1 / 4), rel=0.02)


def test_references_keep_their_fan_out_at_another_scale(shop: Profile) -> None:
    larger = shop.scaled(7.3)
    made = generate(larger, ORDERS, 0, larger.tables[ORDERS].rows, 1).column("person_id")
    one, other = (
        len(set(made.to_pylist())) / larger.tables[PEOPLE].rows,
        len(set(orders().column("person_id").to_pylist())),
    )
    assert one == pytest.approx(other / 2000, abs=0.01)
    assert 0 <= min(made.to_pylist()) - 10**9 <= max(made.to_pylist()) - 10**9 < larger.tables[PEOPLE].rows


def test_within_a_table_a_row_refers_to_an_earlier_one(shop: Profile) -> None:
    made = rows(shop, PEOPLE)
    own, friends = (made.column(name).to_pylist() for name in ("id", "friend_id"))
    assert all(friend is None or friend < row for row, friend in zip(own, friends, strict=True))
    assert sum(friend is not None for friend in friends) == pytest.approx(1200, abs=60)


def test_somebody_refers_to_nobody_however_few_those_are() -> None:
    """So that whoever follows the references comes to an end."""
    ids = pa.array(range(40), pa.int64())
    friends = pa.array([None, *range(39)], pa.int64())
    few = pa.RecordBatch.from_pydict({"id": ids, "friend_id": friends, "kind": ["firm"] * 40})
    for factor in (0.1, 1, 50):
        small = profile(CONTRACTS, {PEOPLE: [few]}).scaled(factor)
        made = rows(small, PEOPLE)
        assert made.column("friend_id").null_count >= 1
        own, friend = (made.column(name).to_pylist() for name in ("id", "friend_id"))
        assert all(each is None or each < row for row, each in zip(own, friend, strict=True))


def test_a_reference_to_a_table_without_rows_is_null_or_refused(shop: Profile) -> None:
    none = replace(shop.tables[PEOPLE], rows=0)
    with pytest.raises(Invalid, match=r"6,000 rows must refer to postgres.people.id, which has none"):
        rows(Profile({**shop.tables, PEOPLE: none}), ORDERS)
    columns = tuple(
        replace(each, nulls=1.0) if each.name == "person_id" else each for each in shop.tables[ORDERS].columns
    )
    made = rows(Profile({PEOPLE: none, ORDERS: replace(shop.tables[ORDERS], columns=columns)}), ORDERS)
    assert made.column("person_id").null_count == 6000


def test_a_table_without_rows_stays_without_at_any_scale(shop: Profile) -> None:
    none = Profile({PEOPLE: replace(shop.tables[PEOPLE], rows=0), ORDERS: shop.tables[ORDERS]})
    assert none.scaled(7).tables[PEOPLE].rows == 0
    assert none.scaled(7, [ORDERS]).tables[ORDERS].rows == 6000
    assert none.scaled(0.00001).tables[ORDERS].rows == 1


def test_shares_nulls_and_quantiles_are_kept(shop: Profile) -> None:
    made, real = rows(shop, ORDERS), orders()
    assert made.column("sent_at").null_count == pytest.approx(600, abs=120)
    assert made.column("ordered_at").null_count == 0
    assert pc.sum(made.column("gift")).as_py() == pytest.approx(1500, abs=200)
    assert set(made.column("pieces").to_pylist()) == {1, 2, 3}
    for column in ("amount", "weight"):
        ours, theirs = (np.sort([float(each) for each in batch.column(column).to_pylist()]) for batch in (made, real))
        for part in (0.1, 0.5, 0.9):
            place = int(part * 6000)
            assert ours[place] == pytest.approx(theirs[place], rel=0.08), (column, part)


def test_the_values_of_an_enum_are_kept(shop: Profile) -> None:
    assert set(rows(shop, PEOPLE).column("kind").to_pylist()) <= {"private", "firm", "club"}


def test_what_was_never_before_is_never_before(shop: Profile) -> None:
    made = rows(shop, ORDERS)
    waited = pc.subtract(made.column("sent_at"), made.column("ordered_at")).drop_null().cast(pa.int64()).to_numpy()
    assert waited.min() >= 0
    assert set(waited % 3_600_000_000) == {0}


def test_examples_are_valid_and_of_nobody() -> None:
    some = np.arange(500, dtype=np.uint64)
    made = {
        kind: example(kind, 7, some, 500, unique=False).to_pylist()
        for kind in ("iban", "pan", "email", "phone", "ip_address", "person_name", "unheard_of")
    }
    assert all(is_iban(each) and each.startswith("DE") and each[4:12] == "99999999" for each in made["iban"])
    assert all(passes_luhn(each) and len(each) == 16 and each.startswith("400000") for each in made["pan"])
    assert all(each.endswith("@example.org") and each[:16].isalpha() for each in made["email"])
    assert all(each[:2] == "+1" and each[5:10] == "55501" and len(each) == 12 for each in made["phone"])
    assert all(each.startswith(("192.0.2.", "198.51.100.", "203.0.113.")) for each in made["ip_address"])
    assert all(each.isalpha() for each in made["unheard_of"])
    assert len(set(made["person_name"])) > 100


def test_fewer_examples_than_rows_that_must_differ_are_refused() -> None:
    with pytest.raises(Invalid, match="phone: there are 80,000 examples, and 80,001 rows must have one each"):
        example("phone", 7, np.arange(5, dtype=np.uint64), 80_001, unique=True)
    everyone = example("phone", 7, np.arange(80_000, dtype=np.uint64), 80_000, unique=True)
    assert pc.count_distinct(everyone).as_py() == 80_000


@pytest.mark.parametrize(
    "kind",
    ["int8", "int16", "int32", "int64", "float", "double", "bool", "string", "date32[day]", "decimal128(9, 2)"]
    + ["timestamp[s]", "timestamp[us, tz=UTC]", "decimal128(38, 0)"],
)
def test_every_type_can_be_made_blindly(kind: str) -> None:
    lone = Profile({"t": Table(300, (Column("c", kind, Semantic(""), 0.25),))})
    made = generate(lone, "t", 0, 300, 1).column("c")
    made.validate(full=True)
    assert str(made.type) == kind == str(arrow_type(kind))
    assert 40 < made.null_count < 110


def test_texts_have_the_lengths_of_the_profile() -> None:
    lone = Profile({"t": Table(2000, (Column("c", "string", Text(3, 40)),))})
    lengths = pc.utf8_length(generate(lone, "t", 0, 2000, 1).column("c")).to_pylist()
    assert set(lengths) == set(range(3, 41))


def test_a_unique_reference_gives_no_parent_a_second_child() -> None:
    one_each = Reference("p.id", ((1.0, 1.0),), unique=True)
    both = Profile(
        {
            "p": Table(500, (Column("id", "string", Key(0)),)),
            "c": Table(400, (Column("p_id", "string", one_each),)),
        }
    )
    made = rows(both, "c").column("p_id")
    assert pc.count_distinct(made).as_py() == 400
    assert pc.all(pc.is_in(made, rows(both, "p").column("id"))).as_py()
    crowded = Profile({**both.tables, "c": replace(both.tables["c"], rows=501)})
    with pytest.raises(Invalid, match="501 rows must refer to different rows of p.id, of which there are 500"):
        rows(crowded, "c")


def test_a_range_outside_the_table_and_a_table_that_is_not_there_are_refused(shop: Profile) -> None:
    with pytest.raises(Invalid, match="postgres.people has rows 0 to 2000, asked were 1999 to 2001"):
        generate(shop, PEOPLE, 1999, 2001, 1)
    with pytest.raises(Invalid, match=r"the profile has no table 'people', only postgres.orders, postgres.people"):
        generate(shop, "people", 0, 1, 1)


def test_parts_and_batches_cover_a_table_once(shop: Profile) -> None:
    larger = shop.scaled(20)
    assert [(part.start, part.stop) for part in parts(larger, ORDERS, 50_000)] == [
        (0, 50_000),
        (50_000, 100_000),
        (100_000, 120_000),
    ]
    assert sum(batch.num_rows for batch in batches(larger, ORDERS, 100, 70_000, 1)) == 69_900
