"""What the tests of the corpus share: the repository as texts and as graphs, and a case made in it."""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath

import yaml
from tests.faults.corpus import CATALOGUE, PARTS, REPO, Case, changes, read_repository

from testenv.checks.impact import Selection, read_layout
from testenv.checks.impact.graph import Graph
from testenv.checks.impact.python import Module
from testenv.checks.impact.select import compare
from testenv.checks.impact.trees import Entry, Tree, tree_at, tree_of

Entries = dict[str, dict[str, object]]


@cache
def made(case: Case) -> dict[str, str | None]:
    """The files that the case changes, with their texts."""
    return changes(case, read_repository)


def entries(case: Case) -> Entries:
    """The catalogue as the case leaves it."""
    return _entries(made(case).get(CATALOGUE) or read_repository(CATALOGUE) or "")


@cache
def _entries(text: str) -> Entries:
    found: Entries = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["pipelines"]
    return found


@cache
def _files() -> dict[str, bytes]:
    """The files that a case may change. What else the repository holds is the same on both sides."""
    tree = tree_at(REPO)
    below = (path for path in tree if any(PurePosixPath(path).is_relative_to(part) for part in PARTS))
    return {path: tree.read(path) for path in below}


@cache
def _base() -> tuple[Graph, dict[tuple[str, str], Module]]:
    modules: dict[tuple[str, str], Module] = {}
    tree = tree_of(_files())
    return Graph(tree, read_layout(tree), {}, modules), modules


def affected(case: Case) -> Selection:
    """What impact selects for it."""
    base, modules = _base()
    before = base.tree
    written = {path: text.encode() for path, text in made(case).items() if text is not None}
    texts = {path: _files()[path] for path in before if path not in made(case)} | written
    new = tree_of(written)
    known = {path: Entry(new.digest(path) or before.digest(path)) for path in texts}
    return compare(base, Graph(Tree(known, texts.__getitem__), base.layout, {}, modules))
