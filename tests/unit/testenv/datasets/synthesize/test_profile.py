"""A profile tells what many rows have in common, and nothing that few have."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.testenv.datasets.synthesize.contracts_of_a_shop import CONTRACTS, SECRETS, orders, people

from testenv.core.errors import Invalid
from testenv.datasets.synthesize import small_cells
from testenv.datasets.synthesize.model import (
    AT_ONCE,
    After,
    Categories,
    Key,
    Profile,
    Quantiles,
    Reference,
    Semantic,
    Text,
)
from testenv.datasets.synthesize.profile import profile


@pytest.fixture(scope="module")
def shop() -> Profile:
    return profile(CONTRACTS, {"postgres.people": [people()], "postgres.orders": [orders()]})


def draw(shop: Profile, table: str, column: str) -> Any:
    return shop.tables[f"postgres.{table}"].column(column).draw


def test_no_value_of_one_row_and_none_of_a_sensitive_column_stands_in_the_file(shop: Profile) -> None:
    text = shop.to_json()
    for secret in (*SECRETS, "anna", "real.example", "order-", "9876"):
        assert str(secret) not in text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(-50, 50), min_size=0, max_size=120))
def test_no_number_is_told_that_fewer_than_eleven_rows_have(values: list[int]) -> None:
    told = small_cells.edges(np.array(values, dtype=np.int64))
    assert [each for each in told if 0 < values.count(each) < 11] == []
    assert list(told) == sorted(told)
    assert len(told) <= len(values) // 11 + 1


def test_a_round_number_that_is_one_rows_own_is_not_told_either() -> None:
    assert small_cells.edges(np.arange(100, 111)) == (99, 99)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=200), st.integers(0, 30))
def test_no_group_of_a_fan_out_is_of_fewer_than_eleven_parents(children: list[int], childless: int) -> None:
    parents = len(children) + childless
    if not children:
        return
    groups = small_cells.fan_out(np.array(children), parents)
    assert all(round(share * parents) >= 11 for share, _ in groups) or len(groups) == 1
    assert sum(held for _, held in groups) == pytest.approx(1, abs=1e-4)


def test_a_share_of_too_few_rows_is_none() -> None:
    assert [small_cells.share(part, 1000) for part in (10, 11, 500, 990, 989)] == [0.0, 0.011, 0.5, 1.0, 0.989]


def test_categories_keep_their_shares_and_the_rare_are_one_share(shop: Profile) -> None:
    found = draw(shop, "people", "city")
    assert found.values == ("Bergen", "Oslo", "Tromsø")
    assert found.shares == pytest.approx((0.4, 0.3, 0.3), abs=0.01)
    assert draw(shop, "people", "kind").shares == pytest.approx((0, 0.2, 0.8), abs=0.001)


def test_a_value_of_the_contracts_enum_is_named_though_no_row_has_it(shop: Profile) -> None:
    assert draw(shop, "people", "kind").values == ("club", "firm", "private")


def test_each_column_is_drawn_as_its_contract_and_its_values_ask(shop: Profile) -> None:
    assert isinstance(draw(shop, "people", "id"), Key)
    assert draw(shop, "people", "iban") == Semantic("iban", unique=True)
    assert draw(shop, "people", "salary") == Semantic("salary")
    assert isinstance(draw(shop, "orders", "amount"), Quantiles)
    assert draw(shop, "orders", "pieces").values == (1, 2, 3)
    assert draw(shop, "orders", "gift") == Categories((0, 1), (0.75, 0.25))
    assert draw(shop, "orders", "code") == Text(8, 8, unique=True)


def test_quantiles_lie_where_the_values_do(shop: Profile) -> None:
    amounts = [int(each * 100) for each in orders().column("amount").to_pylist()]
    edges = draw(shop, "orders", "amount").edges
    assert edges[len(edges) // 2] == pytest.approx(np.median(amounts), rel=0.1)
    assert edges[-1] < 900_000


def test_a_time_that_is_never_before_another_is_told_as_the_time_since_in_its_own_grain(shop: Profile) -> None:
    found = draw(shop, "orders", "sent_at")
    assert isinstance(found, After)
    assert found.column == "ordered_at"
    assert found.distance.grain == 3_600_000_000
    assert found.distance.edges[0] == 0
    assert found.distance.edges[-1] == 71


def test_the_heaviest_parents_are_told_of_as_a_group(shop: Profile) -> None:
    found = draw(shop, "orders", "person_id")
    assert isinstance(found, Reference)
    heaviest, share = found.fan_out[0]
    assert heaviest * 2000 == pytest.approx(11, abs=0.01)
    assert share == pytest.approx(1 / 3 + 1 / 4, abs=0.01)


def test_nulls_are_counted(shop: Profile) -> None:
    assert shop.tables["postgres.orders"].column("sent_at").nulls == pytest.approx(0.1)
    assert shop.tables["postgres.people"].column("kind").nulls == 0


def test_a_profile_is_the_same_after_writing_and_reading(shop: Profile) -> None:
    assert Profile.from_json(shop.to_json()).to_json() == shop.to_json()
    assert Profile.from_json(shop.to_json()).tables == shop.tables


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"form": 99}', '{"form": 1, "tables": {"a": {"rows": 1}}}'])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="profile"):
        Profile.from_json(text)


def test_the_order_of_rows_changes_nothing(shop: Profile) -> None:
    order = pa.array(np.random.default_rng(3).permutation(6000))
    again = profile(CONTRACTS, {"postgres.people": [people()], "postgres.orders": [orders().take(order)]})
    assert json.loads(again.to_json()) == json.loads(shop.to_json())


def test_a_column_without_a_contract_is_refused() -> None:
    extra = people().append_column("tax_number", pa.array(["x"] * 2000))
    with pytest.raises(Invalid, match=r"postgres.people: the contract has no tax_number. Classify it there"):
        profile(CONTRACTS, {"postgres.people": [extra]})


def test_a_table_without_the_one_that_it_refers_to_is_refused() -> None:
    with pytest.raises(Invalid, match=r"person_id refers to postgres.people, which is not profiled"):
        profile(CONTRACTS, {"postgres.orders": [orders()]})


def test_of_few_rows_nothing_is_told_and_yet_texts_fit_and_nothing_changed_before_it_was_made() -> None:
    few = profile(CONTRACTS, {"postgres.people": [people(5)], "postgres.orders": [orders().slice(0, 8)]})
    assert draw(few, "people", "city") == Text(8, 8)
    assert draw(few, "orders", "sent_at") == After("ordered_at", AT_ONCE)
    short = CONTRACTS["postgres.people"].field("city").model_copy(update={"physical_type": "char(2)"})
    fields = tuple(short if each.path == "city" else each for each in CONTRACTS["postgres.people"].fields)
    contract = CONTRACTS["postgres.people"].model_copy(update={"fields": fields})
    found = profile({contract.id: contract}, {contract.id: [people(5)]})
    assert draw(found, "people", "city") == Text(2, 2)
