"""What differs between the columns of a base and a head, whoever declares them: contracts, tables, dbt models."""

from __future__ import annotations

from collections.abc import Iterator

from testenv.checks.protocol import Witness
from testenv.checks.schema.change import Breaks, Change
from testenv.checks.schema.names import renames
from testenv.checks.schema.rows import Shape, Shapes, any_row, prove_float, prove_query, prove_row
from testenv.checks.schema.sqltypes import SqlType, beyond, holds

DATA, READERS, PROMISE = Breaks.DATA, Breaks.READERS, Breaks.PROMISE


def column_changes(base: Shapes, head: Shapes, table: str) -> Iterator[Change]:
    """Every change of a column, each with a row or a query that shows it. The order of columns is none."""
    was, now = {shape.name: shape for shape in base}, {shape.name: shape for shape in head}
    gone = {name: was[name].type.family for name in was if name not in now}
    new = {name: now[name].type.family for name in now if name not in was}
    renamed = renames(gone, new)
    for name in gone:
        yield _dropped(name, renamed.get(name, ""), base, head, table)
    for name in new:
        yield from _added(now[name], base, head, is_rename=name in renamed.values())
    for name, shape in was.items():
        if name in now:
            yield from _type(shape, now[name], base, head)
            yield from _required(shape, now[name], base, head)
            yield from _allowed(shape, now[name], base, head)


def _dropped(name: str, to: str, base: Shapes, head: Shapes, table: str) -> Change:
    witness = prove_query(name, table, [each.name for each in base], [each.name for each in head])
    if to:
        what = f"is gone, and {to} is new with the same type: it seems renamed without an alias"
        return Change(
            "column-renamed", (READERS,), name, what, f"Keep {name} beside {to} until nobody reads it", witness
        )
    what = "is gone, and queries name it"
    return Change("column-dropped", (READERS,), name, what, "Keep it until nobody reads it", witness)


def _added(shape: Shape, base: Shapes, head: Shapes, *, is_rename: bool) -> Iterator[Change]:
    if shape.required:
        witness = prove_row(any_row(base), base, head)
        what = "is new and required: rows that are there already have no value for it"
        yield Change("column-added-required", (DATA,), shape.name, what, "Let it be NULL, or fill it first", witness)
    elif not is_rename:
        yield Change("column-added", (), shape.name, "is new and may be NULL", "Nothing needs to be done")


def _type(was: Shape, now: Shape, base: Shapes, head: Shapes) -> Iterator[Change]:
    old, new = was.type, now.type
    if old == new:
        return
    fits, same = holds(new, old), old.family == new.family
    said = f"was {was.text} and is {now.text}"
    if fits and same:
        yield Change("type-widened", (), was.name, f"{said}, which holds more", "Nothing needs to be done")
        return
    value = beyond(old, new)
    if was.allowed and value not in was.allowed:
        value = max(was.allowed, key=lambda each: len(str(each)))
    witness: Witness | None = prove_row(any_row(base, **{was.name: value}), base, _alone(head, now))
    if (old.family, new.family) == ("number", "float"):
        witness = prove_float(old)
    if same:
        what = f"{said}: {_shown(value)} no longer fits"
        yield Change("type-narrowed", (DATA,), was.name, what, "Keep the type as wide as it was", witness)
    else:
        breaks = (READERS,) if fits else (DATA, READERS)
        what = f"{said}: queries that compare, join or compute with it change or fail"
        yield Change("type-changed", breaks, was.name, what, "Add a column of another name with the new type", witness)


def _alone(head: Shapes, changed: Shape) -> Shapes:
    """Head with nothing changed but the type of a column: a witness is to show that and no more."""
    anything = SqlType("any")
    return [Shape(each.name, each.type if each is changed else anything, each.text) for each in head]


def _shown(value: object) -> str:
    return f"a text of {len(value)} characters" if isinstance(value, str) and len(value) > 10 else repr(value)


def _required(was: Shape, now: Shape, base: Shapes, head: Shapes) -> Iterator[Change]:
    if now.required and not was.required:
        witness = prove_row(any_row(base, **{was.name: None}), base, head)
        what = "was optional and is required: rows that are there already may have NULL"
        yield Change("column-required", (DATA,), was.name, what, "Let it be NULL, or fill it first", witness)
    elif was.required and not now.required:
        witness = prove_row(any_row(head, **{was.name: None}), head, base)
        what = "was required and may be NULL: its readers do not expect it"
        yield Change("column-nullable", (PROMISE,), was.name, what, "Keep it required", witness)


def _allowed(was: Shape, now: Shape, base: Shapes, head: Shapes) -> Iterator[Change]:
    gone = [each for each in was.allowed if each not in now.allowed] if now.allowed else []
    new = [each for each in now.allowed if each not in was.allowed] if was.allowed else []
    if gone:
        witness = prove_row(any_row(base, **{was.name: gone[0]}), base, head)
        what = f"may no longer be {', '.join(map(repr, gone))}, and rows that are there already may"
        yield Change("value-removed", (DATA,), was.name, what, "Keep the value, or move those rows first", witness)
    if new:
        witness = prove_row(any_row(head, **{was.name: new[0]}), head, base)
        what = f"may be {', '.join(map(repr, new))}, which readers of base do not know"
        yield Change("value-added", (Breaks.VALUES, Breaks.PERHAPS), was.name, what, "Tell its readers first", witness)
    if now.allowed and not was.allowed:
        what = "was free and is limited to a list: rows that are there already may be outside it"
        value = beyond(was.type, was.type)
        witness = prove_row(any_row(base, **{was.name: value}), base, head)
        yield Change("values-limited", (DATA,), was.name, what, "Move those rows first", witness)
    if was.allowed and not now.allowed:
        what = "was limited to a list and is free: its readers do not expect other values"
        yield Change("values-freed", (PROMISE,), was.name, what, "Keep the list")
