"""dbt's model contracts, from two manifests, by dbt's own rules of what breaks one, and two of ours.

dbt (`ModelNode.same_contract`): the contract is no longer enforced, the model or a column is gone, a column's type is
another (its size does not count), a constraint that the platform enforces is gone. Ours: a constraint that is new,
which rows may not satisfy, and a size that is smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from testenv.checks.schema.change import Breaks, Change
from testenv.checks.schema.columns import column_changes
from testenv.checks.schema.rows import Shape, any_row, prove_row
from testenv.checks.schema.sqltypes import parse_type

ENFORCED = {"not_null"}
"""Constraints that Snowflake enforces; others are noted down there, and not held to."""

_STORED = ("table", "incremental")
Model = Mapping[str, Any]


def contracted(manifest: Mapping[str, Any] | None) -> dict[str, Model]:
    """Models of a manifest, by id; those whose contract is enforced come first to matter."""
    nodes: Mapping[str, Model] = (manifest or {}).get("nodes", {})
    return {id_: node for id_, node in sorted(nodes.items()) if node.get("resource_type") == "model"}


def is_enforced(model: Model) -> bool:
    return bool((model.get("contract") or {}).get("enforced"))


def model_changes(base: Model, head: Model | None) -> Iterator[Change]:
    """What head breaks of a model whose contract base enforced. None: head has no such model, or has it disabled."""
    if not is_enforced(base):
        return
    if head is None:
        breaks = Breaks.PERHAPS if base.get("deprecation_date") else Breaks.READERS
        what = f"the model {base['name']} is gone, and its contract was enforced"
        yield Change("model-removed", (breaks,), "", what, "Keep it, or give it a new version and a deprecation date")
        return
    if not is_enforced(head):
        what = "its contract is no longer enforced"
        yield Change("contract-disabled", (Breaks.PROMISE,), "", what, "Keep contract: {enforced: true}")
    was, now = _shapes(base), _shapes(head)
    for change in column_changes(was, now, str(base["name"])):
        yield _by_dbt(change)
    yield from _constraints(base, head, was)
    kept = _kind(base) in _STORED and _kind(head) not in _STORED
    if kept and any(True for _ in _all_constraints(base)):
        what = f"was materialized as {_kind(base)} and is {_kind(head)}, which holds no constraint"
        yield Change("materialization-changed", (Breaks.PROMISE,), "", what, "Keep it a table")


def _by_dbt(change: Change) -> Change:
    """Sizes do not count to dbt: what is narrower may fail, and is for a person to judge."""
    if change.rule != "type-narrowed":
        return change
    return Change(change.rule, (Breaks.PERHAPS,), change.column, change.what, change.remedy, change.witness)


def _shapes(model: Model) -> list[Shape]:
    found = []
    for column in model.get("columns", {}).values():
        text = str(column.get("data_type") or "")
        found.append(Shape(str(column["name"]).upper(), parse_type(text, snowflake=True), text))
    return found


def _kind(model: Model) -> str:
    return str((model.get("config") or {}).get("materialized", ""))


def _all_constraints(model: Model) -> Iterator[tuple[str, str, str]]:
    """Column, type and expression of each; the model's own have the columns that they name, or none."""
    for column in model.get("columns", {}).values():
        for each in column.get("constraints") or ():
            yield str(column["name"]).upper(), str(each["type"]), str(each.get("expression") or "")
    for each in model.get("constraints") or ():
        columns = ", ".join(str(name).upper() for name in each.get("columns") or ())
        yield columns, str(each["type"]), str(each.get("expression") or "")


def _constraints(base: Model, head: Model, shapes: list[Shape]) -> Iterator[Change]:
    was, now = set(_all_constraints(base)), set(_all_constraints(head))
    names = {shape.name for shape in shapes}
    for column, type_, expression in sorted(was - now):
        breaks = Breaks.PROMISE if type_ in ENFORCED and _kind(base) in _STORED else Breaks.PERHAPS
        what = f"the constraint {' '.join(filter(None, (type_, expression)))} is gone"
        yield Change("constraint-removed", (breaks,), column, what, "Keep the constraint")
    for column, type_, expression in sorted(now - was):
        enforced = type_ in ENFORCED and column in names
        strict = [Shape(each.name, each.type, each.text, each.name == column) for each in shapes]
        witness = prove_row(any_row(shapes, **{column: None}), shapes, strict) if enforced else None
        what = f"the constraint {' '.join(filter(None, (type_, expression)))} is new: rows may not satisfy it"
        breaks = Breaks.DATA if enforced else Breaks.PERHAPS
        yield Change("constraint-added", (breaks,), column, what, "See first that every row does", witness)
