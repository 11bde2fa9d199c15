"""Compares two tables: first by buckets of keys, then by rows, and at last by values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from testenv.checks.diff import values
from testenv.checks.diff.fingerprint import Fingerprint
from testenv.checks.diff.pairs import COUNT, Unequal, divided, unequal
from testenv.checks.diff.result import Difference, Example, Kind
from testenv.checks.diff.rules import Rules
from testenv.checks.diff.table import KEY, Divided, Table
from testenv.core.errors import Failed, Invalid

if TYPE_CHECKING:
    import polars as pl

_POOL = 1 << 16
"""So many keys that one side alone has are looked at, to choose examples from."""

_NOTHING = Rules()


def fingerprint(table: Table, rules: Rules = _NOTHING) -> Fingerprint:
    """Of all columns that `rules` does not ignore. One pass, in the store."""
    columns = sorted(name for name in table.types if name not in rules.ignored)
    exact = [name for name in columns if name not in rules.tolerances]
    found = table.sums(exact, columns)
    tolerant = frozenset(rules.tolerances).intersection(columns)
    return Fingerprint(table.method, found.rows, found.hash, found.columns, tolerant)


def diff(base: Table, head: Table, rules: Rules = _NOTHING, examples: int = 10) -> Difference:
    """How `head` differs from `base`, with so many examples of each kind. Equal tables cost one pass over each.

    Raises `Invalid` if a key column is not in both, or the two hash differently; `Failed` if a table changed meanwhile.
    """
    found, columns = _shape(base, head, rules)
    key, buckets = list(rules.key or columns), None
    if is_divided := isinstance(base, Divided) and isinstance(head, Divided):
        one, other = (side.bucket_sums(key, columns) for side in (base, head))
        found = replace(found, base_rows=_rows(one), head_rows=_rows(other))
        differ = [each for each in sorted({*one, *other}) if one.get(each) != other.get(each)]
        if not differ:
            return found
        buckets = differ if len(differ) <= base.buckets // 2 else None
    comparison = _Comparison(base, head, rules, columns, examples)
    with divided(*(side.hashes(key, columns, buckets) for side in (base, head))) as (left, right):
        if not is_divided:
            found = replace(found, base_rows=int(left.rows.sum()), head_rows=int(right.rows.sum()))
        for part in unequal(left, right):
            comparison.add(part)
    return comparison.finish(found)


def _rows(buckets: Mapping[int, tuple[int, int]]) -> int:
    return sum(rows for rows, _ in buckets.values())


def _shape(base: Table, head: Table, rules: Rules) -> tuple[Difference, list[str]]:
    """What differs in the columns themselves, and those to compare."""
    if base.method != head.method:
        raise Invalid(f"base is hashed by {base.method}, head by {head.method}. Compare tables of one kind of store")
    missing = [name for name in rules.key if name not in base.types or name not in head.types]
    if missing:
        raise Invalid(f"key: {', '.join(missing)} is not in both tables. Name columns of both, or none")
    kept = [name for name in base.types if name not in rules.ignored or name in rules.key]
    common = sorted(name for name in kept if name in head.types)
    return Difference(
        base_rows=0,
        head_rows=0,
        columns_only_in_base=tuple(name for name in kept if name not in head.types),
        columns_only_in_head=tuple(n for n in head.types if n not in base.types and n not in rules.ignored),
        retyped={n: (base.types[n], head.types[n]) for n in common if base.types[n] != head.types[n]},
    ), common


class _Comparison:
    """Gathers what parts of the keys show. `key` is all columns where the table has none: then no row is changed."""

    def __init__(self, base: Table, head: Table, rules: Rules, columns: Sequence[str], examples: int) -> None:
        self._base, self._head, self._rules, self._most = base, head, rules, examples
        self._columns, self._key = list(columns), list(rules.key or columns)
        self._counts: Counter[str] = Counter()
        self._by_column: Counter[str] = Counter()
        self._examples: dict[Kind, list[Example]] = {}
        self._changed: list[pl.DataFrame] = []
        self._alone: list[pl.DataFrame] = []

    def add(self, part: Unequal) -> None:
        import polars as pl

        for side, number in zip(("base", "head"), part.repeated, strict=True):
            self._counts[f"repeated in {side}"] += number if self._rules.key else 0
        keys = part.left.group_by(KEY).agg(
            pl.col(COUNT).clip(lower_bound=0).sum().alias("base"),
            (-pl.col(COUNT)).clip(lower_bound=0).sum().alias("head"),
        )
        pairs = pl.min_horizontal("base", "head")
        paired, base, head = keys.select(
            pairs.sum(), (pl.col("base") - pairs).sum().alias("b"), (pl.col("head") - pairs).sum().alias("h")
        ).row(0)
        self._counts.update({"paired": paired, "base": base, "head": head})
        shared = keys.filter(pairs > 0)
        self._changed.append(part.left.join(shared, on=KEY, how="semi"))
        room = _POOL - sum(map(len, self._alone))
        self._alone.append(part.left.join(shared, on=KEY, how="anti").head(max(room, 0)))
        if sum(map(len, self._changed)) >= self._base.most_keys:
            self._look(self._changed)

    def finish(self, found: Difference) -> Difference:
        self._look(self._changed)
        self._look(self._alone)
        counts = self._counts
        return replace(
            found,
            only_in_base=counts["base"],
            only_in_head=counts["head"],
            changed=counts["changed"],
            alike=counts["paired"] - counts["changed"],
            by_column={name: self._by_column[name] for name in self._columns if self._by_column[name]},
            duplicates=(counts["repeated in base"], counts["repeated in head"]),
            examples=tuple(each for kind in sorted(self._examples) for each in self._examples[kind]),
        )

    def _look(self, waiting: list[pl.DataFrame]) -> None:
        """Fetch the rows of the keys that wait, as many at once as the store takes, and compare them."""
        import polars as pl

        if not waiting:
            return
        left = pl.concat(waiting)
        waiting.clear()
        keys = left[KEY].unique().sort()
        for at in range(0, len(keys), self._base.most_keys):
            chosen = keys.slice(at, self._base.most_keys)
            self._compare(left.filter(pl.col(KEY).is_in(chosen.implode())), chosen)

    def _compare(self, left: pl.DataFrame, keys: pl.Series) -> None:
        import polars as pl

        wanted = keys.to_numpy()
        sides = [pl.concat(side.rows(self._key, self._columns, wanted)) for side in (self._base, self._head)]
        pairs = values.paired(sides[0], sides[1], left)
        rows = sum(pairs.filter(mark).height for mark in (values.IN_BASE, values.IN_HEAD))
        if rows != left[COUNT].abs().sum():
            raise Failed("a table changed while it was compared. Compare tables that nobody writes to")
        others = [name for name in self._columns if name not in self._key]
        marks = {name: values.DIFFERS + name for name in others}
        pairs = values.compared(pairs, others, self._rules.tolerances)
        changed = pairs.filter(pl.any_horizontal(pl.lit(False), *marks.values()))
        self._counts["changed"] += len(changed)
        for name, mark in marks.items():
            self._by_column[name] += int(changed[mark].sum())
        self._keep("changed", changed, "", marks)
        self._keep("only in base", pairs.filter(~pl.col(values.IN_HEAD)), "")
        self._keep("only in head", pairs.filter(~pl.col(values.IN_BASE)), values.HEAD)
        if self._rules.key:
            for side, kind in zip(sides, ("duplicate in base", "duplicate in head"), strict=True):
                self._keep(kind, side.filter(pl.len().over(KEY) > 1).unique(KEY), "", {})  # type: ignore[arg-type]

    def _keep(self, kind: Kind, rows: pl.DataFrame, suffix: str, marks: dict[str, str] | None = None) -> None:
        """The first of `rows` by key, if they are among the first of their kind. `marks`: name → where it differs."""
        order = [name + suffix for name in self._key]
        found = []
        of_one_key = [name for name in (KEY, values.RANK) if name in rows.columns]
        for row in rows.sort([*order, *of_one_key]).head(self._most).iter_rows(named=True):
            told = {name: _two(row, name, kind) for name in self._columns} if marks is None else {}
            told |= {name: _two(row, name, kind) for name, mark in (marks or {}).items() if row[mark]}
            found.append(Example(kind, tuple(row[name] for name in order) if self._rules.key else (), told))
        kept = sorted([*self._examples.get(kind, ()), *found], key=self._place)[: self._most]
        if kept:
            self._examples[kind] = kept

    def _place(self, example: Example) -> Any:
        if self._rules.key:
            return [(value is not None, value) for value in example.key]
        side = 1 if example.kind == "only in head" else 0
        return [(example.values[name][side] is not None, str(example.values[name][side])) for name in self._columns]


def _two(row: dict[str, Any], name: str, kind: Kind) -> tuple[Any, Any]:
    match kind:
        case "only in base":
            return row[name], None
        case "only in head":
            return None, row[name + values.HEAD]
    return row[name], row[name + values.HEAD]
