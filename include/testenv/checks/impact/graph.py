"""What each pipeline of a tree depends on, as a graph from pipelines down to files."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from testenv.checks.impact import dbt, paths
from testenv.checks.impact.files import Files
from testenv.checks.impact.harmless import LOADER
from testenv.checks.impact.layout import Layout
from testenv.checks.impact.python import WHOLE, Code, Module, Part, Reached
from testenv.checks.impact.trees import Tree
from testenv.core.errors import InvalidCatalog

ANY = "*"


class Node(NamedTuple):
    """A thing that another depends on. `entry` is the pipeline whose catalogue entry a part of the code runs for."""

    kind: str
    name: str
    part: str = ""
    entry: str = ""


Edges = dict[Node, set[Node]]
"""From each node to those that it depends on."""

Manifests = Mapping[str, Mapping[str, Any]]
"""dbt's `manifest.json` by the project's folder."""


class Graph:
    """The pipelines of a tree and all they depend on."""

    def __init__(
        self, tree: Tree, layout: Layout, manifests: Manifests, modules: dict[tuple[str, str], Module]
    ) -> None:
        self.tree, self.layout = tree, layout
        self.files = Files(tree, (path for path in tree if not layout.is_apart(path)))
        self.code = Code(self.files, modules)
        self.entries, self.rest = _catalogue(tree, layout)
        self.projects = {
            each.project: dbt.from_manifest(manifests[each.project], tree, each.project)
            if each.project in manifests
            else dbt.from_files(tree, each.project)
            for each in layout.dbt
        }
        self.edges: Edges = {}
        self._made_up: list[str] = []
        self.pipelines = self._pipelines()
        catalogue = layout.catalogue
        self._kind = self.code.entry_class(catalogue.entry) if catalogue and catalogue.entry else None
        self._reached: dict[Any, Reached] = {}
        for pipeline in self.pipelines:
            self._follow(Node("pipeline", pipeline))
        self._add_lineage()
        self._add_searched()

    # ---------------------------------------------------------------- pipelines

    def _pipelines(self) -> dict[str, str]:
        """The DAG file of each pipeline."""
        found: dict[str, str] = {}
        catalogue = self.layout.catalogue
        for path in self.files.python:
            if self.layout.is_dag(path) and not (catalogue and path == catalogue.factory):
                ids = _dag_ids(self.tree.read(path))
                if "" in ids:
                    self._made_up.append(path)
                found |= {id_ or path.rpartition("/")[2].removesuffix(".py"): path for id_ in ids}
        made = catalogue.factory if catalogue and catalogue.factory in self.files else ""
        return found | {id_: made for id_ in self.entries if id_ not in found}

    def runs(self, project: str) -> set[str]:
        """The pipelines that build a dbt project."""
        stated = {id_ for each in self.layout.dbt if each.project == project for id_ in each.pipelines}
        target = Node("dbt", project, ANY)
        return stated | {id_ for id_ in self.pipelines if target in self.reach(Node("pipeline", id_), "part")}

    def reach(self, start: Node, *kinds: str) -> set[Node]:
        """All that `start` depends on, by way of nodes of the `kinds` alone; of any kind if none is said."""
        seen, todo = {start}, [start]
        while todo:
            for node in self.edges.get(todo.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    if not kinds or node.kind in kinds:
                        todo.append(node)
        return seen

    # ---------------------------------------------------------------- code

    def _follow(self, start: Node) -> None:
        todo = [start]
        while todo:
            node = todo.pop()
            if node not in self.edges:
                self.edges[node] = set(self._below(node))
                todo.extend(self.edges[node])

    def _below(self, node: Node) -> Iterator[Node]:
        match node.kind:
            case "pipeline":
                yield from self._below_pipeline(node.name)
            case "part":
                yield from self._below_part(node)
            case "file":
                if target := self.tree.target(node.name):
                    yield from self._file(target, "")
                elif not node.name.endswith(".py"):
                    yield from self._named_in(self.tree.text(node.name))
            case "python":
                yield from (Node("file", path) for path in self.files.python)

    def _below_pipeline(self, id_: str) -> Iterator[Node]:
        file = self.pipelines[id_]
        entry = id_ if id_ in self.entries else ""
        by_factory = self.layout.catalogue is not None and file == self.layout.catalogue.factory
        if file:
            yield Node("part", file, WHOLE, entry if by_factory else "")
        if not file or by_factory:  # it may as well be one of those whose ids are not known
            yield from (Node("part", each, WHOLE) for each in self._made_up)
        if entry:
            yield Node("entry", id_)
            yield Node("entry", ANY)
            yield from self._named_in(str(self.entries[id_]))

    def _below_part(self, node: Node) -> Iterator[Node]:
        part = Part(node.name, node.part)
        yield Node("file", node.name)
        found = self._lookup(part, node.entry)
        if found.anything:
            yield Node("python", ANY)
        yield from (Node("part", each.file, each.name, node.entry) for each in found.parts)
        for path in found.files:
            yield from self._file(path, node.entry)
        yield from (Node("search", folder) for folder in found.search)
        for folder in found.folders:
            for project in self.projects:
                if f"{project}/".startswith(f"{folder}/" if folder else "") or folder.startswith(f"{project}/"):
                    yield Node("dbt", project, ANY)
            for path in self.files.below(folder):
                if not self.layout.is_stated(path):
                    yield from self._file(path, node.entry)

    def _named_in(self, text: str) -> Iterator[Node]:
        """What a text other than Python names: files, and modules."""
        for word in paths.names_in(text):
            for path in self.files.named(word):
                if not self.layout.is_stated(path):
                    yield from self._file(path, "")
        yield from (Node("part", path, WHOLE) for path in self.files.modules_in(text))

    def _lookup(self, part: Part, id_: str) -> Reached:
        entry, kind = self.entries.get(id_, {}), self._kind if id_ else None
        key = (part, kind and self.code.outcomes(part, kind, entry))
        if key not in self._reached:
            self._reached[key] = self.code.reached(part, kind, entry)
        return self._reached[key]

    def _file(self, path: str, entry: str) -> Iterator[Node]:
        """A file that is named: one of Python is run, or imported."""
        catalogue = self.layout.catalogue
        if catalogue is not None and path == catalogue.file:
            return  # each pipeline depends on its own entry
        yield Node("file", path)
        if path.endswith(".py"):
            yield Node("part", path, WHOLE, entry)

    def _add_searched(self) -> None:
        """A folder in which files are looked up by name leads to those that nothing names."""
        named = {node.name for node in self.edges if node.kind == "file"}
        for node in [node for node in self.edges if node.kind == "search"]:
            unnamed = [path for path in self.files.below(node.name) if path not in named]
            self.edges[node] |= {Node("file", path) for path in unnamed if not self.layout.is_stated(path)}

    # ---------------------------------------------------------------- data

    def _add_lineage(self) -> None:
        edges: dict[Node, set[Node]] = defaultdict(set, self.edges)
        datasets = self._datasets(edges)
        writers: dict[str, set[str]] = defaultdict(set)
        runners = {id_ for project in self.projects for id_ in self.runs(project)}
        unlisted = {id_ for id_ in self.pipelines if id_ not in self.entries and id_ not in runners}
        for id_, entry in self.entries.items():
            for side in ("inputs", "outputs"):
                for dataset in _names(entry, side):
                    edges[Node("pipeline", id_)].add(Node("dataset", dataset))
                    if side == "inputs":
                        edges[Node("pipeline", id_)].add(Node("data", dataset))
                    else:
                        writers[dataset].add(id_)
                    datasets.add(dataset)
        for project, nodes in self.projects.items():
            datasets |= self._add_dbt(edges, project, nodes, datasets)
        for dataset in datasets:
            edges[Node("data", dataset)] |= {Node("pipeline", id_) for id_ in writers[dataset]}
            edges[Node("data", dataset)].add(Node("unlisted", "written"))
            edges[Node("unlisted", "read")] |= {Node("data", dataset), Node("dataset", dataset)}
        # What is not in the catalogue may read anything, and write anything.
        edges[Node("unlisted", "read")] |= {
            Node("unlisted", "written"),
            *(Node("dbt", each, ANY) for each in self.projects),
        }
        edges[Node("unlisted", "written")] |= {Node("pipeline", id_) for id_ in unlisted}
        for id_ in unlisted:
            edges[Node("pipeline", id_)].add(Node("unlisted", "read"))
        self.edges = dict(edges)

    def _datasets(self, edges: Edges) -> set[str]:
        """Contracts and schema files, each a dataset's."""
        found = set()
        for path in self.files.paths:
            dataset = self.layout.schema_of(path)
            if self.layout.is_contract(path):
                stated = re.search(r"^id:\s*['\"]?([^\s'\"#]+)", self.tree.text(path), re.MULTILINE)
                dataset = stated[1] if stated else path.rpartition("/")[2].rpartition(".")[0]
            if dataset:
                found.add(dataset)
                edges[Node("dataset", dataset)].add(Node("file", path))
        return found

    def _add_dbt(self, edges: Edges, project: str, nodes: dbt.Nodes, datasets: set[str]) -> set[str]:
        """The project's parts, what they read, and what reads them. Returns datasets that only the project knows."""
        own = set()
        edges[Node("dbt", project, ANY)] |= {Node("dbt", project, key) for key in nodes}
        for id_ in self.runs(project):
            edges[Node("pipeline", id_)].add(Node("dbt", project, ANY))
        for key, node in nodes.items():
            here = edges[Node("dbt", project, key)]
            here |= {Node("dbt", project, parent) for parent in node.parents}
            alike = {each for each in datasets if node.relation and _ends_with(each, node.relation)}
            here |= {Node("dataset", each) for each in alike}
            here |= {Node("data", each) for each in datasets if _is_in(each, node.code)}  # past source()
            if key.startswith("source."):
                own |= {node.relation} - alike if not alike else set()
                here |= {Node("data", each) for each in alike or {node.relation}}
            else:
                for each in alike:
                    edges[Node("data", each)].add(Node("dbt", project, key))
        return own


def _ends_with(dataset: str, relation: str) -> bool:
    return f".{dataset}".lower().endswith(f".{relation}".lower())


def _is_in(dataset: str, code: str) -> bool:
    """Whether code names the table of a dataset, with its schema."""
    table = ".".join(dataset.lower().split(".")[-2:])
    return "." in table and table in code.lower()


def _names(entry: Mapping[str, Any], side: str) -> list[str]:
    names = entry.get(side)
    return [str(each) for each in names] if isinstance(names, list) else [str(names)] if names else []


def _catalogue(tree: Tree, layout: Layout) -> tuple[dict[str, Mapping[str, Any]], str]:
    """The entries by id, and a text that tells all the rest of the file apart. Raises `InvalidCatalog`."""
    catalogue = layout.catalogue
    if catalogue is None or catalogue.file not in tree:
        return {}, ""
    try:
        content = yaml.load(tree.text(catalogue.file), LOADER)
        entries = {str(id_): entry or {} for id_, entry in content[catalogue.key].items()}
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise InvalidCatalog(
            f"{catalogue.file}: must map ids to pipelines below {catalogue.key!r}: {error!r}. Mend the file, or "
            "catalogue.key in testenv.yaml"
        ) from error
    if wrong := [id_ for id_, entry in entries.items() if not isinstance(entry, dict)]:
        raise InvalidCatalog(
            f"{catalogue.file}: {catalogue.key}.{wrong[0]}: must be a mapping, got {entries[wrong[0]]!r}"
        )
    return entries, repr({key: value for key, value in content.items() if key != catalogue.key})


def _dag_ids(content: bytes) -> set[str]:
    """The ids of a file's DAGs; an empty one where one is made up while the file runs."""
    # As Airflow does, by default: a file without both words is no DAG file.
    is_candidate = b"dag" in content.lower() and b"airflow" in content.lower()
    try:
        code = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return {""}
    ids: set[str] = set()
    for node in ast.walk(code):
        if isinstance(node, ast.FunctionDef):
            for each in node.decorator_list:
                if _called(each.func if isinstance(each, ast.Call) else each) == "dag":
                    ids.add(_stated(each if isinstance(each, ast.Call) else None, node.name))
        elif isinstance(node, ast.Call) and _called(node.func) == "DAG":
            ids.add(_stated(node, ""))
    return ids or ({""} if is_candidate else set())


def _called(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _stated(call: ast.Call | None, otherwise: str) -> str:
    """The id that a call states; empty where it is not a plain text."""
    if call is None:
        return otherwise
    stated = next((word.value for word in call.keywords if word.arg == "dag_id"), call.args[0] if call.args else None)
    if stated is None:
        return otherwise
    return stated.value if isinstance(stated, ast.Constant) and isinstance(stated.value, str) else ""
