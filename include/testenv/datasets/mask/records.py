"""Masks decoded JSON and Avro values by path: values of one path and one type are masked together, as a column."""

from __future__ import annotations

import functools
from collections.abc import Callable, MutableSequence
from typing import Any

import pyarrow as pa

Slot = tuple[Any, Any, int]
"""A container, the key or place of a leaf in it, and the number of the record that it stands in."""


def mask_values(values: list[Any], mask: Callable[[pa.Array, list[int]], pa.Array]) -> list[Any]:
    """`values`, masked: those of one Python type at a time. `mask` gets a column and the places of its values."""
    masked = list(values)
    places: dict[type, list[int]] = {}
    for place, value in enumerate(values):
        if value is not None:
            places.setdefault(type(value), []).append(place)
    for found in places.values():
        column = mask(pa.array([values[place] for place in found]), found)
        for place, value in zip(found, column.to_pylist(), strict=True):
            masked[place] = value
    return masked


def mask_records(
    decoded: list[Any],
    path: str,
    mask: Callable[[str, pa.Array, list[int]], pa.Array],
    keeps: Callable[[str], bool],
) -> list[Any]:
    """Copies of the values, masked leaf by leaf. `keeps` raises for a path that nothing is known of."""
    whole: list[Any] = [None] * len(decoded)
    slots: dict[str, list[Slot]] = {}
    for number, value in enumerate(decoded):
        _place(value, path, whole, number, number, slots)
    for at, found in slots.items():
        if keeps(at):
            continue
        masked = _masked_slots(found, functools.partial(mask, at))
        for (holder, place, _), value in zip(found, masked, strict=True):
            holder[place] = value
    return whole


def _masked_slots(found: list[Slot], mask: Callable[[pa.Array, list[int]], pa.Array]) -> list[Any]:
    values = [holder[place] for holder, place, _ in found]
    return mask_values(values, lambda array, places: mask(array, [found[each][2] for each in places]))


def _place(
    value: Any,
    path: str,
    holder: MutableSequence[Any] | dict[str, Any],
    place: Any,
    number: int,
    slots: dict[str, list[Slot]],
) -> None:
    """Put a copy of `value` in its holder, and note its leaves in `slots`."""
    if isinstance(value, dict):
        holder[place] = copy = dict(value)
        for name, inner in value.items():
            _place(inner, f"{path}.{name}" if path else str(name), copy, name, number, slots)
    elif isinstance(value, (list, tuple)):
        holder[place] = items = list(value)
        for index, inner in enumerate(value):
            _place(inner, f"{path}[]", items, index, number, slots)
    else:
        holder[place] = value
        if value is not None:
            slots.setdefault(path, []).append((holder, place, number))
