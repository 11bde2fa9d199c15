"""The pipelines that a change affects, each with the shortest way from a changed file to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from testenv.checks.impact import dbt
from testenv.checks.impact.graph import ANY, Edges, Graph, Manifests, Node
from testenv.checks.impact.harmless import prose, same, same_yaml
from testenv.checks.impact.layout import FILE, Layout, read_layout
from testenv.checks.impact.python import Module
from testenv.checks.impact.trees import Tree, changed
from testenv.core.errors import NotFound

_EVERYTHING = Node("everything", "")


@dataclass(frozen=True)
class Selected:
    """A pipeline or dbt node that is affected. `chain` leads from a changed file to it."""

    name: str
    chain: tuple[str, ...]

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
                lines = [f"{pipeline} is not affected: of the {len(other.files)} files that it depends on, none changed."]
                lines += [f"  it depends on  {path}" for path in other.files]
                unread = set(self.changes) - {path for path, _ in self.harmless}
                lines += [f"  changed, but nothing in {path} leads to it" for path in sorted(unread)]
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
    edges: Edges = defaultdict(set)
    for graph in (before, after):
        for node, below in graph.edges.items():
            edges[node] |= below
    paths = changed(base, head)
    sources, harmless = _sources(before, after, paths, edges)
    way = _ways(edges, sources)
    label = _Labels(after, before)
    here = sorted(after.pipelines)
    if _EVERYTHING in sources:
        selected = {id_: (*sources[_EVERYTHING], id_) for id_ in here}
        selected |= {id_: found for id_ in here if (found := label.chain(way, sources, Node("pipeline", id_)))}
    else:
        selected = {id_: found for id_ in here if (found := label.chain(way, sources, Node("pipeline", id_)))}
    models, deferred = _models(edges, {n: f for n, f in sources.items() if n.kind == "dbt"}, after, label)
    return Selection(
        changes=tuple(paths),
        harmless=tuple(sorted(harmless.items())),
        selected=tuple(Selected(id_, chain) for id_, chain in selected.items()),
        excluded=tuple(
            Excluded(id_, tuple(_depends_on(after, id_))) for id_ in here if id_ not in selected
        ),
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


# ---------------------------------------------------------------- what changed


def _sources(before: Graph, after: Graph, paths: list[str], edges: Edges) -> tuple[dict[Node, tuple[str, ...]], dict[str, str]]:
    """What is changed, each with the files that changed it; and harmless files with the reason."""
    layout = after.layout
    sources: dict[Node, tuple[str, ...]] = {}
    harmless: dict[str, str] = {}
    known = {*edges, *(node for below in edges.values() for node in below)}
    for project in after.projects:
        one, other = before.projects[project], after.projects[project]
        for key in dbt.modified(one, other):
            files = {*(one[key].files if key in one else ()), *(other[key].files if key in other else ())}
            sources[Node("dbt", project, key)] = tuple(sorted(files & set(paths)))[:1]
    accounted = {file for files in sources.values() for file in files}
    for path in paths:
        if reason := _harmless(before, after, path):
            harmless[path] = reason
        elif layout.catalogue is not None and path == layout.catalogue.file:
            for node in _changed_entries(before, after):
                sources[node] = (path,)
        elif Node("file", path) in known:
            sources[Node("file", path)] = (path,)
        elif layout.project_of(path):
            if path not in accounted and not _explained(before, after, path):
                harmless[path] = "nothing that dbt builds differs for it"
        elif path.endswith(".py"):
            harmless[path] = "no pipeline imports or names it"
        else:
            sources.setdefault(_EVERYTHING, (path, "a file that nothing is known to read, so anything may"))
    for project in after.projects:
        if Node("dbt", project, ANY) in sources or not (after.runs(project) | before.runs(project)):
            for node, files in list(sources.items()):
                if node.kind == "dbt" and node.name == project:
                    sources.setdefault(_EVERYTHING, (*files, f"no pipeline is known to build {project}, so any may"))
    return sources, harmless


def _explained(before: Graph, after: Graph, path: str) -> bool:
    """Whether a changed part of a dbt project lies in the file."""
    project = after.layout.project_of(path)
    one, other = before.projects[project], after.projects[project]
    return any(path in nodes[key].files for key in dbt.modified(one, other) for nodes in (one, other) if key in nodes)


def _changed_entries(before: Graph, after: Graph) -> list[Node]:
    ids = before.entries.keys() | after.entries.keys()
    nodes = [Node("entry", id_) for id_ in sorted(ids) if before.entries.get(id_) != after.entries.get(id_)]
    return nodes if before.rest == after.rest else [*nodes, Node("entry", ANY)]


def _harmless(before: Graph, after: Graph, path: str) -> str:
    """Why a changed file affects nothing, by itself; empty if it may."""
    layout, old, new = after.layout, before.tree, after.tree
    if path == FILE:
        return ""
    if layout.is_apart(path):
        return f"{FILE} says that no pipeline depends on it"
    is_named = any(Node("file", path) in graph.edges for graph in (before, after))
    if prose(path) and not layout.project_of(path) and not is_named:
        return "it is for people alone"
    if path not in old or path not in new or old.target(path) or new.target(path) or layout.project_of(path):
        return ""
    one, other = old.read(path), new.read(path)
    if layout.is_contract(path):
        return "only layout or comments of YAML" if same_yaml(one, other) else ""
    return same(path, one, other)


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
    edges: Edges, sources: dict[Node, tuple[str, ...]], after: Graph, label: _Labels
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

    def chain(self, way: dict[Node, Node], sources: dict[Node, tuple[str, ...]], node: Node) -> tuple[str, ...]:
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
            case "dataset":
                return f"contract {node.name}"
        return node.name

    def _module(self, path: str) -> str:
        for graph in self._graphs:
            if path in graph.files:
                return graph.files.module_name(path)
        return path
