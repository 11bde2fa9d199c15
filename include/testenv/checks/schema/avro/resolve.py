"""Whether a reader's schema reads what a writer's wrote: the specification's resolution, and what it finds wrong.

Each problem knows the way to it through the writer's schema, so that a record can be made that meets it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from testenv.checks.schema.avro.model import (
    Array,
    Enum,
    Field,
    Fixed,
    Logical,
    Map,
    Named,
    Node,
    Primitive,
    Record,
    Union,
    label,
)
from testenv.checks.schema.names import renames

PROMOTED = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}
_INEXACT = {("int", "float"): 2**24 + 1, ("long", "float"): 2**24 + 1, ("long", "double"): 2**53 + 1}
"""Promotions that the specification allows although a number comes out as another, and such a number."""

MEANING = "meaning-changed"
NOT_UTF8 = b"\xff"
ANY_UUID = "00000000-0000-0000-0000-000000000000"

Step = tuple[str, int]
"""One step from a value into it: `field` or `branch` and its number, `item`, or `value` of a map."""


class Effect(StrEnum):
    """What a reader does with the problem's record: fails, takes it for another value, or loses a part of it."""

    UNREADABLE = "unreadable"
    MISREAD = "misread"
    CHANGED = "changed"


@dataclass(frozen=True)
class Problem:
    """`value`, which is of `writer`, at the end of `steps` is what `reader` has trouble with; None: any value is."""

    rule: str
    effect: Effect
    path: str
    what: str
    remedy: str
    steps: tuple[Step, ...]
    writer: Node
    reader: Node
    value: Any = None


def resolve(writer: Node, reader: Node) -> tuple[Problem, ...]:
    """All problems of `reader` with `writer`'s records. Readable if none is unreadable or misread."""
    resolver = _Resolver()
    resolver.pair(_At("", (), writer, reader))
    return tuple(resolver.problems)


def is_compatible(problems: tuple[Problem, ...]) -> bool:
    return all(problem.effect is Effect.CHANGED for problem in problems)


def matches(writer: Node, reader: Node) -> bool:
    """The specification's "match", which chooses a branch of a union without looking into records."""
    match writer, reader:
        case (Union(), _) | (_, Union()):
            return True
        case Primitive(), Primitive():
            return writer.name == reader.name or reader.name in PROMOTED.get(writer.name, ())
        case Array(), Array():
            return matches(writer.items, reader.items)
        case Map(), Map():
            return matches(writer.values, reader.values)
        case Fixed() as one, Fixed() as other:
            return one.size == other.size and _same_name(one, other)
        case (Enum() as one, Enum() as other) | (Record() as one, Record() as other):
            return _same_name(one, other)
        case _:
            return False


def _same_name(writer: Named, reader: Named) -> bool:
    """By the last part of the name, or the writer's full name among the reader's aliases."""
    return writer.name.rpartition(".")[2] == reader.name.rpartition(".")[2] or writer.name in reader.aliases


@dataclass(frozen=True)
class _At:
    path: str
    steps: tuple[Step, ...]
    writer: Node
    reader: Node

    def into(self, step: Step, name: str, writer: Node, reader: Node) -> _At:
        return _At(f"{self.path}{name}".lstrip("."), (*self.steps, step), writer, reader)


@dataclass
class _Resolver:
    problems: list[Problem] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def add(
        self, at: _At, rule: str, what: str, remedy: str, effect: Effect = Effect.UNREADABLE, v: Any = None
    ) -> None:
        self.problems.append(Problem(rule, effect, at.path, what, remedy, at.steps, at.writer, at.reader, v))

    def pair(self, at: _At) -> None:
        """A pair that is being looked at already is readable if the rest of it is: records are finite."""
        key = (id(at.writer), id(at.reader))
        if key in self.seen:
            return
        self.seen.add(key)
        match at.writer, at.reader:
            case Union() as union, _:
                for number, branch in enumerate(union.branches):
                    self._chosen(at.into(("branch", number), "", branch, at.reader))
            case _, Union():
                self._chosen(at)
            case Array() as writer, Array() as reader:
                self.pair(at.into(("item", 0), "[]", writer.items, reader.items))
            case Map() as writer, Map() as reader:
                self.pair(at.into(("value", 0), ".*", writer.values, reader.values))
            case _ if not matches(at.writer, at.reader):
                self._mismatch(at)
            case Record() as writer, Record() as reader:
                self._record(at, writer, reader)
            case Enum() as writer, Enum() as reader:
                self._enum(at, writer, reader)
            case (Primitive() | Fixed()) as writer, (Primitive() | Fixed()) as reader:
                self._leaf(at, writer, reader)

    def _chosen(self, at: _At) -> None:
        """Of a reader's union the first branch that matches is read, whether or not a later one would do better."""
        if not isinstance(at.reader, Union):
            self.pair(at)
            return
        branch = next((each for each in at.reader.branches if matches(at.writer, each)), None)
        if branch is None:
            self.add(
                at,
                "branch-missing",
                f"is written as {label(at.writer)}, which is none of the reader's {label(at.reader)}",
                f"Keep {label(at.writer)} in the union",
            )
        else:
            self.pair(_At(at.path, at.steps, at.writer, branch))

    def _mismatch(self, at: _At) -> None:
        writer, reader = at.writer, at.reader
        if isinstance(writer, Fixed) and isinstance(reader, Fixed) and _same_name(writer, reader):
            self.add(at, "size-changed", f"has {writer.size} bytes, the reader wants {reader.size}", "Keep the size")
        elif isinstance(writer, Named) and isinstance(reader, Named) and type(writer) is type(reader):
            what = f"is written as {label(writer)}, and the reader calls it {label(reader)} without an alias"
            self.add(at, "type-renamed", what, f'Add "aliases": ["{writer.name}"] to {reader.name}')
        else:
            what = f"is written as {label(writer)}, which cannot be read as {label(reader)}"
            self.add(at, "type-changed", what, "Keep the type, or add a field of another name with a default")

    def _record(self, at: _At, writer: Record, reader: Record) -> None:
        taken: dict[str, str] = {}
        for number, each in enumerate(writer.fields):
            target = _reader_field(each.name, reader)
            if target is None:
                continue
            if target.name in taken:
                what = f"both {taken[target.name]} and {each.name} are written, and each is the reader's {target.name}"
                self.add(at, "alias-ambiguous", what, "Remove the alias while both fields are written")
                continue
            taken[target.name] = each.name
            self.pair(at.into(("field", number), f".{each.name}", each.type, target.type))
        unread = {each.name: label(each.type) for each in writer.fields if each.name not in taken.values()}
        missing = {each.name: each for each in reader.fields if each.name not in taken}
        renamed = {new: old for old, new in renames(unread, {n: label(f.type) for n, f in missing.items()}).items()}
        for name, target in missing.items():
            self._missing(_At(f"{at.path}.{name}".lstrip("."), at.steps, writer, reader), target, renamed.get(name))

    def _missing(self, at: _At, target: Field, renamed_from: str | None) -> None:
        alias = f'Add "aliases": ["{renamed_from}"] to {target.name}'
        seems = f"; it seems to be {renamed_from} renamed without an alias"
        if not target.has_default:
            what = f"is not written, and the reader has no default for it{seems if renamed_from else ''}"
            self.add(at, "field-missing", what, alias if renamed_from else f"Give {target.name} a default")
        elif renamed_from:
            what = f"is read as its default{seems}: the values of {renamed_from} are lost"
            self.add(at, "field-renamed", what, alias, Effect.CHANGED)

    def _enum(self, at: _At, writer: Enum, reader: Enum) -> None:
        for number, symbol in enumerate(writer.symbols):
            if symbol not in reader.symbols:
                inside = reader.default is not None
                what = f"may be written as {symbol}, which the reader's {reader.name} " + (
                    f"takes for its default {reader.default}" if inside else "does not have"
                )
                effect = Effect.CHANGED if inside else Effect.UNREADABLE
                remedy = f"Keep the symbol, or give {reader.name} a default"
                self.add(at, "symbol-missing", what, remedy, effect, number)

    def _leaf(self, at: _At, writer: Primitive | Fixed, reader: Primitive | Fixed) -> None:
        names = (writer.name, reader.name)
        if names == ("bytes", "string"):
            what = "is written as bytes, and only bytes that are UTF-8 are a string"
            self.add(at, "bytes-as-string", what, "Keep bytes", Effect.UNREADABLE, NOT_UTF8)
        elif names in _INEXACT:
            number = _INEXACT[names]
            what = f"is written as {names[0]} and read as {names[1]}, which does not hold each of its numbers"
            self.add(at, "number-inexact", what, "Keep the type where the last digit counts", Effect.CHANGED, number)
        if writer.logical != reader.logical:
            self._logical(at, writer, reader)

    def _logical(self, at: _At, writer: Primitive | Fixed, reader: Primitive | Fixed) -> None:
        was, now = writer.logical, reader.logical
        what = f"means {was or 'a plain value'} where written and {now or 'a plain value'} where read"
        effect = Effect.MISREAD if was and now and not _holds(was, now) else Effect.CHANGED
        self.add(at, MEANING, what, "Keep the logical type", effect, _telling(writer))


def _holds(was: Logical, now: Logical) -> bool:
    """Whether each value means the same under `now`: true of a decimal of the same scale with more digits."""
    return was.name == now.name == "decimal" and was.scale == now.scale and was.precision <= now.precision


def _telling(writer: Primitive | Fixed) -> Any:
    """A value that two logical types take for different things."""
    if isinstance(writer, Fixed) or writer.name == "bytes":
        precision = writer.logical.precision if writer.logical else 1
        return 10**precision - 1
    return {"int": 1, "long": 1_700_000_000}.get(writer.name, ANY_UUID)


def _reader_field(name: str, reader: Record) -> Field | None:
    """The reader's field of that name, else the one that has it as an alias."""
    by_name = next((each for each in reader.fields if each.name == name), None)
    return by_name or next((each for each in reader.fields if name in each.aliases), None)
