"""Names of tape sets, which of them may go, and in which order their files do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from testenv.core.errors import InvalidName
from testenv.datasets.tapes.sets import in_order_of_deletion, outdated, set_name, set_prefix, tape_prefix

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
OLD, OLDER, AT_30_DAYS, YOUNG = "t20260129-aaaaaaaa", "t20260128-bbbbbbbb", "t20260130-cccccccc", "t20260228-dddddddd"


class TestNames:
    def test_a_run_has_one_set_however_often_it_is_tried(self) -> None:
        assert set_name("scheduled__1", NOW) == set_name("scheduled__1", NOW) != set_name("scheduled__2", NOW)

    def test_its_day_is_that_of_utc(self) -> None:
        evening = datetime(2026, 2, 28, 22, tzinfo=timezone(timedelta(hours=-5)))
        assert set_name("r", evening).startswith("t20260301-")

    def test_a_tape_lies_below_its_set(self) -> None:
        assert tape_prefix(set_name("r", NOW), "card_events").startswith(set_prefix(set_name("r", NOW)))

    @pytest.mark.parametrize(
        "name", ["", "current", "../datasets", "t20260102-1a2b3c4d/", "t2026-1a2b3c4d", "t20260102-1a2b3c"]
    )
    def test_what_is_no_name_names_no_prefix(self, name: str) -> None:
        with pytest.raises(InvalidName):
            set_prefix(name)


class TestOutdated:
    def test_what_is_older_than_30_days_goes(self) -> None:
        assert outdated([YOUNG, OLD, AT_30_DAYS, OLDER], YOUNG, set(), NOW) == [OLDER, OLD]

    def test_the_current_set_stays_however_old(self) -> None:
        assert outdated([OLD, OLDER], OLD, set(), NOW) == [OLDER]

    def test_a_set_that_is_referred_to_stays(self) -> None:
        assert outdated([OLD, OLDER], None, {OLDER, ""}, NOW) == [OLD]

    def test_what_is_no_set_is_left_alone(self) -> None:
        assert outdated(["notes", "t20260101", f"{OLD}-copy"], None, set(), NOW) == []


def test_a_set_ends_with_its_manifest_and_its_evidence_goes_last() -> None:
    keys = [
        "tapes/S/card_events/0.parquet",
        "tapes/S/card_events/manifest.json",
        "tapes/S/evidence/card_events.json",
        "tapes/S/manifest.json",
        "tapes/S/plan.json",
    ]
    assert in_order_of_deletion(keys) == [
        "tapes/S/manifest.json",
        "tapes/S/plan.json",
        "tapes/S/card_events/manifest.json",
        "tapes/S/card_events/0.parquet",
        "tapes/S/evidence/card_events.json",
    ]
