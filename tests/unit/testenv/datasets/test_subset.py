"""A subset is closed over references, the smallest that is, and the same however it is asked for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testenv.core.contract import Classification, Contract, Field, Store
from testenv.core.errors import Invalid, InvalidCatalog
from testenv.core.kinds import load_kinds
from testenv.datasets.contracts import load_contracts
from testenv.datasets.subset import Plan, Relation, close, load_tiers, orphan_queries, orphans, plan, subset

SECRET = b"a secret of these tests"
HALF = Fraction(1, 2)

World = tuple[dict[str, pl.DataFrame], tuple[Relation, ...], dict[str, pl.Series]]


@st.composite
def worlds(draw: st.DrawFn, dangling: bool = False) -> World:
    """Up to four tables that refer to each other and themselves in any way, and some of their rows as chosen."""
    sizes = draw(st.lists(st.integers(0, 9), min_size=1, max_size=4))
    names = [f"t{number}" for number in range(len(sizes))]
    ends = st.tuples(st.sampled_from(names), st.sampled_from(names), st.booleans())
    relations = tuple(
        Relation(child, f"r{number}", parent, "id", copy and child != parent)
        for number, (child, parent, copy) in enumerate(draw(st.lists(ends, max_size=6)))
    )
    rows = dict(zip(names, sizes, strict=True))
    tables = {}
    for name, size in rows.items():
        columns: dict[str, pl.Series] = {"id": pl.Series(range(size), dtype=pl.Int64)}
        for each in relations:
            if each.child == name:
                there = rows[each.parent] + (2 if dangling else 0)
                values = st.none() | st.integers(0, there - 1) if there else st.none()
                columns[each.column] = pl.Series(draw(st.lists(values, min_size=size, max_size=size)), dtype=pl.Int64)
        tables[name] = pl.DataFrame(columns)
    chosen = {
        name: pl.Series(draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=pl.Boolean)
        for name, size in rows.items()
    }
    return tables, relations, chosen


def ids(kept: dict[str, pl.DataFrame]) -> set[tuple[str, int]]:
    return {(name, row) for name, frame in kept.items() for row in frame.get_column("id")}


def slowly(world: World) -> set[tuple[str, int]]:
    """The same by the definition: leave out what refers to nothing until nothing does; then add until nothing lacks."""
    tables, relations, chosen = world
    rows = {(name, row["id"]): row for name, frame in tables.items() for row in frame.to_dicts()}

    def refers(key: tuple[str, int]) -> set[tuple[str, int]]:
        return {
            (each.parent, rows[key][each.column])
            for each in relations
            if each.child == key[0] and rows[key][each.column] is not None
        }

    while lost := {key for key in rows if refers(key) - rows.keys()}:
        for key in lost:
            del rows[key]
    copied = {
        (key, (each.parent, rows[key][each.column]))
        for key in rows
        for each in relations
        if each.copy and each.child == key[0]
    }
    kept = {
        (name, row) for name, mask in chosen.items() for row, is_chosen in enumerate(mask) if is_chosen
    } & rows.keys()
    while more := ({each for key in kept for each in refers(key)} | {a for a, b in copied if b in kept}) - kept:
        kept |= more
    return kept


@settings(max_examples=80, deadline=None)
@given(worlds(dangling=True))
def test_what_is_kept_is_what_the_definition_says_over_any_schema_with_cycles(world: World) -> None:
    assert ids(close(*world)) == slowly(world)


@settings(max_examples=40, deadline=None)
@given(worlds(dangling=True))
def test_nothing_that_is_kept_refers_to_what_is_not(world: World) -> None:
    assert set(orphans(close(*world), world[1]).values()) <= {0}


@settings(max_examples=30, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_relations_changes_nothing(world: World, random: object) -> None:
    tables, relations, chosen = world
    shuffled, masks = {}, {}
    for name, frame in tables.items():
        order = list(range(frame.height))
        random.shuffle(order)  # type: ignore[attr-defined]
        shuffled[name], masks[name] = frame[order], chosen[name][order]
    backwards = tuple(reversed(relations))
    assert ids(close(dict(reversed(shuffled.items())), backwards, masks)) == ids(close(*world))


@settings(max_examples=30, deadline=None)
@given(worlds(dangling=True), st.data())
def test_choosing_fewer_rows_keeps_a_subset(world: World, data: st.DataObject) -> None:
    tables, relations, chosen = world
    fewer = {
        name: mask
        & pl.Series(data.draw(st.lists(st.booleans(), min_size=len(mask), max_size=len(mask))), dtype=pl.Boolean)
        for name, mask in chosen.items()
    }
    assert ids(close(tables, relations, fewer)) <= ids(close(*world))


def test_a_chain_of_rows_of_one_table_is_followed_to_its_end() -> None:
    length = 50_000
    table = pl.DataFrame({"id": range(length), "next": [*range(1, length), None]})
    chosen = {"t": pl.Series([True] + [False] * (length - 1))}
    assert close({"t": table}, (Relation("t", "next", "t", "id"),), chosen)["t"].height == length


def a_contract(
    id: str, references: dict[str, str], entity: str = "", path: tuple[str, ...] = (), key: str = "id"
) -> Contract:
    store, _, name = id.partition(".")
    fields = {key: Field(path=key, type="integer", primary_key=True, references=references.get(key, ""))}
    for column, target in references.items():
        fields.setdefault(column, Field(path=column, type="integer", references=target))
    return Contract(
        id=id,
        version="1.0.0",
        store=Store(store),
        name=name,
        owner="sales",
        fields=tuple(field.model_copy(update={"classification": Classification.INTERNAL}) for field in fields.values()),
        entity=entity,
        entity_path=path,
    )


SHOP = {
    contract.id: contract
    for contract in (
        a_contract("postgres.countries", {}),
        a_contract("postgres.customers", {"referrer": "customers.id", "country": "countries.id"}, "customer", ("id",)),
        a_contract("postgres.orders", {"customer": "customers.id", "shop": "shops.id"}, "customer", ("customer",)),
        a_contract("postgres.shops", {"country": "countries.id"}, "shop", ("id",)),
        a_contract("snowflake.RAW.CUSTOMERS", {"ID": "customers.id"}, "customer", ("ID",), key="ID"),
        a_contract(
            "s3.parcels", {"lines[].order": "orders.id"}, "customer", ("lines[].order", "orders.customer"), key="parcel"
        ),
    )
}
KEYS = {
    "postgres.countries": pl.DataFrame({"id": [1, 2, 3]}),
    "postgres.customers": pl.DataFrame(
        {"id": range(100), "referrer": [None, *range(99)], "country": [1 + row % 2 for row in range(100)]}
    ),
    "postgres.orders": pl.DataFrame(
        {"id": range(300), "customer": [row % 100 for row in range(300)], "shop": range(300)}
    ),
    "postgres.shops": pl.DataFrame({"id": range(400), "country": [2] * 400}),
    "snowflake.RAW.CUSTOMERS": pl.DataFrame({"ID": range(100)}),
    "s3.parcels": pl.DataFrame(
        {"parcel": range(150), "lines[].order": [[row, 299 - row] for row in range(150)]},
        schema_overrides={"lines[].order": pl.List(pl.Int64)},
    ),
}


@pytest.fixture(scope="module")
def shop() -> Plan:
    return plan(SHOP, "customer")


def test_rows_of_the_chosen_entities_come_by_their_path_through_lists_and_other_tables(shop: Plan) -> None:
    parts = replace(shop, relations=())
    kept = subset(parts, {**KEYS}, HALF, SECRET)
    customers = set(kept["postgres.customers"].get_column("id"))
    assert 20 < len(customers) < 80
    of_them = set(KEYS["postgres.orders"].filter(pl.col("customer").is_in(customers)).get_column("id"))
    assert set(kept["postgres.orders"].get_column("id")) == of_them
    for row in KEYS["s3.parcels"].rows(named=True):
        assert (row["parcel"] in kept["s3.parcels"].get_column("parcel")) == bool(of_them & {*row["lines[].order"]})


def test_reference_data_comes_whole_and_another_entity_as_far_as_it_is_referred_to(shop: Plan) -> None:
    kept = subset(shop, KEYS, Fraction(1, 10), SECRET)
    assert kept["postgres.countries"].height == 3
    assert set(kept["postgres.shops"].get_column("id")) == set(kept["postgres.orders"].get_column("shop"))


def test_the_copy_in_the_warehouse_holds_the_rows_that_the_table_holds(shop: Plan) -> None:
    kept = subset(shop, KEYS, Fraction(1, 10), SECRET)
    assert (
        kept["snowflake.RAW.CUSTOMERS"].get_column("ID").equals(kept["postgres.customers"].get_column("id").alias("ID"))
    )
    assert kept["snowflake.RAW.CUSTOMERS"].height > 0


def test_a_subset_has_no_orphans_and_each_tier_holds_the_smaller_ones(shop: Plan) -> None:
    tiers = [subset(shop, KEYS, Fraction(part, 100), SECRET) for part in (1, 10, 40, 100)]
    for smaller, larger in pairwise(tiers):
        assert set(orphans(smaller, shop.relations).values()) == {0}
        for name, frame in smaller.items():
            first = frame.columns[0]
            assert set(frame.get_column(first)) <= set(larger[name].get_column(first))
    assert tiers[-1]["postgres.orders"].height == 300


def test_which_entities_are_chosen_hangs_on_the_secret(shop: Plan) -> None:
    parts = replace(shop, relations=())
    one, other = (subset(parts, KEYS, HALF, secret)["postgres.customers"] for secret in (SECRET, b"another"))
    assert not one.equals(other)


def test_a_subset_without_a_secret_is_refused(shop: Plan) -> None:
    with pytest.raises(Invalid, match="a subset needs a fraction above 0 and a secret"):
        subset(shop, KEYS, HALF, b"")


def test_rows_that_refer_to_nothing_are_counted_and_left_out() -> None:
    relation = Relation("kafka.events", "key", "postgres.cards", "id")
    keys = {
        "postgres.cards": pl.DataFrame({"id": [1, 2]}),
        "kafka.events": pl.DataFrame({"key": ["1", "999", "x", None]}),
    }
    assert orphans(keys, (relation,)) == {relation: 2}
    kept = close(keys, (relation,), {"kafka.events": pl.Series([True] * 4)})
    assert kept["kafka.events"].get_column("key").to_list() == ["1", None]
    assert kept["postgres.cards"].get_column("id").to_list() == [1]


def test_a_parent_that_is_not_there_makes_orphans_of_all() -> None:
    relation = Relation("a", "b_id", "b", "id")
    assert orphans({"a": pl.DataFrame({"b_id": [1, 2, None]})}, (relation,)) == {relation: 2}


def test_the_query_for_orphans_quotes_only_names_that_need_it() -> None:
    relations = (Relation("a", "b_id", "b", "id"), Relation("a", "trace-id", "b", "id"), Relation("c", "x", "b", "id"))
    queries = dict(orphan_queries(relations, {"a": "RAW.A", "b": "b"}))
    assert [*queries] == [*relations[:2]]
    assert queries[relations[0]] == (
        "SELECT count(*) FROM RAW.A AS child WHERE child.b_id IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM b AS parent WHERE parent.id = child.b_id)"
    )
    assert 'child."trace-id" IS NOT NULL' in queries[relations[1]]


def test_a_path_along_no_relation_is_refused() -> None:
    wrong = a_contract("postgres.orders", {"customer": "customers.id"}, "customer", ("id", "customers.id"))
    with pytest.raises(InvalidCatalog, match="no relationship leads from postgres.orders.id to postgres.customers"):
        plan({**SHOP, wrong.id: wrong}, "customer")


def test_every_kind_of_environment_has_a_tier_and_every_contract_a_plan() -> None:
    tiers = load_tiers()
    assert {kind.dataset_tier for kind in load_kinds().values()} <= set(tiers.names)
    assert plan(load_contracts(), tiers.entity).paths


def test_a_fraction_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tiers.yaml"
    file.write_text("entity: customer\nfractions: {ci: '1.5'}\n")
    with pytest.raises(InvalidCatalog, match="tiers.yaml: fractions: .* must lie above 0 and at most at 1"):
        load_tiers(file)


def test_a_tier_that_is_declared_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tiers.yaml"
    file.write_text("entity: customer\nfractions: {ci: '0.5'}\ngenerated: {ci: 10}\n")
    with pytest.raises(InvalidCatalog, match="tiers.yaml: generated: .*ci is a tier of production's rows already"):
        load_tiers(file)
