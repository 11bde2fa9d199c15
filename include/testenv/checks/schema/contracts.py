"""What a contract (ODCS) of head promises less, or otherwise, than base's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from testenv.checks.protocol import Witness
from testenv.checks.schema.change import Breaks, Change, demands
from testenv.checks.schema.columns import column_changes
from testenv.checks.schema.rows import Shape, any_row, prove_rows
from testenv.checks.schema.rules import rule_changes
from testenv.checks.schema.sqltypes import parse_type
from testenv.core.contract import Classification, Contract, Field, Store

STRUCTURE = frozenset({Breaks.DATA, Breaks.READERS, Breaks.VALUES, Breaks.PERHAPS})

_GUARD = [
    Classification.PUBLIC,
    Classification.INTERNAL,
    Classification.PSEUDONYM,
    Classification.QUASI_IDENTIFIER,
    Classification.IDENTIFIER,
]
"""From the loosest; free text is guarded as identifiers are."""


def contract_changes(base: Contract, head: Contract) -> Iterator[Change]:
    """Every change between two versions of one dataset's contract; no other part of it is looked at."""
    if base == head:
        return
    yield from column_changes(shapes(base), shapes(head), base.name)
    yield from _key(base, head)
    now = {field.path: field for field in head.fields}
    for field in base.fields:
        if field.path in now:
            yield from _field(base, field, now[field.path])
    # A rule that follows its column's own list lets nothing pass that the list does not: `value-added` judges that.
    listed = {field.path: _added_values(field, now[field.path]) for field in base.fields if field.path in now}
    yield from rule_changes([rule for rule in base.rules if not rule.path or rule.path in now], head.rules, listed)
    yield from _slower("latency", base.late_by, head.late_by)
    yield from _slower("frequency", base.every, head.every)
    yield from _mode(base, head)
    yield from _options(base, head)


def _added_values(was: Field, now: Field) -> list[Any]:
    return [value for value in now.allowed if value not in was.allowed] if was.allowed else []


def shapes(contract: Contract) -> list[Shape]:
    """A contract's leaves as columns: of a nested document, each path is one."""
    snowflake = contract.store is Store.SNOWFLAKE
    found = []
    for field in contract.fields:
        text = field.physical_type or field.type
        known = parse_type(text, snowflake=snowflake)
        found.append(Shape(field.path, known, text, field.required, field.allowed))
    return found


def _key(base: Contract, head: Contract) -> Iterator[Change]:
    if base.key == head.key:
        return
    what = f"the primary key was {_listed(base.key)} and is {_listed(head.key)}: joins and merges by it change"
    yield Change(
        "key-changed",
        (Breaks.DATA, Breaks.READERS),
        "",
        what,
        "Keep the key, and make another column unique",
        _clash(base, head),
    )


def _listed(key: tuple[str, ...]) -> str:
    return f"({', '.join(key)})" if key else "none"


def _clash(base: Contract, head: Contract) -> Witness | None:
    """Two rows that one key tells apart and the other does not."""
    for telling, blind, whose in ((base, head, "base"), (head, base, "head")):
        apart = [path for path in telling.key if path not in blind.key]
        columns = [*telling.key, *(path for path in blind.key if path not in telling.key)]
        if not apart or not blind.key:
            continue
        known = {shape.name: shape for shape in (*shapes(base), *shapes(head))}
        one = any_row([Shape(name, known[name].type, "", required=True) for name in columns])
        other = {**one, apart[0]: _another(one[apart[0]])}
        return prove_rows([one, other], telling.key, blind.key, whose)
    return None


def _another(value: Any) -> Any:
    return value + 1 if isinstance(value, int | float | Decimal) else f"{value}b"


def _field(contract: Contract, was: Field, now: Field) -> Iterator[Change]:
    yield from _classification(was, now)
    if was.unique and not now.unique and not was.primary_key:
        what = "was unique and need not be"
        yield Change("unique-removed", (Breaks.PROMISE,), was.path, what, "Keep it unique")
    if now.unique and not was.unique and not now.primary_key:
        what = "must be unique: rows that are there already may not be"
        yield Change("unique-added", (Breaks.DATA,), was.path, what, "Remove what is there twice first", _twice(was))
    if was.references != now.references:
        yield from _reference(contract, was, now)
    if was.semantic_type not in ("", now.semantic_type):
        what = f"was {was.semantic_type} and is {now.semantic_type or 'of no semantic type'}: it is masked otherwise"
        yield Change("semantics-changed", (Breaks.PERHAPS,), was.path, what, "See that it still joins once masked")


def _twice(field: Field) -> Witness:
    value = any_row([Shape(field.path, parse_type(field.physical_type or field.type), "", required=True)])
    rows = [{"row": number, **value} for number in (1, 2)]
    return prove_rows(rows, (), (field.path,), "base")


def _classification(was: Field, now: Field) -> Iterator[Change]:
    before, after = _rank(was.classification), _rank(now.classification)
    if after < before:
        what = f"was {was.classification} and is {now.classification or 'not classified'}: it is guarded less"
        remedy = "Keep the classification, or have whoever is responsible for personal data agree to it"
        yield Change("classification-loosened", (Breaks.PEOPLE,), was.path, what, remedy)
    elif after > before:
        what = f"was {was.classification or 'not classified'} and is {now.classification}"
        yield Change("classification-tightened", (), was.path, what, "Nothing needs to be done")


def _rank(classification: Classification | None) -> int:
    if classification is None:
        return -1
    return _GUARD.index(Classification.IDENTIFIER if classification is Classification.FREE_TEXT else classification)


def _reference(contract: Contract, was: Field, now: Field) -> Iterator[Change]:
    if was.references:
        what = f"refers no longer to {was.references}: rows may be without it"
        yield Change("reference-removed", (Breaks.PROMISE,), was.path, what, "Keep the relationship")
    if now.references:
        table, _, column = now.references.rpartition(".")
        query = (
            f"SELECT t.{was.path} FROM {contract.name} AS t WHERE t.{was.path} IS NOT NULL "
            f"AND NOT EXISTS (SELECT 1 FROM {table} AS r WHERE r.{column} = t.{was.path})"
        )
        witness = Witness(kind="query", content=query, proved=False, how="rows that it returns would break the promise")
        what = f"refers to {now.references}: rows that are there already may not"
        yield Change(
            "reference-added", (Breaks.PERHAPS,), was.path, what, "Run the query on production's data", witness
        )


def _slower(name: str, was: timedelta | None, now: timedelta | None) -> Iterator[Change]:
    if was is not None and (now is None or now > was):
        what = f"{name} was {was} and is {now or 'not promised'}"
        yield Change("freshness-loosened", (Breaks.PROMISE,), "", what, "Keep it, or tell the readers first")


def _mode(base: Contract, head: Contract) -> Iterator[Change]:
    was, now = (demands(each.compatibility, each.store) for each in (base, head))
    if not was.breaks <= now.breaks or was.transitive and not now.transitive:
        what = f"the compatibility mode was {base.compatibility} and is {head.compatibility}, which allows more"
        remedy = "Keep the mode; the release is judged by base's"
        yield Change("mode-loosened", (Breaks.PROMISE,), "", what, remedy)


def _options(base: Contract, head: Contract) -> Iterator[Change]:
    was, now = base.options, head.options
    if was.get("format") != now.get("format"):
        what = f"the format was {was.get('format')} and is {now.get('format')}"
        yield Change("format-changed", (Breaks.DATA, Breaks.READERS), "", what, "Write a dataset of another name")
    if was.get("partitions") != now.get("partitions"):
        what = f"had {was.get('partitions')} partitions and has {now.get('partitions')}: keys move to others"
        yield Change("partitions-changed", (Breaks.PERHAPS,), "", what, "Drain the topic before")
    if (base.entity, base.entity_path) != (head.entity, head.entity_path):
        before, after = (f"{each.entity or 'none'} by {_listed(each.entity_path)}" for each in (base, head))
        what = f"its entity was {before} and is {after}"
        yield Change("entity-changed", (Breaks.PERHAPS,), "", what, "See that the subset still has its rows")


def removed(contract: Contract) -> Change:
    """A dataset that head has no contract for."""
    what = f"{contract.id} has no contract any more, and its readers have no dataset"
    return Change("dataset-removed", (Breaks.READERS,), "", what, "Keep the contract until nobody reads the dataset")
