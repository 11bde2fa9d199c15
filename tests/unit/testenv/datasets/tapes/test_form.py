"""A tape's files hold its records, the same bytes for the same records, and a changed one is no tape."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testenv.core.errors import Failed, Invalid
from testenv.datasets.tapes.form import (
    ROWS,
    Manifest,
    open_tape,
    read_manifest,
    to_batch,
    to_rows,
    write_manifest,
    write_partition,
)

BYTES = st.none() | st.binary(max_size=8)
ROW = st.tuples(
    st.integers(0, 2**62),
    st.integers(1, 2**60),
    st.sampled_from([1, 2]),
    BYTES,
    BYTES,
    st.lists(st.tuples(st.text(max_size=4), BYTES), max_size=3),
)


@given(st.lists(ROW, max_size=6))
def test_a_batch_gives_back_its_rows(rows: list[tuple[object, ...]]) -> None:
    assert list(to_rows(to_batch(rows))) == rows


def row(offset: int, value: bytes | None = b"v") -> tuple[object, ...]:
    return (offset, 1, 1, None, value, [])


def make(folder: Path, offsets: list[int], end: int, size: int = 2) -> Manifest:
    folder.mkdir(exist_ok=True)
    batches = [to_batch([row(at) for at in offsets[part : part + size]]) for part in range(0, len(offsets), size)]
    partition = write_partition(folder, 0, (2, end), batches)
    manifest = Manifest(topic="t", config={}, snapshot=datetime(2026, 1, 1, tzinfo=UTC), partitions=(partition,))
    write_manifest(folder, manifest)
    return manifest


def test_gaps_are_found_before_between_and_after_records(tmp_path: Path) -> None:
    [part] = make(tmp_path, [4, 5, 6, 9, 10, 12], 15).partitions
    assert [(gap.offset, gap.length) for gap in part.gaps] == [(2, 2), (7, 2), (11, 1), (13, 2)]
    assert part.records == 6


def test_a_segment_without_records_is_one_gap_or_none(tmp_path: Path) -> None:
    assert [(gap.offset, gap.length) for gap in make(tmp_path / "a", [], 5).partitions[0].gaps] == [(2, 3)]
    assert make(tmp_path / "b", [], 2).partitions[0].gaps == ()


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = make(tmp_path / "a", [2, 3], 4), make(tmp_path / "b", [2, 3], 4)
    assert one == other
    assert (tmp_path / "a/0.parquet").read_bytes() == (tmp_path / "b/0.parquet").read_bytes()


def test_a_file_holds_no_statistics_of_its_values(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    make(tmp_path, [2, 3], 4)
    group = pq.ParquetFile(tmp_path / "0.parquet").metadata.row_group(0)
    assert not any(group.column(at).is_stats_set for at in range(group.num_columns))


def test_a_tape_is_opened_as_it_was_written(tmp_path: Path) -> None:
    manifest = make(tmp_path, list(range(2, ROWS + 10)), ROWS + 10, ROWS)
    tape = open_tape(tmp_path)
    assert tape.manifest == manifest
    batches = list(tape.batches(0))
    assert max(len(batch) for batch in batches) <= ROWS
    assert [offset for batch in batches for offset, *_ in to_rows(batch)] == list(range(2, ROWS + 10))


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path, [2, 3], 4)
    with (tmp_path / "0.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(Failed, match=r"0\.parquet of the tape has SHA-256 .* was changed"):
        open_tape(tmp_path)
    (tmp_path / "0.parquet").unlink()
    with pytest.raises(Failed, match="no file"):
        open_tape(tmp_path)


def test_a_folder_without_a_whole_manifest_is_no_tape(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="holds no tape"):
        open_tape(tmp_path)
    with pytest.raises(Invalid, match="somewhere is no manifest of a tape: wrong in config, partitions, snapshot"):
        read_manifest('{"topic": "t"}', "somewhere")
