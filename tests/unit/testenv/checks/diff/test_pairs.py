"""Hashes of keys and rows, in a file by parts of the keys: what is equal is not read again."""

from __future__ import annotations

from typing import Any

import numpy as np

from testenv.checks.diff.pairs import BUCKETS, PARTS, divided, unequal
from testenv.checks.diff.table import KEY, ROW

RNG = np.random.default_rng(5)
KEYS, ROWS = (RNG.integers(0, 1 << 64, 5000, np.uint64) for _ in range(2))
ALL = np.ones(BUCKETS, bool)


def test_parts_hold_the_pairs_and_buckets_their_sums_whatever_the_batches() -> None:
    order = RNG.permutation(len(KEYS))
    batches = [(KEYS[order][at : at + 700], ROWS[order][at : at + 700]) for at in range(0, len(KEYS), 700)]
    with divided([(KEYS, ROWS)], batches) as (base, head):
        assert not [*unequal(base, head)]
        for side in (base, head):
            found = side.frame(range(PARTS), ALL)
            assert {*found.iter_rows()} == {*zip(KEYS.tolist(), ROWS.tolist(), strict=True)}
            for part in (0, 7, PARTS - 1):
                mine = side.frame([part], ALL)
                assert {key >> 56 for key in mine[KEY]} == {part}
                assert side.rows[part] == len(mine)
                sums = side.sums.reshape(PARTS, -1)[part]
                assert int(sums.sum()) == (sum(mine[ROW]) + len(mine)) % (1 << 64)
                assert {*np.flatnonzero(sums).tolist()} <= {key >> 44 & 0xFFF for key in mine[KEY]}


def test_of_parts_that_differ_only_those_buckets_are_compared_that_do() -> None:
    other = ROWS.copy()
    other[17] += np.uint64(1)
    with divided([(KEYS, ROWS)], [(KEYS, other)]) as (base, head):
        read: list[Any] = []
        for side in (base, head):
            frame = side.frame
            side.frame = lambda *asked, frame=frame: read.append(asked) or frame(*asked)  # type: ignore[method-assign,func-returns-value]
        [found] = unequal(base, head)
    for parts, wanted in read:
        assert parts == [int(KEYS[17]) >> 56]
        assert np.flatnonzero(wanted).tolist() == [int(KEYS[17]) >> 44]
    assert len(read) == 2
    assert {*found.left[KEY]} == {KEYS[17]}


def test_rows_of_no_columns_which_have_no_hash_are_counted() -> None:
    nothing = np.zeros(3, np.uint64)
    with divided([(nothing, nothing)], [(nothing[:2], nothing[:2])]) as (base, head):
        [found] = unequal(base, head)
    assert found.left.rows() == [(0, 0, 1)]


def test_keys_that_occur_several_times_are_told_and_counted() -> None:
    keys, rows = (np.concatenate((each, each[:2])) for each in (KEYS, ROWS))
    with divided([(keys, rows)], [(KEYS, ROWS)]) as (base, head):
        found = [*unequal(base, head)]
    assert sorted(row for each in found for row in each.left.rows()) == sorted(
        (key, row, 1) for key, row in zip(KEYS[:2].tolist(), ROWS[:2].tolist(), strict=True)
    )
    assert [sum(side) for side in zip(*(each.repeated for each in found), strict=True)] == [2, 0]


def test_nothing_and_something() -> None:
    with divided([], [(KEYS[:1], ROWS[:1])]) as (base, head):
        [found] = unequal(base, head)
    assert found.left.rows() == [(KEYS[0], ROWS[0], -1)]
