"""Variants change what they say they change, nothing else, and the same every time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testenv.core.errors import Invalid
from testenv.datasets.tapes.form import Manifest, Tape, open_tape, to_batch, to_rows, write_manifest, write_partition
from testenv.datasets.tapes.variants import POISON, WINDOW, Kind, Variant, make

KINDS = pytest.mark.parametrize("kind", [*Kind])
BATCH = 5
Rows = dict[int, list[tuple[Any, ...]]]


def tape_of(folder: Path, offsets: dict[int, list[int]]) -> Tape:
    """Two records in seven are tombstones; every third has a header; each batch has `BATCH` records."""
    folder.mkdir()
    partitions = []
    for number, each in offsets.items():
        rows = [
            (at, 1000 + at, 1, b"%d" % (at % 3), None if at % 7 < 2 else b"v%d.%d" % (number, at), headers(at))
            for at in each
        ]
        batches = [to_batch(rows[part : part + BATCH]) for part in range(0, len(rows), BATCH)]
        span = (each[0], each[-1] + 3) if each else (4, 4)
        partitions.append(write_partition(folder, number, span, batches))
    manifest = Manifest(topic="t", config={}, snapshot=datetime(2026, 1, 1, tzinfo=UTC), partitions=tuple(partitions))
    write_manifest(folder, manifest)
    return Tape(manifest, folder)


def headers(at: int) -> list[tuple[str, bytes | None]]:
    return [("h", b"%d" % at), ("none", None)] if at % 3 == 0 else []


def rows(tape: Tape) -> Rows:
    parts = tape.manifest.partitions
    return {part.number: [row for b in tape.batches(part.number) for row in to_rows(b)] for part in parts}


def contents(part: list[tuple[Any, ...]]) -> Counter[str]:
    """Records without their offsets."""
    return Counter(repr(row[1:]) for row in part)


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return tape_of(tmp_path / "tape", {0: [*range(3, 20), 25, 26, 40], 1: [7], 2: [], 3: list(range(30))})


def varied(kind: Kind, tape: Tape, name: str = "", seed: int = 1, share: float = 0.3) -> Variant:
    return make(kind, tape, tape.folder.parent / (name or kind), seed=seed, share=share)


@KINDS
def test_a_variant_is_a_whole_tape_and_the_same_for_the_same_seed(tape: Tape, kind: Kind) -> None:
    one, again, other = varied(kind, tape), varied(kind, tape, "again"), varied(kind, tape, "other", seed=2)
    assert open_tape(one.tape.folder).manifest == one.tape.manifest == again.tape.manifest
    assert one.changed == again.changed
    assert one.tape.manifest != other.tape.manifest
    assert sum(map(len, one.changed.values()))


@KINDS
def test_what_is_not_told_as_changed_is_as_it_was_but_for_moved_offsets(tape: Tape, kind: Kind) -> None:
    before, found = rows(tape), varied(kind, tape)
    for number, part in rows(found.tape).items():
        assert [row[0] for row in part] == sorted({row[0] for row in part})
        kept = [row for row in part if row[0] not in found.changed[number]]
        if kind is Kind.DUPLICATED:
            assert [row[1:] for row in kept] == [row[1:] for row in before[number]]
        elif kind is not Kind.LATE:  # what is not late moves up
            assert set(map(repr, kept)) <= set(map(repr, before[number]))


@pytest.mark.parametrize("kind", [Kind.LATE, Kind.OUT_OF_ORDER])
def test_the_same_records_come_in_another_order_over_the_same_offsets(tape: Tape, kind: Kind) -> None:
    before, found = rows(tape), varied(kind, tape)
    after = rows(found.tape)
    for number in before:
        assert contents(after[number]) == contents(before[number])
        assert [row[0] for row in after[number]] == [row[0] for row in before[number]]
        assert [part.gaps for part in tape.manifest.partitions] == [p.gaps for p in found.tape.manifest.partitions]
    assert after != before


def test_late_records_come_after_newer_ones(tape: Tape) -> None:
    found = varied(Kind.LATE, tape)
    after = rows(found.tape)
    for number, offsets in found.changed.items():
        for at in offsets:
            place = next(place for place, row in enumerate(after[number]) if row[0] == at)
            assert any(row[1] > after[number][place][1] for row in after[number][:place])


def test_records_out_of_order_are_less_than_a_window_away(tape: Tape) -> None:
    before, found = rows(tape), varied(Kind.OUT_OF_ORDER, tape)
    for number, part in rows(found.tape).items():
        stood = {repr(row[1:]): place for place, row in enumerate(before[number])}
        moved = {place: stood[repr(row[1:])] for place, row in enumerate(part)}
        assert {part[to][0] for to, origin in moved.items() if to != origin} == set(found.changed[number])
        assert all(abs(to - origin) < WINDOW for to, origin in moved.items())


def test_a_copy_comes_right_after_its_record_and_gaps_move_on(tape: Tape) -> None:
    found = varied(Kind.DUPLICATED, tape)
    for number, part in rows(found.tape).items():
        at = {row[0]: row[1:] for row in part}
        assert all(at[offset] == at[offset - 1] for offset in found.changed[number])
    for was, now in zip(tape.manifest.partitions, found.tape.manifest.partitions, strict=True):
        copies = len(found.changed[was.number])
        assert (now.start, now.end, now.records) == (was.start, was.end + copies, was.records + copies)
        assert [gap.length for gap in now.gaps] == [gap.length for gap in was.gaps]


def test_poison_stands_in_place_of_the_value_alone(tape: Tape) -> None:
    before, found = rows(tape), varied(Kind.POISON, tape, share=0.9)
    after = rows(found.tape)
    for number, offsets in found.changed.items():
        for was, now in zip(before[number], after[number], strict=True):
            assert (*was[:4], was[5]) == (*now[:4], now[5])
            assert (now[4] in POISON) == (now[0] in offsets)
    assert {row[4] for part in after.values() for row in part} >= set(POISON)


@KINDS
def test_one_record_at_least_is_chosen(tmp_path: Path, kind: Kind) -> None:
    tape = tape_of(tmp_path / "tape", {0: [5, 6, 9]})
    found = make(kind, tape, tmp_path / "v", seed=3, share=1e-9)
    assert len(found.changed[0]) in ((0, 1) if kind is Kind.LATE else (1, 2))


@KINDS
def test_a_tape_without_records_stays_one(tmp_path: Path, kind: Kind) -> None:
    found = make(kind, tape_of(tmp_path / "tape", {0: []}), tmp_path / "v", seed=3)
    assert found.tape.manifest.records == 0 and found.changed == {0: ()}


@settings(max_examples=30, deadline=None)
@given(
    offsets=st.lists(st.integers(0, 60), unique=True, max_size=40),
    seed=st.integers(-5, 2**70),
    share=st.floats(0.01, 1),
)
def test_every_variant_of_any_tape_keeps_what_it_must(
    tmp_path_factory: pytest.TempPathFactory, offsets: list[int], seed: int, share: float
) -> None:
    home = tmp_path_factory.mktemp("t")
    tape = tape_of(home / "tape", {0: sorted(offsets)})
    [before] = rows(tape).values()
    for kind in Kind:
        found = make(kind, tape, home / kind, seed=seed, share=share)
        [after] = rows(open_tape(found.tape.folder)).values()
        told = set(found.changed[0])
        match kind:
            case Kind.DUPLICATED:
                assert [row[1:] for row in after if row[0] not in told] == [row[1:] for row in before]
            case Kind.POISON:
                assert [row for row in after if row[0] not in told] == [row for row in before if row[0] not in told]
            case _:
                assert contents(after) == contents(before)


def test_a_share_of_nothing_and_a_folder_in_use_are_refused(tape: Tape) -> None:
    with pytest.raises(Invalid, match="share: must be above 0"):
        varied(Kind.LATE, tape, share=0)
    with pytest.raises(Invalid, match="is not empty"):
        make(Kind.LATE, tape, tape.folder, seed=1)
