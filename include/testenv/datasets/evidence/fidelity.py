"""Whether a version is still like production: column by column, and along the foreign keys.

A `Profile` is taken of each side in one pass, in bounded memory: numbers are thinned evenly, and frequencies are kept
whole for a sample of the keys that their hash decides (Gibbons, 2001, distinct sampling). Values are held as hashes;
what is told are shares of cells that have 11 members or more.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from testenv.core.contract import Classification, Contract, Contracts, Field, Store
from testenv.datasets.evidence.thresholds import Bounds, Thresholds

SMALLEST = 11
"""No cell with fewer members is told."""

SAMPLE = 100_000
"""Values, or keys, that are kept of a column."""

CATEGORIES = 200
"""A column with more values than this is told by how often they repeat."""

BINS = 10


class Figure(BaseModel):
    """A column, or a relation: what was measured, and why it is not good enough.

    `measure` says how `shape` was taken: `numbers` (1 - KS), else (1 - total variation).
    `before` and `after` are shares of bins, for the eye; bins of fewer than 11 are joined to their neighbours.
    """

    model_config = ConfigDict(frozen=True)
    contract: str
    path: str
    to: str = ""
    measure: str
    rows_before: int
    rows_after: int
    nulls: float = 0.0
    shape: float | None = None
    psi: float | None = None
    orphans: int = 0
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()
    judged: bool = True
    reasons: tuple[str, ...] = ()


class Counts:
    """How often each value stands in a column, for a sample of the values that is whole up to `SAMPLE` of them."""

    def __init__(self) -> None:
        self._parts: list[tuple[Any, Any]] = []
        self._held = 0
        self._mask = np.uint64(0)

    def add(self, hashes: Any) -> None:
        """Count these."""
        keys, counts = np.unique(hashes[(hashes & self._mask) == 0], return_counts=True)
        self._parts.append((keys, counts))
        self._held += keys.size
        if self._held > 4 * SAMPLE:
            self._join()

    def items(self) -> tuple[Any, Any, bool]:
        """Hashes, sorted; their counts; whether these are all."""
        self._join()
        keys, counts = self._parts[0] if self._parts else (np.zeros(0, np.uint64), np.zeros(0, np.int64))
        return keys, counts, not self._mask

    def _join(self) -> None:
        if not self._parts:
            return
        keys, inverse = np.unique(np.concatenate([each for each, _ in self._parts]), return_inverse=True)
        counts = np.bincount(inverse, np.concatenate([each for _, each in self._parts])).astype(np.int64)
        while keys.size > SAMPLE:
            self._mask = np.uint64(int(self._mask) * 2 + 1)
            keep = (keys & self._mask) == 0
            keys, counts = keys[keep], counts[keep]
        self._parts, self._held = [(keys, counts)], keys.size


class Numbers:
    """Every 2^k-th number of a column, so that `SAMPLE` of them are enough."""

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._held, self._step, self._next = 0, 1, 0

    def add(self, numbers: Any) -> None:
        """Take some of these."""
        taken = numbers[self._next :: self._step]
        self._next = (self._next - numbers.size) % self._step
        self._parts.append(taken)
        self._held += taken.size
        while self._held > 2 * SAMPLE:
            self._parts = [np.concatenate(self._parts)[::2]]
            self._held, self._step = self._parts[0].size, self._step * 2

    def sorted(self) -> Any:
        """Those that were taken."""
        return np.sort(np.concatenate(self._parts)) if self._parts else np.zeros(0)


class Column:
    """A column as it goes by."""

    def __init__(self) -> None:
        self.rows = self.nulls = 0
        self.is_number = False
        self.numbers, self.counts = Numbers(), Counts()

    def add(self, values: pa.Array) -> None:
        """The next values."""
        self.rows += len(values)
        self.nulls += values.null_count
        values = pc.drop_null(values)
        if not len(values):
            return
        numbers = _as_numbers(values)
        if numbers is not None:
            self.is_number = True
            self.numbers.add(numbers)
        self.counts.add(hashes(values))


class Keys:
    """All keys of a column, 8 bytes each, with their counts."""

    def __init__(self) -> None:
        self._parts: list[tuple[Any, Any]] = []

    def add(self, values: pa.Array) -> None:
        """The next values; nulls refer to nothing."""
        self._parts.append(np.unique(hashes(pc.drop_null(values)), return_counts=True))
        if len(self._parts) > 32:
            self._parts = [self.items()]

    def items(self) -> tuple[Any, Any]:
        """Hashes, sorted, and their counts."""
        if not self._parts:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        keys, inverse = np.unique(np.concatenate([each for each, _ in self._parts]), return_inverse=True)
        return keys, np.bincount(inverse, np.concatenate([each for _, each in self._parts])).astype(np.int64)


class Profile:
    """One side of a version: production, or what came of it."""

    def __init__(self, contracts: Contracts) -> None:
        self.columns: dict[tuple[str, str], Column] = defaultdict(Column)
        self.keys: dict[tuple[str, str], Keys] = defaultdict(Keys)
        self._related = {each for pair in relations(contracts) for each in pair}

    def add(self, contract: Contract, path: str, values: pa.Array) -> None:
        """The next values of a leaf."""
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        self.columns[contract.id, path].add(values)
        if (contract.id, path) in self._related:
            self.keys[contract.id, path].add(values)


def relations(contracts: Contracts) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs of (contract, path): what refers, and what it refers to."""
    found = []
    for contract in contracts.values():
        for field in contract.fields:
            table, _, column = field.references.rpartition(".")
            target = f"{Store.POSTGRES}.{table}"
            if table and target in contracts:
                found.append(((contract.id, field.path), (target, column)))
    return found


def hashes(values: pa.Array) -> Any:
    """A hash of each value as text, so that keys compare across stores."""
    import polars as pl

    series = pl.Series(values)
    if series.dtype == pl.Binary:
        return series.hash(1).to_numpy()
    return series.cast(pl.String).hash(1).to_numpy()


def compare(before: Profile, after: Profile, contracts: Contracts, thresholds: Thresholds) -> list[Figure]:
    """A figure for every column on either side, and for every relation whose ends were both seen."""
    figures = []
    for contract, path in sorted({*before.columns, *after.columns}):
        figures.append(
            _column(
                contract,
                path,
                before.columns.get((contract, path), Column()),
                after.columns.get((contract, path), Column()),
                _field(contracts[contract], path),
                thresholds,
            )
        )
    for child, parent in relations(contracts):
        if child in after.keys and parent in after.keys:
            figures.append(_relation(child, parent, before, after, thresholds.of(*child)))
    return figures


def _field(contract: Contract, path: str) -> Field | None:
    return next((field for field in contract.fields if field.path == path), None)


def _column(contract: str, path: str, old: Column, new: Column, field: Field | None, thresholds: Thresholds) -> Figure:
    kind = (field and field.classification) or Classification.INTERNAL
    bounds = thresholds.of(contract, path, field.semantic_type if field else "")
    nulls = abs(_share(old.nulls, old.rows) - _share(new.nulls, new.rows))
    (old_keys, old_counts, whole), (new_keys, new_counts, _) = old.counts.items(), new.counts.items()
    values = min(old.rows - old.nulls, new.rows - new.nulls)
    psi = None
    stays_alike = not kind.is_sensitive or kind is Classification.QUASI_IDENTIFIER  # a masked key is another number
    if old.is_number and stays_alike:
        measure, a, b = "numbers", old.numbers.sorted(), new.numbers.sorted()
        shape = 1 - _ks(a, b)
        before, after = _binned(a, b)
        psi = _psi(before, after)
    elif not kind.is_sensitive and whole and old_keys.size <= CATEGORIES:
        measure = "categories"
        before, after = _categories(old_keys, old_counts, new_keys, new_counts)
        shape = 1 - _tv(before, after)
        psi = _psi(before, after)
    else:
        measure = "repeats"
        before, after = _spectrum(old_counts), _spectrum(new_counts)
        shape = 1 - _tv(before, after)
    judged = values >= bounds.least
    reasons = []
    if min(old.rows, new.rows) >= bounds.least and nulls > bounds.nulls:
        reasons.append(f"shares of null differ by {nulls:.3f}, and may by {bounds.nulls}")
    if old.rows >= bounds.least and not new.rows:
        reasons.append("production has values, and the version none")
    if judged and shape < bounds.shape:
        reasons.append(f"{measure}: agreement is {shape:.3f}, and must be {bounds.shape}")
    if judged and psi is not None and psi >= bounds.psi:
        reasons.append(f"{measure}: the population stability index is {psi:.3f}, and must be below {bounds.psi}")
    shown = _shown(before, after, values) if values >= SMALLEST else ((), ())
    return Figure(
        contract=contract,
        path=path,
        measure=measure,
        rows_before=old.rows,
        rows_after=new.rows,
        nulls=round(nulls, 4),
        shape=round(float(shape), 4) if values else None,
        psi=None if psi is None or not values else round(psi, 4),
        before=shown[0],
        after=shown[1],
        judged=judged,
        reasons=tuple(reasons),
    )


def _relation(
    child: tuple[str, str], parent: tuple[str, str], before: Profile, after: Profile, bounds: Bounds
) -> Figure:
    keys, counts = after.keys[child].items()
    parents, _ = after.keys[parent].items()
    orphan = ~np.isin(keys, parents, assume_unique=True)
    orphans = int(counts[orphan].sum())
    a, b = _fan_out(before, child, parent), _fan_out(after, child, parent)
    shape = 1 - _tv(a, b)
    known = before.keys[parent].items()[0].size if parent in before.keys else 0
    judged = min(known, parents.size) >= bounds.least
    reasons = []
    if orphans > bounds.orphans:
        reasons.append(f"{orphans} rows refer to no row of {'.'.join(parent)}")
    if judged and shape < bounds.fanout:
        reasons.append(f"fan-out: agreement is {shape:.3f}, and must be {bounds.fanout}")
    values = min(known, int(parents.size))
    shown = _shown(a, b, values) if values >= SMALLEST else ((), ())
    return Figure(
        contract=child[0],
        path=child[1],
        to=".".join(parent),
        measure="fan-out",
        rows_before=before.columns[child].rows,
        rows_after=after.columns[child].rows,
        shape=round(float(shape), 4) if values else None,
        orphans=orphans,
        before=shown[0],
        after=shown[1],
        judged=judged,
        reasons=tuple(reasons),
    )


def _fan_out(side: Profile, child: tuple[str, str], parent: tuple[str, str]) -> Any:
    """Shares of parents by their number of children: none, and then by half powers of two."""
    if child not in side.keys or parent not in side.keys:
        return np.zeros(1)
    counts, parents = side.keys[child].items()[1], side.keys[parent].items()[0]
    spectrum = _spectrum(counts) * counts.size
    total = max(int(parents.size), int(counts.size), 1)
    return np.concatenate([[total - counts.size], spectrum]) / total


def _spectrum(counts: Any) -> Any:
    """Shares of values by how often they stand there, in half powers of two."""
    if not counts.size:
        return np.zeros(1)
    return np.bincount((2 * np.log2(counts)).astype(np.int64)) / counts.size


def _categories(old_keys: Any, old_counts: Any, new_keys: Any, new_counts: Any) -> tuple[Any, Any]:
    """Shares of categories, most first; those that are rare in production, or new, are one."""
    told = old_counts >= SMALLEST
    keys, held = old_keys[told], old_counts[told]
    at = np.searchsorted(new_keys, keys)
    there = np.zeros(keys.size)
    if new_keys.size:
        at = np.minimum(at, new_keys.size - 1)
        there = np.where(new_keys[at] == keys, new_counts[at], 0)
    order = np.argsort(-held, kind="stable")
    old = np.append(held[order], old_counts[~told].sum()) / max(old_counts.sum(), 1)
    new = np.append(there[order], new_counts.sum() - there.sum()) / max(new_counts.sum(), 1)
    return old, new


def _binned(a: Any, b: Any) -> tuple[Any, Any]:
    """Shares of two sorted samples in the first one's tenths."""
    if not a.size or not b.size:
        return np.zeros(1), np.zeros(1)
    edges = np.unique(np.quantile(a, np.linspace(0, 1, BINS + 1)[1:-1]))
    return tuple(np.bincount(np.searchsorted(edges, each), minlength=edges.size + 1) / each.size for each in (a, b))


def _shown(before: Any, after: Any, values: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Two rows of shares of equal length, in which no bin has fewer than 11 of `values` on the side of production."""
    size = max(before.size, after.size)
    a, b = np.pad(before, (0, size - before.size)), np.pad(after, (0, size - after.size))
    joined: list[list[float]] = []
    for pair in zip(a.tolist(), b.tolist(), strict=True):
        if joined and (joined[-1][0] * values < SMALLEST or pair[0] * values < SMALLEST):
            joined[-1] = [joined[-1][0] + pair[0], joined[-1][1] + pair[1]]
        else:
            joined.append(list(pair))
    return tuple(round(each[0], 4) for each in joined), tuple(round(each[1], 4) for each in joined)


def _ks(a: Any, b: Any) -> float:
    """Largest distance of two samples' distribution functions."""
    if not a.size or not b.size:
        return float(a.size != b.size)
    both = np.concatenate([a, b])
    below = (np.searchsorted(each, both, side="right") / each.size for each in (a, b))
    return float(np.abs(next(below) - next(below)).max())


def _tv(a: Any, b: Any) -> float:
    size = max(a.size, b.size)
    return float(np.abs(np.pad(a, (0, size - a.size)) - np.pad(b, (0, size - b.size))).sum() / 2)


def _psi(a: Any, b: Any) -> float:
    """Population stability index; an empty bin counts as a ten-thousandth."""
    a, b = np.maximum(a, 1e-4), np.maximum(b, 1e-4)
    return float(((b - a) * np.log(b / a)).sum())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _as_numbers(values: pa.Array) -> Any:
    kind = values.type
    if pa.types.is_temporal(kind):
        kind = pa.int32() if pa.types.is_date32(kind) or pa.types.is_time32(kind) else pa.int64()
        return values.cast(kind).to_numpy(zero_copy_only=False).astype(float)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return None
