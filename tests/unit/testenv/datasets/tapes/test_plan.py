"""Whatever the gaps, writing by the plan puts every record at its offset: tried on a model of Kafka's log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testenv.datasets.tapes.form import Gap, Partition
from testenv.datasets.tapes.plan import CHUNK, plan


def partition(start: int, steps: list[tuple[int, int]], last: int = 0) -> Partition:
    """A partition that begins at `start`: for each step a run of records and a gap; then `last` records."""
    at, gaps = start, []
    for run, gap in steps:
        gaps.append(Gap(offset=at + run, length=gap))
        at += run + gap
    records = sum(run for run, _ in steps) + last
    return Partition(number=0, start=start, end=at + last, records=records, tombstones=0, gaps=tuple(gaps), sha256="")


def written(part: Partition) -> list[str]:
    """What stands at each offset of the log afterwards: `fill`, `record`, `aborted` or `marker`."""
    log: list[str] = []
    for stretch in plan(part).stretches:
        log += ["fill"] * stretch.fill + ["record"] * stretch.run
        if stretch.committed:
            assert stretch.committed <= stretch.fill + stretch.run, "a transaction of records that are not there"
            log.append("marker")
        if stretch.aborted:
            log += ["aborted"] * stretch.aborted + ["marker"]
    return log


def offsets_of(part: Partition) -> list[int]:
    missing = {at for gap in part.gaps for at in range(gap.offset, gap.offset + gap.length)}
    return [at for at in range(part.start, part.end) if at not in missing]


@given(
    start=st.integers(0, 20),
    first_gap=st.integers(0, 4),
    steps=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 6)), max_size=6),
    last=st.integers(0, 3),
)
def test_every_record_gets_its_offset(start: int, first_gap: int, steps: list[tuple[int, int]], last: int) -> None:
    part = partition(start, [(0, first_gap), *steps] if first_gap else steps, last)
    log = written(part)
    assert [at for at, what in enumerate(log) if what == "record"] == offsets_of(part)
    assert len(log) == part.end
    assert plan(part).first <= min(offsets_of(part), default=part.end)


def test_what_is_before_the_start_is_deleted_and_nothing_else() -> None:
    part = partition(7, [(2, 3)], 1)
    assert plan(part).first == 7
    assert written(part)[:7] == ["fill"] * 7


def test_a_gap_of_one_is_the_marker_of_the_transaction_before_it() -> None:
    assert written(partition(0, [(2, 1)], 1)) == ["record", "record", "marker", "record"]


def test_a_gap_of_more_is_an_aborted_transaction() -> None:
    assert written(partition(0, [(1, 3)], 1)) == ["record", "aborted", "aborted", "marker", "record"]


def test_a_gap_of_one_before_the_first_record_is_the_marker_of_the_last_filler() -> None:
    assert written(partition(2, [(0, 1)], 1)) == ["fill", "fill", "marker", "record"]


def test_where_offset_0_alone_is_missing_the_log_begins_at_1() -> None:
    for last in (0, 1):
        part = partition(0, [(0, 1)], last)
        assert (plan(part).first, written(part)) == (1, ["fill", *["record"] * last])


def test_a_huge_gap_is_made_of_several_transactions() -> None:
    for gap in (CHUNK, CHUNK + 1, CHUNK + 2, 3 * CHUNK + 1):
        stretches = plan(partition(0, [(1, gap)], 1)).stretches
        assert sum(stretch.gap for stretch in stretches) == gap
        assert all(2 <= stretch.gap <= CHUNK for stretch in stretches[:-1])


def test_a_long_run_before_a_gap_of_one_does_not_go_into_one_transaction() -> None:
    [stretch, _] = plan(partition(0, [(1_000_000, 1)], 1)).stretches
    assert stretch.committed == 1
