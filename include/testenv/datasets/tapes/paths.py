"""A topic's contract as a tree that records are walked along, and the values that are found on the way."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from testenv.core.contract import Contract, Field
from testenv.core.errors import Drifted, Failed, Invalid

MaskValue = Callable[[str, list[Any], list[Any] | None], Sequence[Any]]
"""`(path, values, entities)` → as many masked values. Values are never null; their types are those of `typed`.

`entities` are the keys of the values' entities, None where a record has none; no list if only a join finds them.
"""

_CONTAINERS = ("object", "array")
_WHOLE = re.compile(r"-?\d+")
_NUMBERS = (int, float, Decimal)
_LARGEST = 10**38
"""Of whole numbers, as in Arrow and Snowflake. What a document can write in few characters may not fit into memory."""


class Mismatch(ValueError):
    """A value is not of the type that the contract says."""


@dataclass
class Node:
    """A place in a record. `leaf` is set where one value stands; `children` go by name, an array's items by None."""

    path: str
    contract: str
    leaf: Field | None = None
    is_masked: bool = False
    is_entity: bool = False
    known: bool = True
    children: dict[str | None, Node] = field(default_factory=dict)

    def child(self, name: str | None) -> Node:
        """What stands below; a place that the contract does not know, where it names none."""
        if self.leaf is not None:
            raise Mismatch(self.path)
        found = self.children.get(name)
        return found or (Node(self.path, self.contract, known=False) if self.known else self)

    def require_known(self) -> None:
        """Raises `Drifted`. The name of what is not known is not told: it may itself be data."""
        if not self.known:
            raise Drifted(
                f"{self.contract}: below {self.path} a record has a field that the contract does not name. Look at the "
                "topic's newest records, add the field and its classification to the contract, then begin again"
            )


def tree(contract: Contract) -> dict[str, Node]:
    """The nodes of `key`, `value` and `headers`. Raises `Invalid` naming every leaf that is not classified."""
    parts = {name: Node(name, contract.id) for name in ("key", "value", "headers")}
    wrong = [leaf.path for leaf in contract.fields if leaf.classification is None]
    wrong += [leaf.path for leaf in contract.fields if leaf.column not in parts]
    if wrong:
        raise Invalid(
            f"{contract.id}: {', '.join(wrong)}: must be below key, value or headers and have a classification. "
            "Correct the contract: docs/decisions/0005"
        )
    for leaf in contract.fields:
        node = parts[leaf.column]
        for name in _steps(leaf.path):
            path = f"{node.path}[]" if name is None else f"{node.path}.{name}"
            node = node.children.setdefault(name, Node(path, contract.id))
        if leaf.type not in _CONTAINERS:
            node.leaf, node.is_masked = leaf, leaf.is_sensitive
            node.is_entity = contract.entity_path == (leaf.path,)
    return parts


def _steps(path: str) -> list[str | None]:
    """Names below the outermost; None for `[]`. What follows `headers.` is one name, whatever dots are in it."""
    if path.startswith("headers."):
        return [path.removeprefix("headers.")]
    steps: list[str | None] = []
    for segment in path.split("."):
        name = segment.rstrip("[]")
        steps += [name, *[None] * segment.count("[]")]
    return steps[1:]


def typed(leaf: Field, value: Any) -> Any:
    """`value` as masking wants it: whole numbers as int, others as Decimal or float, also where text holds them.

    Raises `Mismatch` for a value that is not of the field's logical type: it might be anything.
    """
    if isinstance(value, bool) or leaf.type == "boolean":
        if isinstance(value, bool) and leaf.type == "boolean":
            return value
        raise Mismatch(leaf.path)
    if leaf.type == "integer":
        return _integer(leaf, value)
    if leaf.type == "number":
        return _number(leaf, value)
    if isinstance(value, _NUMBERS) and leaf.type == "string":
        raise Mismatch(leaf.path)
    return str(value) if isinstance(value, UUID) else value


def _integer(leaf: Field, value: Any) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value) and len(value) < 39:
        return int(value)
    if isinstance(value, (int, float, Decimal)) and -_LARGEST < value < _LARGEST and value == int(value):
        return int(value)
    raise Mismatch(leaf.path)


def _number(leaf: Field, value: Any) -> Any:
    if isinstance(value, _NUMBERS):
        return value
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise Mismatch(leaf.path) from None
    if not number.is_finite():
        raise Mismatch(leaf.path)
    return number


@dataclass
class _Slots:
    values: list[Any] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    write: list[Callable[[Any], None]] = field(default_factory=list)


class Gathered:
    """The values of a batch that must be masked, by path, and where each must be written back.

    `record` is the number of the record that is walked. `by_entity` says whether records tell their entity's key.
    """

    def __init__(self, by_entity: bool) -> None:
        self.record = 0
        self._by_entity = by_entity
        self._entities: dict[int, Any] = {}
        self._slots: defaultdict[str, _Slots] = defaultdict(_Slots)

    def add(self, node: Node, value: Any, write: Callable[[Any], None]) -> None:
        """Note a value that stands at a leaf."""
        if node.is_entity:
            self._entities[self.record] = value
        if not node.is_masked:
            return
        slots = self._slots[node.path]
        slots.values.append(value)
        slots.records.append(self.record)
        slots.write.append(write)

    def mask(self, mask_value: MaskValue) -> None:
        """Mask each path's values at once and write them back. Raises `Failed` if a value is missing."""
        for path, slots in self._slots.items():
            entities = [self._entities.get(record) for record in slots.records] if self._by_entity else None
            masked = mask_value(path, slots.values, entities)
            if len(masked) != len(slots.values):
                raise Failed(f"masking {path} gave {len(masked)} values for {len(slots.values)}; it must give as many")
            for write, value in zip(slots.write, masked, strict=True):
                write(value)
