"""What people read on the terminal."""

from __future__ import annotations

from typing import Any

import pytest

from testenv_cli import printing


def environment(**changed: Any) -> dict[str, Any]:
    return {
        "id": "ci-a",
        "kind": "ci",
        "owner": "ada",
        "state": "ready",
        "queue_place": None,
        "dataset": "seed-1a2b3c4d",
        "ref": "working-tree",
        "ready_in_seconds": 12.0,
        "ended_at": None,
        "expires_at": None,
        **changed,
    }


def test_the_list_shows_the_place_of_who_waits(capsys: pytest.CaptureFixture[str]) -> None:
    waits = environment(id="ci-b", state="queued", queue_place=7, ready_in_seconds=None)
    printing.print_environments([environment(), waits])
    lines = capsys.readouterr().out.splitlines()
    assert "queued at place 7" in lines[2] and "place" not in lines[1]


def test_findings_say_what_would_end_why_and_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    foreign = {
        "id": "sbx-a",
        "why": "not ours",
        "ends": False,
        "words": "no mark",
        "proof": "its mark says '[of finance]'",
        "resources": ["postgres database te_sbx_a_src"],
    }
    expired = {"id": "sbx-b", "why": "expired", "ends": True, "words": "over", "proof": "the ledger", "resources": []}
    printing.print_findings([foreign, expired])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("end   sbx-b expired: over (the ledger)")
    assert lines[1] == "leave sbx-a not ours: no mark (its mark says '[of finance]')"
    assert lines[2].strip() == "postgres database te_sbx_a_src"
    printing.print_findings([])
    assert "Nothing is to end" in capsys.readouterr().out


def test_what_differs_between_datasets_has_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    gone = {"part": "postgres", "name": "cards", "was": "4 rows", "now": None}
    printing.print_dataset_changes({"before": "seed-1", "after": "seed-2", "changes": [gone]})
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["part", "name", "seed-1", "seed-2"]
    assert line.split() == ["postgres", "cards", "4", "rows", "none"]


def test_tape_sets_show_which_is_current_and_who_is_filled_from_each(capsys: pytest.CaptureFixture[str]) -> None:
    one = {
        "name": "t20260102-1a2b3c4d",
        "current": True,
        "recorded_at": "2026-01-02T03:00:01+00:00",
        "topics": {"card_events": 1200, "login_events": 34},
        "environments": ["ci-a"],
    }
    printing.print_tapes([one])
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split() == ["t20260102-1a2b3c4d", "current", "2026-01-02", "03:00", "2", "1,234", "ci-a"]
    printing.print_tapes([])
    assert "record_tapes" in capsys.readouterr().out


def test_datasets_show_which_is_published_and_who_stands_on_each(capsys: pytest.CaptureFixture[str]) -> None:
    one = {"version": "seed-1", "published": True, "rows": 1200, "records": 18, "files": 3, "environments": ["ci-a"]}
    one |= {"age": None, "stale": ["kafka.card_events"]}
    printing.print_datasets([one])
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row == ["seed-1", "published", "1,200", "18", "3", "1", "contracts", "ci-a"]
