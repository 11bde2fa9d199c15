"""The pipelines that a change affects, each with the shortest way from a changed file to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from testenv.checks.impact import dbt
from testenv.checks.impact.changes import EVERYTHING, Changes, Sources
from testenv.checks.impact.graph import ANY, Edges, Graph, Manifests, Node
from testenv.checks.impact.layout import Layout, read_layout
from testenv.checks.impact.python import Module
from testenv.checks.impact.trees import Tree, changed
from testenv.core.errors import NotFound

_WRITTEN = ("data", "unlisted")
"""Kinds of nodes that lead to whoever writes what is read."""


@dataclass(frozen=True)
class Selected:
    """A pipeline or dbt node that is affected. `chain` leads from a changed file to it.

    `by_data`: it runs as it did, on what others write otherwise.
    """

    name: str
    chain: tuple[str, ...]
    by_data: bool = False

    def __str__(self) -> str:
        return " → ".join(self.chain)


@dataclass(frozen=True)
class Excluded:
    """A pipeline that is not affected, and the files that it depends on."""

    name: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """What a change affects. All is in order of names, and the same for the same two trees.

    `harmless` are changed files with why they affect nothing; `removed`, pipelines that only the base has. `models` are
    dbt's `state:modified+` by `PROJECT: KIND.NAME`; `deferred` can be read from what the base built.
    """

    changes: tuple[str, ...]
    harmless: tuple[tuple[str, str], ...]
    selected: tuple[Selected, ...]
    excluded: tuple[Excluded, ...]
    removed: tuple[str, ...]
    models: tuple[Selected, ...]
    deferred: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """The selected pipelines."""
        return frozenset(each.name for each in self.selected)

    def why(self, pipeline: str) -> str:
        """Why a pipeline is in, or is not, for people. Raises `NotFound`."""
        for each in self.selected:
            if each.name == pipeline:
                return f"{pipeline} is affected: {each}"
        for other in self.excluded:
            if other.name == pipeline:
                lines = [
                    f"{pipeline} is not affected: of the {len(other.files)} files that it depends on, none changed."
                ]
                lines += [f"  it depends on  {path}" for path in other.files]
                unread = set(self.changes) - {path for path, _ in self.harmless}
                lines += [f"  changed, and leads elsewhere  {path}" for path in sorted(unread)]
                lines += [f"  changed without effect  {path}: {reason}" for path, reason in self.harmless]
                return "\n".join(lines)
        if pipeline in self.removed:
            return f"{pipeline} is gone: the base has it, and the head has not"
        raise NotFound(f"pipeline: {pipeline!r} is in neither tree. Its id is the DAG's; without one, all are listed")


def select(
    base: Tree,
    head: Tree,
    layout: Layout | None = None,
    base_manifests: Manifests | None = None,
    head_manifests: Manifests | None = None,
) -> Selection:
    """What the change from `base` to `head` affects, by the layout that `head` states unless another is given.

    dbt's manifests, by project folder, are used where both trees have one. Raises `InvalidCatalog`.
    """
    layout = layout or read_layout(head)
    both = (base_manifests or {}).keys() & (head_manifests or {}).keys()
    modules: dict[tuple[str, str], Module] = {}
    before, after = (
        Graph(tree, layout, {each: manifests[each] for each in both} if manifests else {}, modules)
        for tree, manifests in ((base, base_manifests), (head, head_manifests))
    )
    return compare(before, after)


def compare(before: Graph, after: Graph) -> Selection:
    """As `select`, of two graphs that were made by the same layout."""
    edges: Edges = defaultdict(set)
    for graph in (before, after):
        for node, below in graph.edges.items():
            edges[node] |= below
    paths = changed(before.tree, after.tree)
    changes = Changes(before, after, paths, {*edges, *(node for below in edges.values() for node in below)})
    for id_ in after.pipelines:
        edges[Node("pipeline", id_)].add(EVERYTHING)
    sources, label = changes.sources, _Labels(after, before)
    way = _ways(edges, sources)
    otherwise = (
        sources.keys() | _ways({n: below for n, below in edges.items() if n.kind not in _WRITTEN}, sources).keys()
    )
    here = sorted(after.pipelines)
    selected = {id_: found for id_ in here if (found := label.chain(way, sources, Node("pipeline", id_)))}
    models, deferred = _models(edges, {n: f for n, f in sources.items() if n.kind == "dbt"}, after, label)
    return Selection(
        changes=tuple(paths),
        harmless=tuple(sorted(changes.harmless.items())),
        selected=tuple(
            Selected(id_, chain, by_data=Node("pipeline", id_) not in otherwise) for id_, chain in selected.items()
        ),
        excluded=tuple(Excluded(id_, tuple(_depends_on(after, id_))) for id_ in here if id_ not in selected),
        removed=tuple(sorted(before.pipelines.keys() - after.pipelines.keys())),
        models=models,
        deferred=deferred,
    )


def _depends_on(graph: Graph, id_: str) -> list[str]:
    found = {node.name for node in graph.reach(Node("pipeline", id_)) if node.kind == "file"}
    projects = {node.name for node in graph.reach(Node("pipeline", id_)) if node.kind == "dbt"}
    found |= {file for project in projects for node in graph.projects[project].values() for file in node.files}
    catalogue = graph.layout.catalogue
    if catalogue and id_ in graph.entries:
        found.add(f"{catalogue.file}: {id_}")
    return sorted(found)


# ---------------------------------------------------------------- what follows


def _ways(edges: Edges, sources: Iterable[Node]) -> dict[Node, Node]:
    """For each node that depends on a changed one, the next node on a shortest way down to it."""
    above: dict[Node, list[Node]] = defaultdict(list)
    for node in sorted(edges):
        for below in edges[node]:
            above[below].append(node)
    way: dict[Node, Node] = {}
    level = sorted(sources)
    seen = set(level)
    while level:
        following: list[Node] = []
        for node in level:
            for each in above[node]:
                if each not in seen:
                    seen.add(each)
                    way[each] = node
                    following.append(each)
        level = sorted(following)
    return way


def _models(
    edges: Edges, sources: Sources, after: Graph, label: _Labels
) -> tuple[tuple[Selected, ...], tuple[str, ...]]:
    """dbt's `state:modified+`, by what the projects themselves hold; and what can be deferred to the base."""
    own = {
        node: {each for each in below if each.kind == "dbt"}
        for node, below in edges.items()
        if node.kind == "dbt" and node.part != ANY
    }
    way = _ways(own, sources)
    found, deferred = [], []
    for project, nodes in sorted(after.projects.items()):
        for key in sorted(nodes):
            if key.partition(".")[0] not in dbt.BUILT:
                continue
            name, chain = f"{project}: {key}", label.chain(way, sources, Node("dbt", project, key))
            if chain:
                found.append(Selected(name, chain))
            else:
                deferred.append(name)
    return tuple(found), tuple(deferred)


class _Labels:
    """What nodes are called in a chain."""

    def __init__(self, *graphs: Graph) -> None:
        self._graphs = graphs

    def chain(self, way: dict[Node, Node], sources: Sources, node: Node) -> tuple[str, ...]:
        """From a changed file to `node`; empty if none leads there."""
        if node not in way and node not in sources:
            return ()
        passed = [node]
        while passed[-1] in way:
            passed.append(way[passed[-1]])
        files = sources[passed[-1]]
        labels = [*files]
        for each in reversed(passed):
            text = self.of(each)
            # A module that changed is its file.
            if text and text != labels[-1] and not (len(labels) == len(files) and text == self._module(labels[-1])):
                labels.append(text)
        return tuple(labels)

    def of(self, node: Node) -> str:
        """One name; empty for what only leads on."""
        match node.kind:
            case "file" | "part":
                return self._module(node.name)
            case "entry":
                return "" if node.part else f"entry {node.name}"
            case "search":
                return f"{node.name}/"
            case "python":
                return "an import by a name that is made while it runs"
            case "dbt":
                return "" if node.part == ANY else node.part if node.part != dbt.PROJECT else f"dbt project {node.name}"
            case "unlisted":
                return "" if node.name == "written" else "data that it may read, as the catalogue does not list it"
            case "everything":
                return ""
            case "dataset":
                return f"contract {node.name}"
        return node.name

    def _module(self, path: str) -> str:
        for graph in self._graphs:
            if path in graph.files:
                return graph.files.module_name(path)
        return path
