"""The repository that the tests change: this one, as a tree in memory."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from testenv.checks.impact import Selection, read_layout
from testenv.checks.impact.graph import Graph
from testenv.checks.impact.python import Module
from testenv.checks.impact.select import compare
from testenv.checks.impact.trees import tree_at, tree_of

ROOT = Path(__file__).parents[5]


@cache
def files() -> dict[str, bytes]:
    """All files of this repository as they stand, links as what they lead to."""
    tree = tree_at(ROOT)
    return {path: tree.read(path) for path in tree}


def text(path: str) -> str:
    return files()[path].decode()


@cache
def _base() -> tuple[Graph, dict[tuple[str, str], Module]]:
    modules: dict[tuple[str, str], Module] = {}
    tree = tree_of(files())
    return Graph(tree, read_layout(tree), {}, modules), modules


def affected(changes: dict[str, str | None]) -> Selection:
    """What it affects to write these files of the repository, or to remove those that are None."""
    base, modules = _base()
    written = {path: each.encode() for path, each in changes.items() if each is not None}
    kept = {path: content for path, content in files().items() if path not in changes}
    return compare(base, Graph(tree_of(kept | written), base.layout, {}, modules))
