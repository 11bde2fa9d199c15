"""Whether every document of a writer's schema is one of a reader's: shown keyword by keyword, or doubted.

What is not shown is a doubt, whether or not it is true; a doubt that a document confirms is a difference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from testenv.checks.schema.json_schema.samples import Step, samples
from testenv.checks.schema.json_schema.view import (
    NOTHING,
    Root,
    Schema,
    Undecided,
    View,
    bounds,
    expand_types,
    item_schemas,
    key_of,
    prefix,
    property_schemas,
    type_of,
)

UNFOLLOWED = ("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "dependencies")
"""Keywords that depend on others, or on the place: not decided, not even between equal schemas' parts."""

ALONE = (("contains", "minContains", "maxContains"), ("propertyNames",), ("dependentRequired",), ("dependentSchemas",))
"""Keywords that are decided only where both sides say the same."""

MOST_BRANCHES = 64


@dataclass(frozen=True)
class Doubt:
    """What was not shown: at the end of `steps`, one of `candidates` may be the writer's and not the reader's."""

    rule: str
    path: str
    what: str
    steps: tuple[Step, ...]
    candidates: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _At:
    path: str = ""
    steps: tuple[Step, ...] = ()

    def into(self, step: Step) -> _At:
        name = f".{step}" if isinstance(step, str) else "[]"
        return _At(f"{self.path}{name}".lstrip("."), (*self.steps, step))


def doubts(writer: Any, reader: Any) -> list[Doubt]:
    """All that keeps us from saying that `reader` admits each document of `writer`; empty: it does."""
    container = _Container(Root(reader))
    try:
        view = View.of(Root(writer), writer)
    except Undecided as error:
        return [Doubt("undecided", "", str(error), ())]
    return container.schema(view, reader, _At())


@dataclass
class _Container:
    reader: Root
    assumed: set[tuple[str, str]] = field(default_factory=set)

    def schema(self, writer: View, schema: Schema, at: _At) -> list[Doubt]:
        """A pair that is being looked at already is assumed to hold: documents are finite."""
        key = (writer.key, key_of(schema))
        if key in self.assumed or writer.is_empty:
            return []
        self.assumed.add(key)
        try:
            parts = list(self.reader.parts(schema))
            if writer.values is not None:
                return list(self._listed(writer, schema, at))
            found = [doubt for part in parts for doubt in self._part(writer, part, at)]
            return self._split(writer, schema, at, found) if found else []
        except Undecided as error:
            return [Doubt("undecided", at.path, str(error), at.steps, tuple(samples(writer)))]
        finally:
            self.assumed.discard(key)

    def _listed(self, writer: View, schema: Schema, at: _At) -> Iterator[Doubt]:
        validator = self.reader.validator.evolve(schema=schema)
        for value in writer.values or ():
            if not validator.is_valid(value):
                what = f"may be {value!r}, which the reader does not take"
                yield Doubt("value-refused", at.path, what, at.steps, (value,))

    def _split(self, writer: View, schema: Schema, at: _At, found: list[Doubt]) -> list[Doubt]:
        """Look at each alternative of the writer by itself, where together they leave a doubt."""
        for number, part in enumerate(writer.parts):
            for name in ("anyOf", "oneOf"):
                if name not in part or len(writer.parts) > MOST_BRANCHES:
                    continue
                without = {key: value for key, value in part.items() if key != name}
                rest = View(writer.root, (*writer.parts[:number], without, *writer.parts[number + 1 :]))
                return [doubt for each in part[name] for doubt in self.schema(rest.with_(each), schema, at)]
        if len(writer.types) > 1 and any(doubt.rule == "alternative-missing" for doubt in found):
            kinds = [expand_types("number")] if expand_types("number") <= writer.types else []
            kinds += [frozenset({each}) for each in sorted(writer.types - frozenset().union(*kinds))]
            if len(kinds) > 1:
                one = [{"type": "number" if len(kind) > 1 else next(iter(kind))} for kind in kinds]
                return [doubt for each in one for doubt in self.schema(writer.with_(each), schema, at)]
        return found

    def _part(self, writer: View, part: dict[str, Any], at: _At) -> Iterator[Doubt]:
        if part == NOTHING:
            yield Doubt("refused", at.path, "may be there, the reader takes none", at.steps, tuple(samples(writer)))
            return
        if "type" in part and (extra := writer.types - expand_types(part["type"])):
            what = f"may be {' or '.join(sorted(extra))}, the reader takes {part['type']}"
            several = tuple(value for value in samples(writer) if type_of(value) in extra)
            yield Doubt("type-narrowed", at.path, what, at.steps, several)
        if "enum" in part or "const" in part:
            what = f"may be anything, the reader takes {part.get('enum', [part.get('const')])}"
            yield Doubt("values-listed", at.path, what, at.steps, tuple(samples(writer)))
        if writer.types & {"integer", "fraction"}:
            yield from _number(writer, part, at)
        if "string" in writer.types:
            yield from _string(writer, part, at)
        if "array" in writer.types:
            yield from self._array(writer, part, at)
        if "object" in writer.types:
            yield from self._object(writer, part, at)
        yield from self._logic(writer, part, at)

    def _array(self, writer: View, part: dict[str, Any], at: _At) -> Iterator[Doubt]:
        yield from _sizes(writer, part, at, "minItems", "maxItems")
        is_unique = any(each.get("uniqueItems") for each in writer.parts) or writer.most("maxItems") <= 1
        if part.get("uniqueItems") and not is_unique:
            twice = tuple([each, each] for each in samples(writer.item(0)))
            yield Doubt("unique-required", at.path, "may hold an item twice", at.steps, twice)
        places = max(writer.places, len(prefix(part)))
        for number in [*range(places), None]:
            if writer.most("maxItems") > (places if number is None else number):
                for schema in item_schemas(part, number):
                    step = places if number is None else number
                    yield from self.schema(writer.item(number), schema, at.into(step))

    def _object(self, writer: View, part: dict[str, Any], at: _At) -> Iterator[Doubt]:
        for name in sorted(set(part.get("required", ())) - writer.required):
            inner = at.into(name)
            lacking = tuple(value for value in samples(writer) if isinstance(value, dict) and name not in value)
            yield Doubt("property-required", inner.path, "may be missing, the reader requires it", at.steps, lacking)
        if part.get("minProperties", 0) > max(len(writer.required), writer.least("minProperties")):
            yield Doubt("size-narrowed", at.path, "may have too few properties", at.steps, tuple(samples(writer)))
        if part.get("maxProperties", math.inf) < writer.most("maxProperties"):
            yield Doubt("size-narrowed", at.path, "may have too many properties", at.steps, tuple(samples(writer)))
        for name in sorted(writer.named | set(part.get("properties", {}))):
            for schema in property_schemas(part, name):
                yield from self.schema(writer.member(name), schema, at.into(name))
        patterns = part.get("patternProperties", {})
        for pattern, schema in patterns.items():
            yield from self.schema(writer.matching(pattern), schema, at.into(_like(pattern)))
        if "additionalProperties" in part:
            rest = part["additionalProperties"]
            yield from self.schema(writer.others(), rest, at.into(_unnamed(writer, part)))
            for pattern in sorted(writer.patterns - set(patterns)):
                yield from self.schema(writer.matching(pattern), rest, at.into(_like(pattern)))

    def _logic(self, writer: View, part: dict[str, Any], at: _At) -> Iterator[Doubt]:
        some = tuple(samples(writer))
        for name in UNFOLLOWED:
            if name in part:
                yield Doubt("undecided", at.path, f"{name} is not decided", at.steps, some)
        for names in ALONE:
            said = {name: part[name] for name in names if name in part}
            if said and not any(said.items() <= each.items() for each in writer.parts if not _refers(said)):
                yield Doubt("undecided", at.path, f"{names[0]} differs", at.steps, some)
        if "anyOf" in part and not any(not self.schema(writer, each, at) for each in part["anyOf"]):
            yield Doubt("alternative-missing", at.path, "fits none of the reader's alternatives", at.steps, some)
        if "oneOf" in part and not any(
            not self.schema(writer, each, at)
            and all(self._disjoint(writer, other) for index, other in enumerate(part["oneOf"]) if index != number)
            for number, each in enumerate(part["oneOf"])
        ):
            yield Doubt("alternative-missing", at.path, "fits not just one of the reader's oneOf", at.steps, some)
        if "not" in part and not self._disjoint(writer, part["not"]):
            excluded = tuple(samples(View.of(self.reader, part["not"])))
            yield Doubt("value-refused", at.path, "may be what the reader excludes", at.steps, (*some, *excluded))
        if "if" in part:
            branches = [part.get(name, True) for name in ("then", "else")]
            if any(self.schema(writer, each, at) for each in branches):
                yield Doubt("undecided", at.path, "if differs", at.steps, some)

    def _disjoint(self, writer: View, schema: Schema) -> bool:
        """Whether no document of the writer is one of `schema`: known by type, by listed values, by a property."""
        if writer.values is not None:
            validator = self.reader.validator.evolve(schema=schema)
            return not any(validator.is_valid(value) for value in writer.values)
        reader = View.of(self.reader, schema)
        if not writer.types & reader.types:
            return True
        if writer.types <= {"object"}:
            return any(
                self._disjoint(writer.member(name), _all(reader, name)) for name in writer.required & reader.required
            )
        return False


def _all(reader: View, name: str) -> Schema:
    return {"allOf": [schema for part in reader.parts for schema in property_schemas(part, name)]}


def _refers(said: Any) -> bool:
    return '"$ref"' in key_of(said)


def _like(pattern: str) -> str:
    """A name that matches the pattern, if an easy one does."""
    tried = (pattern.strip("^$"), "other", "a", "x", "X", "0", "a0", "_")
    return next((name for name in tried if re.search(pattern, name)), pattern)


def _unnamed(writer: View, part: dict[str, Any]) -> str:
    """A name that neither side has."""
    taken = writer.named | set(part.get("properties", {}))
    return next(name for name in ("other", *(f"other{number}" for number in range(1000))) if name not in taken)


def _number(writer: View, part: dict[str, Any], at: _At) -> Iterator[Doubt]:
    for low, name, exclusive in ((True, "minimum", "exclusiveMinimum"), (False, "maximum", "exclusiveMaximum")):
        has, out = writer.bound(low)
        for wanted, excluded in bounds(part, name, exclusive):
            inside = has > wanted if low else has < wanted
            if inside or has == wanted and (out or not excluded):
                continue
            off = -1 if low else 1
            near = [each for each in (wanted, wanted + off, wanted + off / 2, has) if abs(each) != math.inf]
            what = f"may be {'below' if low else 'above'} what the reader takes ({wanted})"
            yield Doubt("range-narrowed", at.path, what, at.steps, (*near, *samples(writer)))
    step = part.get("multipleOf")
    if step is not None and not any(_multiple(each.get("multipleOf"), step) for each in writer.parts):
        numbers = (*samples(writer), step * 1.5, step + 1, 1)
        yield Doubt("range-narrowed", at.path, f"may be no multiple of {step}", at.steps, numbers)


def _multiple(has: Any, wanted: Any) -> bool:
    """Fractions are decided only where they are the same: validators divide them as floating point numbers."""
    return bool(has == wanted or (isinstance(has, int) and isinstance(wanted, int) and has % wanted == 0))


def _string(writer: View, part: dict[str, Any], at: _At) -> Iterator[Doubt]:
    yield from _sizes(writer, part, at, "minLength", "maxLength")
    pattern = part.get("pattern")
    if pattern is not None and pattern not in [each.get("pattern") for each in writer.parts]:
        what = f"may be other than the reader's pattern {pattern}"
        yield Doubt("pattern-narrowed", at.path, what, at.steps, (*samples(writer), "", "a", "A", "0", "-", " "))


def _sizes(writer: View, part: dict[str, Any], at: _At, least: str, most: str) -> Iterator[Doubt]:
    if part.get(least, 0) > writer.least(least):
        what = f"may be shorter than {part[least]}"
        yield Doubt("size-narrowed", at.path, what, at.steps, tuple(_of_size(writer, least, int(writer.least(least)))))
    if part.get(most, math.inf) < writer.most(most):
        what = f"may be longer than {part[most]}"
        yield Doubt("size-narrowed", at.path, what, at.steps, tuple(_of_size(writer, most, int(part[most]) + 1)))


def _of_size(writer: View, keyword: str, size: int) -> Iterable[Any]:
    if keyword.endswith("Length"):
        return ["a" * size, *samples(writer)]
    items = [next(iter(samples(writer.item(number))), None) for number in range(min(size, 1000))]
    return [items, *samples(writer)]
