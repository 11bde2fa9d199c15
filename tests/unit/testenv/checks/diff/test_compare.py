"""The diff of two tables is what it is by definition: for any rows, keys, duplicates and nulls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.testenv.checks.diff.naive import Row, counts, table

from testenv.checks.diff import Example, Rules, diff, fingerprint
from testenv.checks.diff import pairs as pairs_module
from testenv.checks.diff import values as values_module
from testenv.core.contract import Tolerance
from testenv.core.errors import Failed, Invalid

SCHEMA = pa.schema([("id", pa.int64()), ("part", pa.string()), ("amount", pa.decimal128(9, 2)), ("at", pa.float64())])

rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 6)),
        st.sampled_from([None, "", "a", "ä"]),
        st.sampled_from([None, Decimal("1.50"), Decimal("-0.01")]),
        st.sampled_from([None, 0.5, float("inf")]),
    ),
    max_size=12,
)


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Rows, and the same in another order with some gone, some added, some more than once."""
    base = draw(rows)
    kept = [row for row in base if draw(st.integers(0, 4))]
    return base, draw(st.permutations(kept + draw(rows)[:3]))


@settings(max_examples=150, deadline=None)
@given(edited(), st.sampled_from([(), ("id",), ("id", "part")]))
def test_a_diff_counts_what_the_definition_counts(tables: tuple[list[Row], list[Row]], key: tuple[str, ...]) -> None:
    base, head = tables
    found = diff(table(base, SCHEMA), table(head, SCHEMA), Rules(key))
    wanted = counts(base, head, [SCHEMA.names.index(name) for name in key or SCHEMA.names])
    if not key:
        wanted["duplicates"] = (0, 0)
    assert {name: getattr(found, name) for name in wanted} == wanted
    assert (found.base_rows, found.head_rows, found.alike) == (len(base), len(head), 0)
    assert sum(found.by_column.values()) >= found.changed


@settings(max_examples=150, deadline=None)
@given(edited())
def test_fingerprints_are_equal_if_and_only_if_the_rows_are(tables: tuple[list[Row], list[Row]]) -> None:
    base, head = tables
    equal = sorted(map(repr, base)) == sorted(map(repr, head))
    assert (fingerprint(table(base, SCHEMA)) == fingerprint(table(head, SCHEMA, batch_rows=5))) == equal


@settings(max_examples=25, deadline=None)
@given(edited(), st.sampled_from([(), ("id",)]))
def test_parts_that_wait_in_files_give_the_same(tables: tuple[list[Row], list[Row]], key: tuple[str, ...]) -> None:
    one, other = (table(side, SCHEMA) for side in tables)
    at_once = diff(one, other, Rules(key))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_module, "PART_ROWS", 2)
        patch.setattr(type(one), "most_keys", 2)
        assert diff(one, other, Rules(key)) == at_once


def test_examples_are_the_same_ones_in_one_order_however_rows_of_a_key_come(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = [(1, "a", Decimal(number), None) for number in range(50)]
    one, other = table(rows, SCHEMA), table([], SCHEMA)
    found = diff(one, other, Rules(("id",)))
    paired = values_module.paired
    monkeypatch.setattr(values_module, "paired", lambda *sides: paired(*sides).reverse())
    assert diff(one, other, Rules(("id",))) == found and len(found.examples) > 1


def two(one: Any, other: Any, kind: pa.DataType, tolerance: Tolerance | None = None) -> Any:
    """The diff of two tables of one row, whose key is equal."""
    schema = pa.schema([("id", pa.int64()), ("value", kind)])
    rules = Rules(("id",), tolerances={"value": tolerance} if tolerance else {})
    return diff(table([(1, one)], schema), table([(1, other)], schema), rules)


HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
"""Of a topic's records, as tapes have them."""

NAN, CET = float("nan"), timezone(timedelta(hours=1))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (-0.0, 0.0, pa.float64()),
        (NAN, -NAN, pa.float64()),
        (None, None, pa.binary()),
        ({"a": [1, None]}, {"a": [1, None]}, pa.struct([("a", pa.list_(pa.int64()))])),
        ([("k", b"v"), ("k", None)], [("k", b"v"), ("k", None)], pa.map_(pa.string(), pa.binary())),
        ([{"key": "k", "value": b"v"}], [{"key": "k", "value": b"v"}], HEADERS),
    ],
)
def test_values_that_are_equal(one: Any, other: Any, kind: pa.DataType) -> None:
    found = two(one, other, kind)
    assert found.is_empty and not found.alike


def test_an_instant_is_the_same_in_every_zone_and_unit() -> None:
    one, other = (pa.schema([("at", pa.timestamp(unit, zone))]) for unit, zone in (("ns", "UTC"), ("ms", "+01:00")))
    there = fingerprint(table([(NOON,)], one)), fingerprint(table([(NOON.astimezone(CET),)], other))
    assert there[0] == there[1]


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (None, "", pa.string()),
        (None, b"", pa.binary()),
        (None, 0, pa.int64()),
        (None, False, pa.bool_()),
        (None, NAN, pa.float64()),
        ("a", "a ", pa.string()),
        ("é", "e\u0301", pa.string()),
        (1 << 53, (1 << 53) + 1, pa.int64()),
        ([1, None], [None, 1], pa.list_(pa.int64())),
        ({"a": None}, None, pa.struct([("a", pa.int64())])),
        ([{"key": "k", "value": b"v"}], [{"key": "k", "value": None}], HEADERS),
        (Decimal("1.01"), Decimal("1.02"), pa.decimal128(38, 2)),
    ],
)
def test_values_that_differ(one: Any, other: Any, kind: pa.DataType) -> None:
    found = two(one, other, kind)
    assert (found.changed, found.by_column) == (1, {"value": 1})
    assert repr(found.examples) == repr((Example("changed", (1,), {"value": (one, other)}),))  # NaN equals not itself


@pytest.mark.parametrize(
    ("one", "other", "kind", "tolerance", "alike"),
    [
        (1.0, 1.05, pa.float64(), Tolerance(absolute=0.1), 1),
        (1.0, 1.2, pa.float64(), Tolerance(absolute=0.1), 0),
        (1000, 1009, pa.int64(), Tolerance(relative=0.01), 1),
        (1000, 1011, pa.int64(), Tolerance(relative=0.01), 0),
        (None, 0.0, pa.float64(), Tolerance(absolute=1), 0),
        (float("inf"), 1.0, pa.float64(), Tolerance(relative=1), 0),
        (NAN, 1.0, pa.float64(), Tolerance(absolute=9), 0),
        (Decimal("1.00"), Decimal("1.01"), pa.decimal128(9, 2), Tolerance(absolute=0.011), 1),
        ("1.00", "1.01", pa.string(), Tolerance(absolute=0.011), 1),
        ("ten", "eleven", pa.string(), Tolerance(absolute=9), 0),
        (NOON, NOON + timedelta(seconds=2), pa.timestamp("us", "UTC"), Tolerance(seconds=2), 1),
        (NOON, NOON + timedelta(seconds=2.5), pa.timestamp("us", "UTC"), Tolerance(seconds=2), 0),
    ],
)
def test_a_tolerance(one: Any, other: Any, kind: pa.DataType, tolerance: Tolerance, alike: int) -> None:
    found = two(one, other, kind, tolerance)
    assert (found.alike, found.changed) == (alike, 1 - alike)
    assert found.is_empty == bool(alike)


PAYMENTS = pa.schema([("id", pa.int64()), ("amount", pa.int64()), ("loaded", pa.string())])


def test_columns_that_do_not_count() -> None:
    one, other = table([(1, 5, "then")], PAYMENTS), table([(1, 5, "now")], PAYMENTS)
    rules = Rules(("id",), ignored=frozenset({"loaded"}))
    assert diff(one, other, rules).is_empty
    assert fingerprint(one, rules) == fingerprint(other, rules)
    assert not diff(one, other, Rules(("id",))).is_empty


def test_columns_of_one_side_are_told_and_the_others_compared() -> None:
    wider = pa.schema([("tax", pa.int64()), ("id", pa.int64()), ("amount", pa.float64()), ("loaded", pa.string())])
    base = table([(1, 5), (2, 6)], pa.schema([PAYMENTS.field("id"), PAYMENTS.field("amount")]))
    found = diff(base, table([(0, 1, 5.0, "x"), (0, 2, 7.0, "x")], wider), Rules(("id",)))
    assert found.columns_only_in_head == ("tax", "loaded")
    assert found.retyped == {"amount": ("Int64", "Float64")}
    assert (found.changed, found.by_column) == (1, {"amount": 1})
    assert found.examples == (Example("changed", (2,), {"amount": (6, 7.0)}),)


def test_examples_are_those_with_the_smallest_keys() -> None:
    base = [(key, 1, "a") for key in range(100)]
    head = [(key, 2, "a") if key >= 40 else (key, 1, "a") for key in range(30, 120)]
    found = diff(table(base[::-1], PAYMENTS), table(head, PAYMENTS), Rules(("id",)), examples=2)
    assert [(each.kind, each.key) for each in found.examples] == [
        ("changed", (40,)),
        ("changed", (41,)),
        ("only in base", (0,)),
        ("only in base", (1,)),
        ("only in head", (100,)),
        ("only in head", (101,)),
    ]
    assert (found.changed, found.only_in_base, found.only_in_head) == (60, 30, 20)
    assert found.examples[2].values == {"amount": (1, None), "id": (0, None), "loaded": ("a", None)}


def test_rows_that_were_appended_again_are_duplicates() -> None:
    base = [(1, 5, "a"), (2, 6, "a")]
    found = diff(table(base, PAYMENTS), table([*base, base[1]], PAYMENTS), Rules(("id",)))
    assert (found.only_in_head, found.duplicates, found.changed) == (1, (0, 1), 0)
    assert Example("duplicate in head", (2,)) in found.examples


def test_values_that_changed_rows_are_seen_though_no_column_changed() -> None:
    one, other = [(1, 5, "a"), (2, 6, "a")], [(1, 6, "a"), (2, 5, "a")]
    before, after = fingerprint(table(one, PAYMENTS)), fingerprint(table(other, PAYMENTS))
    assert before.columns == after.columns
    assert before.hash != after.hash


def test_a_key_that_is_not_in_both_is_refused() -> None:
    with pytest.raises(Invalid, match="key: code is not in both"):
        diff(table([], PAYMENTS), table([], PAYMENTS), Rules(("code",)))


def test_a_table_that_is_written_to_meanwhile_is_an_error() -> None:
    base, moving = table([(1, 5, "a")], PAYMENTS), table([(1, 6, "a")], PAYMENTS)
    reads = 0

    def read(columns: Any) -> Any:
        nonlocal reads
        reads += 1
        return table([(1, 6 if reads < 2 else 7, "a")], PAYMENTS)._read(columns)

    moving._read = read
    with pytest.raises(Failed, match="changed while it was compared"):
        diff(base, moving, Rules(("id",)))
