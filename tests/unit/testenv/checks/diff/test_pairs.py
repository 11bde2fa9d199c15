"""Hashes of keys and rows, in a file by parts of the keys: what is equal is not read again."""

from __future__ import annotations

import numpy as np

from testenv.checks.diff.pairs import PARTS, divided, unequal
from testenv.checks.diff.table import KEY, ROW

RNG = np.random.default_rng(5)
KEYS, ROWS = (RNG.integers(0, 1 << 64, 5000, np.uint64) for _ in range(2))


def test_parts_hold_the_pairs_and_their_sums_whatever_the_batches() -> None:
    order = RNG.permutation(len(KEYS))
    batches = [(KEYS[order][at : at + 700], ROWS[order][at : at + 700]) for at in range(0, len(KEYS), 700)]
    with divided([(KEYS, ROWS)], batches) as (base, head):
        assert not [*unequal(base, head)]
        for side in (base, head):
            found = side.frame(range(PARTS))
            assert {*found.iter_rows()} == {*zip(KEYS.tolist(), ROWS.tolist(), strict=True)}
            for part in (0, 7, PARTS - 1):
                mine = side.frame([part])
                assert {key >> 56 for key in mine[KEY]} == {part}
                assert (int(side.sums[part]), side.rows[part]) == (sum(mine[ROW]) % (1 << 64), len(mine))


def test_only_parts_that_differ_are_compared() -> None:
    other = ROWS.copy()
    other[17] += np.uint64(1)
    with divided([(KEYS, ROWS)], [(KEYS, other)]) as (base, head):
        read: list[list[int]] = []
        for side in (base, head):
            frame = side.frame
            side.frame = lambda parts, frame=frame: read.append(parts) or frame(parts)  # type: ignore[method-assign,func-returns-value]
        [found] = unequal(base, head)
    assert read == [[int(KEYS[17]) >> 56]] * 2
    assert {*found.left[KEY]} == {KEYS[17]}


def test_nothing_and_something() -> None:
    with divided([], [(KEYS[:1], ROWS[:1])]) as (base, head):
        [found] = unequal(base, head)
    assert found.left.rows() == [(KEYS[0], ROWS[0], -1)]
