"""The corpus of planted faults: small changes to the estate, each with the verdict that it must have.

The cases stand in `cases/*.yaml`. A case is a list of edits; they are made to texts, so that a test can look at a case
without copying a tree, or to a copy of the estate on disk, which a trial then runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

REPO = Path(__file__).resolve().parents[2]
CASES = Path(__file__).parent / "cases"

PARTS = ("include/estate", "include/dbt/finsight", "include/catalog", "testenv.yaml")
"""What of the repository a case may change, and what a copy holds."""

LEFT_OVER = shutil.ignore_patterns("__pycache__", "target", "logs")

CATALOGUE = "include/estate/pipelines.yaml"
BY_HAND = ("finsight_dbt",)
"""Pipelines that the catalogue does not list."""

Read = Callable[[str], str | None]
"""The text of a file below the root; None if there is none."""


class Catcher(StrEnum):
    """The seven checks."""

    SCHEMA = "schema"
    IDEMPOTENCY = "idempotency"
    BACKFILL = "backfill"
    QUALITY = "quality"
    DIFF = "diff"
    STREAMING = "streaming"
    ISOLATION = "isolation"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Edit(_Frozen):
    """One of three: `old`, which stands in `file` exactly once, becomes `new`; the file becomes `text`, whether or not
    there was one; it is `removed`."""

    file: str
    old: str = ""
    new: str | None = None
    text: str | None = None
    removed: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [bool(self.old) and self.new is not None, self.text is not None, self.removed]
        if sum(kinds) != 1 or bool(self.old) != (self.new is not None):
            raise ValueError(f"{self.file}: an edit has old and new, or text, or removed: true")
        if self.old == self.new and self.old:
            raise ValueError(f"{self.file}: old and new are the same")
        return self

    def of(self, before: str | None) -> str | None:
        """The file's text after it. Raises `ValueError` where it does not apply."""
        if self.text is not None:
            return self.text
        if before is None:
            raise ValueError(f"{self.file}: there is no such file")
        if self.removed:
            return None
        if (found := before.count(self.old)) != 1:
            raise ValueError(f"{self.file}: must stand there once, stands there {found} times: {self.old!r}")
        return before.replace(self.old, self.new or "")


class Case(_Frozen):
    """A change, and what must be said of it.

    `caught_by` is the check that must fail, the one that says most precisely what is wrong; `also` may fail too, and no
    other may. `after` names a harmless case whose edits are made first: a fault in a load of one's own needs that load.
    `static`: it is caught, or passed, by reading alone; then `rule` is the finding's. `pipelines` are exactly those
    that the change affects: ids, or `archetype=…`, `input=…`, `output=…` of the catalogue, or `*`.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    what: str
    edits: tuple[Edit, ...] = Field(min_length=1)
    after: str = ""
    verdict: Literal["yes", "no"]
    caught_by: Catcher | None = None
    also: tuple[Catcher, ...] = ()
    rule: str = ""
    pipelines: tuple[str, ...] = ()
    static: bool = False

    @field_validator("verdict", mode="before")
    @classmethod
    def _yaml_has_no_yes(cls, value: object) -> object:
        return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        if (self.verdict == "no") != (self.caught_by is not None):
            raise ValueError(f"{self.name}: a fault names the check that catches it, and what is harmless names none")
        if self.verdict == "yes" and (self.also or self.rule):
            raise ValueError(f"{self.name}: no check may say anything against what is harmless")
        if self.rule and not self.static:
            raise ValueError(f"{self.name}: a rule is for what is caught by reading alone")
        if self.caught_by in self.also:
            raise ValueError(f"{self.name}: {self.caught_by} stands in also too")
        return self


def expected(case: Case, entries: Mapping[str, Mapping[str, object]]) -> frozenset[str]:
    """The pipelines that a case affects, of the catalogue's `entries`. Raises `ValueError` for what is not there."""
    found: set[str] = set()
    for each in case.pipelines:
        kind, _, value = each.rpartition("=")
        match kind:
            case "" if each == "*":
                found |= {*entries, *BY_HAND}
            case "":
                chosen = {each} & {*entries, *BY_HAND}
            case "archetype":
                chosen = {id_ for id_, entry in entries.items() if entry["archetype"] == value}
            case "input" | "output":
                chosen = {id_ for id_, entry in entries.items() if value in _listed(entry, f"{kind}s")}
            case _:
                raise ValueError(f"{case.name}: pipelines: {kind!r} is not known; there are archetype, input, output")
        if each != "*" and not chosen:
            raise ValueError(f"{case.name}: pipelines: there is none that is {each!r}")
        found |= chosen if each != "*" else set()
    return frozenset(found)


def _listed(entry: Mapping[str, object], side: str) -> list[str]:
    listed = entry[side]
    assert isinstance(listed, list)
    return listed


@cache
def cases() -> tuple[Case, ...]:
    """Every case, in the order of the files. Raises `ValueError` where one is wrong, or two have one name."""
    found: dict[str, Case] = {}
    for file in sorted(CASES.glob("*.yaml")):
        for content in yaml.safe_load(file.read_text(encoding="utf-8")):
            case = Case.model_validate(content)
            if case.name in found:
                raise ValueError(f"{file.name}: there are two cases {case.name!r}")
            found[case.name] = case
    for case in found.values():
        if case.after and (case.after not in found or found[case.after].verdict != "yes"):
            raise ValueError(f"{case.name}: after: {case.after!r} is no harmless case")
    return tuple(found.values())


def named(name: str) -> Case:
    """The case of that name. Raises `KeyError`."""
    return {case.name: case for case in cases()}[name]


def changes(case: Case, read: Read) -> dict[str, str | None]:
    """The files that a case changes, with their new texts; None for one that is removed. Raises `ValueError`."""
    changed = changes(named(case.after), read) if case.after else {}
    for edit in case.edits:
        if not any(edit.file == part or edit.file.startswith(f"{part}/") for part in PARTS):
            raise ValueError(f"{edit.file}: is none of {', '.join(PARTS)}")
        changed[edit.file] = edit.of(changed[edit.file] if edit.file in changed else read(edit.file))
    return changed


def read_repository(path: str) -> str | None:
    """A file of this repository, as it stands."""
    file = REPO / path
    return file.read_text(encoding="utf-8") if file.is_file() else None


def copy_estate(folder: Path) -> Path:
    """A copy of the estate, as a repository under test: `folder`, which is made. No edit is made in it."""
    for part in PARTS:
        source, target = REPO / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "target", "logs")
            )
        else:
            shutil.copy2(source, target)
    return folder


def apply(case: Case, folder: Path) -> None:
    """Make a case's edits in a copy of the estate."""
    for path, text in changes(case, read_repository).items():
        file = folder / path
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
