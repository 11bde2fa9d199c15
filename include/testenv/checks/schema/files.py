"""Schema files of a tree, by subject. Versions lie in a file each (`2-payments-value-v2.avsc`), or in git's history."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from testenv.checks.impact.trees import Tree
from testenv.datasets.avro import Registry, Schema

_NAME = re.compile(r"(?:\d+-)?(?P<subject>.+?)(?:-v(?P<version>\d+))?\.(?P<kind>avsc|schema\.json)")
_SKIPPED = {"node_modules", "target", "site-packages", "dbt_packages"}


class Kind(StrEnum):
    """The two languages, by how their files' names end."""

    AVRO = "avsc"
    JSON = "schema.json"


@dataclass(frozen=True)
class Text:
    """One version of a schema: where it was found, and what it says. `references` are schemas that it names."""

    version: int
    place: str
    text: str
    references: tuple[str, ...] = ()

    @property
    def schema(self) -> Any:
        """Raises `ValueError` for what is no JSON."""
        return json.loads(self.text)

    def says(self, other: Text) -> bool:
        """Whether both say the same, however it is laid out."""
        try:
            return bool(self.schema == other.schema)
        except ValueError:
            return self.text == other.text


@dataclass(frozen=True)
class Subject:
    """Versions of one schema, oldest first."""

    name: str
    kind: Kind
    texts: tuple[Text, ...]

    @property
    def topic(self) -> str:
        """The topic whose keys or values it describes."""
        return re.sub(r"-(value|key)$", "", self.name)

    @property
    def last(self) -> Text:
        return self.texts[-1]


def subjects(files: Tree) -> dict[str, Subject]:
    """Every subject among the files, by its name."""
    found: dict[str, list[tuple[Kind, Text]]] = {}
    for path in files:
        folder, name = posixpath.split(path)
        if (match := _NAME.fullmatch(name)) and not any(map(_is_skipped, folder.split("/"))):
            text = Text(int(match["version"] or 0), path, files.text(path))
            found.setdefault(match["subject"], []).append((Kind(match["kind"]), text))
    return {
        name: Subject(name, texts[0][0], tuple(sorted((text for _, text in texts), key=lambda text: text.version)))
        for name, texts in found.items()
    }


def _is_skipped(folder: str) -> bool:
    return folder.startswith(".") or folder in _SKIPPED


def registered(registry: Registry, subject: str) -> Sequence[Text]:
    """Versions of a subject in production's registry."""
    versions = sorted(version for name, version in registry.by_version if name == subject)
    return [_text(registry, subject, version) for version in versions]


def _text(registry: Registry, subject: str, version: int) -> Text:
    schema = registry.by_version[subject, version]
    return Text(version, f"registry, version {version}", schema.text, tuple(_references(registry, schema)))


def _references(registry: Registry, schema: Schema) -> Iterator[str]:
    for reference in schema.references:
        inner = registry.by_version[reference]
        yield from _references(registry, inner)
        yield inner.text
