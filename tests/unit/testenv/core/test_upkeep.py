"""Leases and retention: read from the catalogue, by state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from testenv.core.errors import InvalidCatalog
from testenv.core.lifecycle import WAITING, WORKING, State
from testenv.core.upkeep import load_upkeep

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("state", State)
def test_who_waits_and_who_works_gives_signs_of_life_and_no_one_else(state: State) -> None:
    lease = load_upkeep().lease(state, NOON)
    seconds = {**dict.fromkeys(WAITING, 300), **dict.fromkeys(WORKING, 1800)}.get(state)
    assert lease == (NOON + timedelta(seconds=seconds) if seconds else None)


def test_what_has_ended_is_kept_for_thirty_days() -> None:
    assert load_upkeep().kept_since(NOON) == NOON - timedelta(days=30)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("retention_days: 30", "lease_seconds: Field required"),
        ("lease_seconds: {waiting: 1, working: 1800}\nretention_days: 30", r"lease_seconds\.waiting: .*got 1"),
        ("lease_seconds: {waiting: 300, working: 1800}\nretention_days: 0", "retention_days: .*got 0"),
    ],
)
def test_a_wrong_entry_names_file_key_and_value(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "upkeep.yaml"
    file.write_text(content)
    with pytest.raises(InvalidCatalog, match=r"upkeep\.yaml: " + said):
        load_upkeep(file)
