"""What a profile tells is looked up in the rows: a value that too few have is found, whoever let it in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from tests.unit.testenv.datasets.synthesize.contracts_of_a_shop import CONTRACTS, SECRETS, orders, people

from testenv.datasets.synthesize.disclosure import disclosed
from testenv.datasets.synthesize.documents import Leaves, leaves
from testenv.datasets.synthesize.model import After, Categories, Draw, Profile, Quantiles, Table, Text
from testenv.datasets.synthesize.profile import profile

PEOPLE, ORDERS = "postgres.people", "postgres.orders"
LATE = 100 * 86_400 * 10**6 + 17


@pytest.fixture(scope="module")
def shop() -> Profile:
    return profile(CONTRACTS, {PEOPLE: [people()], ORDERS: [orders()]})


def of(table: str) -> Leaves:
    rows = pa.Table.from_batches([people() if table == PEOPLE else orders()])
    if table == ORDERS:  # one is sent far later than any other
        sent = rows.column("sent_at").to_pylist()
        sent[1] = rows.column("ordered_at")[1].as_py() + timedelta(microseconds=LATE)
        place = rows.column_names.index("sent_at")
        rows = rows.set_column(place, "sent_at", pa.array(sent, rows.schema.field("sent_at").type))
    return leaves(CONTRACTS[table], rows)


def changed(table: Table, column: str, draw: Draw) -> Table:
    return replace(
        table, columns=tuple(replace(each, draw=draw) if each.name == column else each for each in table.columns)
    )


@pytest.mark.parametrize("table", [PEOPLE, ORDERS])
def test_a_profile_as_it_is_made_tells_nothing_of_few(shop: Profile, table: str) -> None:
    assert disclosed(CONTRACTS[table], shop.tables[table], of(table)) == []


@pytest.mark.parametrize(
    ("table", "column", "draw"),
    [
        (PEOPLE, "city", Categories(("Bergen", str(SECRETS[2])), (0.9, 0.1))),
        (ORDERS, "amount", Quantiles((0, int(SECRETS[3])))),
        (ORDERS, "weight", Quantiles((0, round(orders().column("weight")[5].as_py() * 10**6)), scale=10**6)),
        (ORDERS, "sent_at", After("ordered_at", Quantiles((0, LATE)))),
        (PEOPLE, "city", Text(4, len(str(SECRETS[2])))),
    ],
)
def test_a_value_of_one_row_is_found_wherever_it_stands(shop: Profile, table: str, column: str, draw: Draw) -> None:
    found = disclosed(CONTRACTS[table], changed(shop.tables[table], column, draw), of(table))
    assert found == [f"{table}: {column} has a value of fewer than 11 rows"]


def test_what_is_told_of_a_sensitive_column_is_found_however_many_rows_have_it(shop: Profile) -> None:
    told = changed(shop.tables[PEOPLE], "salary", Quantiles((0, 100)))
    assert disclosed(CONTRACTS[PEOPLE], told, of(PEOPLE)) == [
        f"{PEOPLE}: salary is identifier, and is told by quantiles"
    ]
