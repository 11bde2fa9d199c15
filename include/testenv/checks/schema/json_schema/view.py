"""A JSON Schema read for what its documents have in common: schemas that all hold at once, references followed.

A view may let more through than the schemas do, never less: what is shown of it is true of every document.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any] | bool

TYPES = ("null", "boolean", "integer", "fraction", "string", "array", "object")
"""JSON Schema's, with `number` taken apart: a fraction is a number that is no integer."""

_OLD = ("draft-03", "draft-04", "draft-06", "draft-07")


NOTHING: dict[str, Any] = {"not": {}}
"""The schema false, as an object."""


class Undecided(ValueError):
    """A schema says what we do not follow."""


@dataclass(frozen=True)
class Root:
    """A whole schema document, in which references are looked up."""

    document: Any

    @cached_property
    def validator(self) -> Any:
        """jsonschema's, of the document's own dialect (2020-12 where it names none)."""
        from jsonschema.validators import Draft202012Validator, validator_for

        return validator_for(self.document, default=Draft202012Validator)(self.document)

    @property
    def ignores_siblings(self) -> bool:
        """Up to draft 7, a reference is all that an object with one says."""
        dialect = self.document.get("$schema", "") if isinstance(self.document, dict) else ""
        return any(name in dialect for name in _OLD)

    def target(self, reference: str) -> Schema:
        """Raises `Undecided` for what is not a pointer into this document."""
        if not reference.startswith("#"):
            raise Undecided(f"reference {reference!r} leads out of the document")
        node = self.document
        for part in reference[1:].split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            try:
                node = node[int(key)] if isinstance(node, list) else node[key]
            except (KeyError, IndexError, ValueError, TypeError):
                raise Undecided(f"reference {reference!r} leads nowhere") from None
        if reference not in ("#", "") and not reference.startswith("#/"):
            raise Undecided(f"reference {reference!r} is an anchor")
        return node if isinstance(node, bool) else dict(node)

    def parts(self, schema: Schema, depth: int = 0) -> Iterator[dict[str, Any]]:
        """The schemas that hold at once where `schema` does: itself, what it refers to, its `allOf`."""
        if depth > 30:
            raise Undecided("references lead in a circle")
        if isinstance(schema, bool):
            if not schema:
                yield NOTHING
            return
        if "$ref" in schema:
            yield from self.parts(self.target(schema["$ref"]), depth + 1)
            if self.ignores_siblings:
                return
        for each in schema.get("allOf", ()):
            yield from self.parts(each, depth + 1)
        rest = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        if rest:
            yield rest


def expand_types(names: str | list[str]) -> frozenset[str]:
    listed = [names] if isinstance(names, str) else names
    return frozenset(each for name in listed for each in (("integer", "fraction") if name == "number" else (name,)))


def type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "fraction"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def key_of(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@dataclass(frozen=True)
class View:
    """All documents that every one of `parts` admits."""

    root: Root
    parts: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, root: Root, *schemas: Schema) -> View:
        return cls(root, tuple(part for each in schemas for part in root.parts(each)))

    def with_(self, *schemas: Schema) -> View:
        return View(self.root, self.parts + View.of(self.root, *schemas).parts)

    @property
    def key(self) -> str:
        return key_of(sorted({key_of(part) for part in self.parts}))

    @property
    def is_empty(self) -> bool:
        """Known to have no document."""
        return not self.types or self.values == []

    @cached_property
    def types(self) -> frozenset[str]:
        found = frozenset(TYPES)
        for part in self.parts:
            if "type" in part:
                found &= expand_types(part["type"])
            if part.get("not") in ({}, True):
                found = frozenset()
        return found

    @cached_property
    def values(self) -> list[Any] | None:
        """All documents, where they are listed; None where they are not."""
        listed = [
            part["enum"] if "enum" in part else [part["const"]] for part in self.parts if {"enum", "const"} & {*part}
        ]
        if not listed:
            return None
        validators = [self.root.validator.evolve(schema=part) for part in self.parts]
        return [value for value in listed[0] if all(each.is_valid(value) for each in validators)]

    def bound(self, low: bool) -> tuple[float, bool]:
        """The narrowest lower or upper bound, and whether it is itself excluded; infinite where there is none."""
        name, exclusive = ("minimum", "exclusiveMinimum") if low else ("maximum", "exclusiveMaximum")
        sign = 1 if low else -1
        found = [(-math.inf, False)]
        for part in self.parts:
            found += [(sign * value, out) for value, out in bounds(part, name, exclusive)]
        value, out = max(found)
        if not self.types & {"fraction"} and value != -math.inf:
            value, out = (math.floor(value) + 1 if out else math.ceil(value)), False
        return sign * value, out

    def least(self, name: str, missing: float = 0) -> float:
        return max((part[name] for part in self.parts if name in part), default=missing)

    def most(self, name: str) -> float:
        return min((part[name] for part in self.parts if name in part), default=math.inf)

    @cached_property
    def required(self) -> frozenset[str]:
        return frozenset(name for part in self.parts for name in part.get("required", ()))

    @property
    def named(self) -> set[str]:
        return {name for part in self.parts for name in part.get("properties", {})} | self.required

    def member(self, name: str) -> View:
        """What is known of the value of a property, if there is one."""
        return View.of(self.root, *(schema for part in self.parts for schema in property_schemas(part, name)))

    @property
    def patterns(self) -> set[str]:
        return {pattern for part in self.parts for pattern in part.get("patternProperties", {})}

    def others(self) -> View:
        """What is known of properties that no schema names, by name or by pattern."""
        known = [part["additionalProperties"] for part in self.parts if "additionalProperties" in part]
        return View.of(self.root, *known)

    def matching(self, pattern: str) -> View:
        """What is known of properties that no schema names, and whose name matches the pattern.

        It may match others of a schema's patterns too, or none of them.
        """
        known: list[Schema] = []
        for part in self.parts:
            patterns = part.get("patternProperties", {})
            if pattern in patterns:
                known.append(patterns[pattern])
            else:
                known.append({"anyOf": [*patterns.values(), part.get("additionalProperties", True)]})
        return View.of(self.root, *known)

    def item(self, number: int | None) -> View:
        """What is known of the item at a place; None: of those behind all that are named."""
        return View.of(self.root, *(schema for part in self.parts for schema in item_schemas(part, number)))

    @property
    def places(self) -> int:
        return max((len(prefix(part)) for part in self.parts), default=0)


def bounds(part: dict[str, Any], name: str, exclusive: str) -> Iterator[tuple[float, bool]]:
    """The bounds that a schema states; draft 4 says by a boolean that a bound is excluded."""
    if name in part:
        yield part[name], part.get(exclusive) is True
    if exclusive in part and not isinstance(part[exclusive], bool):
        yield part[exclusive], True


def property_schemas(part: dict[str, Any], name: str) -> Iterator[Schema]:
    """The schemas that a property of that name has to satisfy; none: any value will do."""
    found = False
    if name in part.get("properties", {}):
        found = True
        yield part["properties"][name]
    for pattern, schema in part.get("patternProperties", {}).items():
        if re.search(pattern, name):
            found = True
            yield schema
    if not found and "additionalProperties" in part:
        yield part["additionalProperties"]


def prefix(part: dict[str, Any]) -> list[Schema]:
    """Schemas of the items by their place."""
    items = part.get("items")
    return list(items) if isinstance(items, list) else list(part.get("prefixItems", ()))


def item_schemas(part: dict[str, Any], number: int | None) -> Iterator[Schema]:
    places = prefix(part)
    if number is not None and number < len(places):
        yield places[number]
    elif isinstance(part.get("items"), list):
        yield part.get("additionalItems", True)
    elif "items" in part:
        yield part["items"]
