"""Documents of a schema: small ones, to be tried. Not each is one: whoever wants to know runs a validator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from testenv.checks.schema.json_schema.view import Undecided, View

Step = str | int
"""Into a property, by its name, or into an item, by its place."""

DEEPEST = 6


def samples(view: View, depth: int = 0) -> Iterator[Any]:
    """A few documents that the view may have, the plainest first; none below `DEEPEST`."""
    if depth > DEEPEST:
        return
    if view.values is not None:
        yield from view.values
        return
    for part in view.parts:
        for branch in (*part.get("anyOf", ()), *part.get("oneOf", ())):
            rest = View(view.root, tuple(each for each in view.parts if each is not part))
            yield from samples(rest.with_(branch), depth + 1)
    for name in ("string", "integer", "fraction", "boolean", "null", "array", "object"):
        if name in view.types:
            yield from _of_type(view, name, depth)


def _of_type(view: View, name: str, depth: int) -> Iterator[Any]:
    match name:
        case "null":
            yield None
        case "boolean":
            yield from (False, True)
        case "integer" | "fraction":
            yield from _numbers(view, name)
        case "string":
            size = int(view.least("minLength"))
            yield from ("a" * size, "0" * max(1, size))
        case "array":
            length = int(view.least("minItems"))
            places = [list(samples(view.item(number), depth + 1)) for number in range(min(length, 20))]
            if all(places):
                yield [place[min(number, len(place) - 1)] for number, place in enumerate(places)]
        case "object":
            yield from _objects(view, depth)


def _numbers(view: View, name: str) -> Iterator[float]:
    low, _ = view.bound(low=True)
    high, _ = view.bound(low=False)
    step = view.least("multipleOf", 1)
    start = low if low != -math.inf else high if high != math.inf else 0
    for each in (start, start + step, start - step, math.ceil(start / step) * step if step else start):
        yield int(each) if name == "integer" else each + 0.5 if each == int(each) else each


def _objects(view: View, depth: int) -> Iterator[dict[str, Any]]:
    names = sorted(view.required)
    values = {name: next(samples(view.member(name), depth + 1), None) for name in names}
    yield values
    optional = sorted(view.named - view.required)
    whole = {name: next(samples(view.member(name), depth + 1), None) for name in optional}
    if whole:
        yield {**values, **whole}
    if not names:
        yield {"other": 0}


def around(view: View, steps: Sequence[Step], leaf: Any) -> Iterator[Any]:
    """Documents of the view that have `leaf` at the end of `steps`."""
    if not steps:
        yield leaf
        return
    step, *rest = steps
    for alternative in _alternatives(view):
        if isinstance(step, str):
            holder = next((each for each in samples(alternative) if isinstance(each, dict)), {})
            for inner in around(alternative.member(step), rest, leaf):
                yield {**holder, step: inner}
        else:
            before = [next(samples(alternative.item(number)), None) for number in range(step)]
            for inner in around(alternative.item(step), rest, leaf):
                size = max(step + 1, int(alternative.least("minItems")))
                after = [next(samples(alternative.item(number)), None) for number in range(step + 1, min(size, 20))]
                yield [*before, inner, *after]


def _alternatives(view: View) -> Iterator[View]:
    yield view
    for part in view.parts:
        for branch in (*part.get("anyOf", ()), *part.get("oneOf", ())):
            try:
                yield view.with_(branch)
            except Undecided:
                continue
