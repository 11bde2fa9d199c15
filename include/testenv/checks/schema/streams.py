"""Schemas of topics: which versions meet in a release, and what the dataset's mode asks of each pair."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testenv.checks.release import Release, Version
from testenv.checks.schema.avro.model import Node, NotASchema, parse
from testenv.checks.schema.avro.proof import prove
from testenv.checks.schema.avro.resolve import Effect, resolve
from testenv.checks.schema.change import Breaks, Change, Demands, unseen
from testenv.checks.schema.files import Kind, Subject, Text, registered
from testenv.checks.schema.json_schema.compare import check, compare


@dataclass(frozen=True)
class Compared:
    """A new version of a schema against what was there: its changes, and what was compared with what."""

    file: str
    changes: tuple[Change, ...]
    ran: tuple[str, ...]


def subject_changes(base: Subject | None, head: Subject, demanded: Demands, release: Release) -> Iterator[Compared]:
    """Every new text of head against the text before it, or against all before it where the mode is transitive."""
    there = _there(base, head, demanded, release)
    before = {text.version: text for text in base.texts} if base else {}
    newest = base.last.version if base else 0
    for text in head.texts:
        was = before.get(text.version)
        if was is not None and was.says(text):
            continue
        if was is not None and text.version < newest:
            what = f"version {text.version}, which a later one has followed, was edited: readers may hold it as it was"
            edited = Change("version-edited", (Breaks.PERHAPS,), "", what, "Add a version instead")
            yield Compared(text.place, (edited,), (f"{text.place}: edited",))
            continue
        if problem := _unusable(head.kind, text):
            broken = Change("no-schema", (Breaks.DATA, Breaks.READERS, Breaks.PEOPLE), "", problem, "Mend the schema")
            yield Compared(text.place, (broken,), (f"{text.place}: read",))
            continue
        against = there if demanded.transitive else there[-1:]
        changes: list[Change] = []
        for old in reversed(against):
            changes += unseen(_pair(head.kind, old, text, demanded), changes)
        ran = tuple(f"{head.name}: {old.place} against {text.place}" for old in against)
        yield Compared(text.place, tuple(changes), ran)
        there = [*there, text]


def _there(base: Subject | None, head: Subject, demanded: Demands, release: Release) -> list[Text]:
    """What readers and records may be of, oldest first: history and registry before the files, each text once."""
    found: list[Text] = []
    if demanded.transitive and base:
        for text in base.texts:
            found += [Text(text.version, f"{text.place} at {old.ref[:12]}", old.text) for old in _past(release, text)]
    if head.kind is Kind.AVRO:
        found += registered(release.registry, head.name)
    found += base.texts if base else ()
    last_first: list[Text] = []
    for text in reversed(found):
        if not any(text.says(other) for other in last_first):
            last_first.append(text)
    return last_first[::-1]


def _past(release: Release, text: Text) -> Sequence[Version]:
    return release.history.versions(text.place)


def _unusable(kind: Kind, text: Text) -> str:
    try:
        if kind is Kind.JSON:
            return check(text.schema)
        _node(text)
    except (NotASchema, ValueError) as error:
        return str(error)
    return ""


def _node(text: Text) -> Node:
    return parse(text.schema, [json.loads(each) for each in text.references])


def _pair(kind: Kind, old: Text, new: Text, demanded: Demands) -> Iterator[Change]:
    """Both directions, whether or not both are asked for: what is not asked for is worth a note."""
    for breaks, writer, reader in ((Breaks.DATA, old, new), (Breaks.READERS, new, old)):
        if problem := _unusable(kind, old):
            what = f"cannot be compared with {old.place}: {problem}"
            yield Change("undecided", (breaks,), "", what, "Mend what is there first", unsure=True)
        elif kind is Kind.AVRO:
            yield from _avro(breaks, writer, reader, f"{_side(breaks)} {old.place}")
        else:
            yield from _json(breaks, writer.schema, reader.schema, f"{_side(breaks)} {old.place}")


def _side(breaks: Breaks) -> str:
    return "head reading records of" if breaks is Breaks.DATA else "head's records read with"


def _avro(breaks: Breaks, writer: Text, reader: Text, side: str) -> Iterator[Change]:
    """What the old schema has trouble with in its own records is no fault of the change.

    So it is with a union of string and bytes: the first branch that matches bytes is string.
    """
    written, read = _node(writer), _node(reader)
    old = written if breaks is Breaks.DATA else read
    known = {(problem.rule, problem.path) for problem in resolve(old, old)}
    for problem in resolve(written, read):
        witness = prove(problem, written, read)
        is_minor = problem.effect is Effect.CHANGED or (problem.rule, problem.path) in known
        unsure = not (is_minor or witness is not None and witness.proved)
        harm = Breaks.PERHAPS if is_minor else breaks
        yield Change(
            f"avro-{problem.rule}", (harm,), problem.path, f"{side}: it {problem.what}", problem.remedy, witness, unsure
        )


def _json(breaks: Breaks, writer: Any, reader: Any, side: str) -> Iterator[Change]:
    for each in compare(writer, reader):
        unsure = each.witness is None
        what = f"{side}: it {each.what}" + (", and no document was found that shows it" if unsure else "")
        remedy = "Let the schema take what it took, or write a subject of another name"
        yield Change(f"json-{each.rule}", (breaks,), each.path, what, remedy, each.witness, unsure=unsure)
