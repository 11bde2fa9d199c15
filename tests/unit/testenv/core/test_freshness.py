"""Whether a snapshot keeps what the contracts promise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from testenv.core.contract import Contract, Contracts, Store
from testenv.core.errors import Invalid
from testenv.core.freshness import Stale, chosen, shown, stale

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


def contract(id_: str, every: timedelta | None, late_by: timedelta | None) -> Contract:
    return Contract(
        id=id_, version="1", store=Store.POSTGRES, name=id_, owner="o", fields=(), every=every, late_by=late_by
    )


CONTRACTS: Contracts = {
    each.id: each
    for each in (
        contract("daily", 24 * HOUR, 6 * HOUR),
        contract("hourly", HOUR, 2 * HOUR),
        contract("late_only", None, 4 * HOUR),
        contract("promises_nothing", None, None),
    )
}


def ids(snapshot: datetime | None, **more: timedelta) -> list[str]:
    return [one.contract for one in stale(CONTRACTS, snapshot, NOON, **more)]


def test_data_may_be_as_old_as_its_period_and_its_lateness_together_and_not_a_moment_older() -> None:
    assert ids(NOON - 3 * HOUR) == []
    assert ids(NOON - 3 * HOUR - MOMENT) == ["hourly"]
    assert ids(NOON - 4 * HOUR - MOMENT) == ["hourly", "late_only"]
    assert ids(NOON - 30 * HOUR - MOMENT) == ["hourly", "late_only", "daily"], "the strictest first"


def test_grace_is_allowed_beyond_each_promise() -> None:
    assert ids(NOON - 27 * HOUR, grace=24 * HOUR) == []
    assert ids(NOON - 27 * HOUR - MOMENT, grace=24 * HOUR) == ["hourly"]


def test_what_has_no_snapshot_keeps_no_promise_but_that_of_a_contract_without_any() -> None:
    assert ids(None) == ["hourly", "late_only", "daily"]


def test_a_broken_promise_says_age_and_what_is_allowed() -> None:
    [first, *_] = stale(CONTRACTS, NOON - timedelta(days=2, hours=3), NOON)
    assert str(first) == "hourly → 2 d 3 h old, allowed 3 h 0 min"
    assert str(Stale("hourly", None, HOUR)) == "hourly → of no time, allowed 1 h 0 min"


def test_contracts_are_chosen_by_name_and_one_that_is_none_is_refused() -> None:
    assert list(chosen(CONTRACTS, ["hourly"])) == ["hourly"]
    assert chosen(CONTRACTS, []) == CONTRACTS
    with pytest.raises(Invalid, match="there is no 'hourli'"):
        chosen(CONTRACTS, ["hourly", "hourli"])


@pytest.mark.parametrize(
    ("time", "words"),
    [(timedelta(seconds=40), "40 s"), (timedelta(minutes=5, seconds=40), "5 min"), (timedelta(0), "0 s")],
)
def test_short_spans_are_told_in_one_unit(time: timedelta, words: str) -> None:
    assert shown(time) == words
