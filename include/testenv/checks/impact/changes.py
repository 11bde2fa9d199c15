"""What a change changes: nodes of the graph, each with the file that it comes from; and files without any effect."""

from __future__ import annotations

from collections.abc import Container

from testenv.checks.impact import dbt
from testenv.checks.impact.graph import ANY, Graph, Node
from testenv.checks.impact.harmless import prose, same, same_yaml
from testenv.checks.impact.layout import FILE

EVERYTHING = Node("everything", "")
"""What all pipelines depend on."""

Sources = dict[Node, tuple[str, ...]]
"""Changed nodes, with the beginning of a chain: the file, and what else is to be said of it."""

_BY_ALL = {"sitecustomize.py", "usercustomize.py", "airflow_local_settings.py", "setup.py"}
"""Python that runs without being imported by anybody."""


class Changes:
    """From one graph to another. `paths` differ; `known` are the nodes on which something depends."""

    def __init__(self, before: Graph, after: Graph, paths: list[str], known: Container[Node]) -> None:
        self._before, self._after, self._known = before, after, known
        self._layout = after.layout
        self.sources: Sources = {}
        self.harmless: dict[str, str] = {}
        self._of_dbt = self._add_dbt(set(paths))
        for path in paths:
            if reason := self._proof(path):
                self.harmless[path] = reason
            else:
                self._add(path)

    def _add(self, path: str) -> None:
        catalogue = self._layout.catalogue
        if catalogue is not None and path == catalogue.file:
            self.sources |= dict.fromkeys(self._entries(), (path,))
        elif self._layout.is_everywhere(path) or path.rpartition("/")[2] in _BY_ALL:
            self.sources.setdefault(EVERYTHING, (path, "runs beside all pipelines"))
        elif Node("file", path) in self._known:
            self.sources[Node("file", path)] = (path,)
        elif self._layout.project_of(path):
            if path not in self._of_dbt:
                self.harmless[path] = "nothing that dbt builds differs for it"
        elif path.endswith(".py"):
            self.harmless[path] = "no pipeline imports or names it"
        else:
            self.sources.setdefault(EVERYTHING, (path, "nothing is known to read it, so anything may"))

    def _entries(self) -> list[Node]:
        """Changed entries of the catalogue; all of them if anything else in it changed."""
        one, other = self._before.entries, self._after.entries
        nodes = [Node("entry", id_) for id_ in sorted(one.keys() | other.keys()) if one.get(id_) != other.get(id_)]
        return nodes if self._before.rest == self._after.rest else [*nodes, Node("entry", ANY)]

    def _add_dbt(self, paths: set[str]) -> set[str]:
        """Changed parts of dbt projects. Returns their files."""
        explained: set[str] = set()
        for project, nodes in self._after.projects.items():
            earlier = self._before.projects[project]
            for key in dbt.modified(earlier, nodes):
                files = {file for each in (earlier, nodes) if key in each for file in each[key].files}
                explained |= files
                file = min(files & paths, default=f"dbt's manifest of {project}")
                self.sources[Node("dbt", project, key)] = (file,)
                if not self._after.runs(project) | self._before.runs(project):
                    self.sources[EVERYTHING] = (file, f"no pipeline is known to build {project}, so any may")
        return explained

    def _proof(self, path: str) -> str:
        """Why a changed file affects nothing, by itself; empty if it may."""
        layout, old, new = self._layout, self._before.tree, self._after.tree
        if layout.is_apart(path) and path != FILE:
            return f"{FILE} says that no pipeline depends on it"
        if prose(path) and not layout.project_of(path) and Node("file", path) not in self._known:
            return "it is for people alone"
        if path not in old or path not in new or old.target(path) or new.target(path) or layout.project_of(path):
            return ""
        one, other = old.read(path), new.read(path)
        if layout.is_contract(path) or path == FILE:
            return "only layout or comments of YAML" if same_yaml(one, other) else ""
        return same(path, one, other)
