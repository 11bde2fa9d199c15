"""A dbt project as a graph: what there is, what tells its versions apart, what each part is made from.

From dbt's manifest where there is one; else from the project's files, by their `ref()`, `source()` and macros.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from testenv.checks.impact.harmless import LOADER, sql
from testenv.checks.impact.trees import Tree

PROJECT = "project"
"""The part that all others are made from: settings, and files of a kind that is not known here."""

BUILT = ("model", "seed", "snapshot")

_REF = re.compile(r"\bref\s*\(\s*(?:['\"]\w+['\"]\s*,\s*)?['\"](\w+)['\"]")
_SOURCE = re.compile(r"\bsource\s*\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]")
_MACRO = re.compile(r"\{%-?\s*(?:macro|test|materialization)\s+(\w+)")
_WORD = re.compile(r"\w+")
_FOLDERS = {"models": "model", "snapshots": "snapshot", "seeds": "seed", "tests": "test", "macros": "macro"}
_SECTIONS = {"models": "model", "snapshots": "snapshot", "seeds": "seed", "macros": "macro"}
_SHOWN = {"description", "docs"}


@dataclass
class Node:
    """A part of a project. `parents` are keys of others; `relation` is `SCHEMA.TABLE` of a source, `NAME` of a model.

    `code` is its text, `said` what properties files say of it.
    """

    content: list[str] = field(default_factory=list)
    parents: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    relation: str = ""
    code: str = ""
    said: str = ""

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(
            json.dumps([sorted(self.content), sorted(self.parents), self.relation]).encode()
        ).hexdigest()


Nodes = dict[str, Node]
"""By key: `model.NAME`, `source.SOURCE.TABLE`, `macro.NAME`, and `project`."""


def modified(base: Nodes, head: Nodes) -> list[str]:
    """Keys of what differs, or what only one of them has; in order."""
    keys = base.keys() | head.keys()
    return sorted(k for k in keys if k not in base or k not in head or base[k].fingerprint != head[k].fingerprint)


# ---------------------------------------------------------------- from dbt's manifest


def from_manifest(manifest: Mapping[str, Any], tree: Tree, folder: str) -> Nodes:
    """The graph as dbt's `manifest.json` has it. Settings of the project and its profile are read from its files."""
    nodes: Nodes = {PROJECT: Node()}
    for path in tree:
        if path.startswith(f"{folder}/") and path[len(folder) + 1 :] in _SETTINGS:
            nodes[PROJECT].content.append(f"{path} {tree.digest(path)}")
            nodes[PROJECT].files.add(path)
    own = (manifest.get("metadata") or {}).get("project_name", "")

    def key(unique_id: str) -> str:
        kind, package, name = unique_id.split(".", 2)
        return f"{kind}.{name}" if package == own else unique_id

    known = {**manifest.get("nodes", {}), **manifest.get("sources", {}), **manifest.get("unit_tests", {})}
    for unique_id, each in known.items():
        depends = each.get("depends_on") or {}
        node = nodes[key(unique_id)] = Node(
            content=[json.dumps(_telling(each), sort_keys=True, default=str)],
            parents={key(one) for kind in ("nodes", "macros") for one in depends.get(kind) or []} | {PROJECT},
            files={f"{folder}/{each['original_file_path']}"} if each.get("original_file_path") else set(),
            code=each.get("raw_code") or "",
        )
        if each.get("resource_type") == "source":
            node.relation = f"{each.get('schema') or each['source_name']}.{each.get('identifier') or each['name']}"
        elif each.get("resource_type") in BUILT:
            node.relation = each["name"]
        if each.get("patch_path"):
            node.files.add(f"{folder}/{each['patch_path'].partition('://')[2]}")
    macros = manifest.get("macros", {})
    for unique_id, macro in macros.items():
        parents = {key(one) for one in (macro.get("depends_on") or {}).get("macros") or []}
        nodes[key(unique_id)] = Node([macro.get("macro_sql", "")], parents, {f"{folder}/{macro['original_file_path']}"})
    _overriding(nodes, {key(each) for each in macros})
    return nodes


_SETTINGS = {"dbt_project.yml", "profiles.yml", "packages.yml", "dependencies.yml", "package-lock.yml", "selectors.yml"}


_COMPARED = (
    "alias", "schema", "identifier", "contract", "constraints", "access", "version", "freshness", "loaded_at_field",
)  # fmt: skip
_TESTED = ("given", "expect", "overrides", "test_metadata")


def _telling(node: Mapping[str, Any]) -> dict[str, Any]:
    """What of a manifest's node tells two versions apart, as in dbt's own `state:modified`; not its database."""
    columns = {
        name: {key: column.get(key) for key in ("name", "data_type", "constraints", "quote")}
        for name, column in (node.get("columns") or {}).items()
    }
    settings = node.get("unrendered_config") or node.get("config") or {}
    config = {name: value for name, value in settings.items() if name not in ("description", "meta", "docs", "tags")}
    checksum = node.get("checksum") or node.get("raw_code")
    stated = {name: node[name] for name in (*_COMPARED, *_TESTED) if node.get(name) is not None}
    return {"checksum": checksum, "columns": columns, "config": config, **stated}


# ---------------------------------------------------------------- from its files


def from_files(tree: Tree, folder: str) -> Nodes:
    """The graph as the project's files have it. What is not understood is a setting of the whole project."""
    nodes: Nodes = {PROJECT: Node()}
    names = [path[len(folder) + 1 :] for path in tree if path.startswith(f"{folder}/")]
    # A description may be written to the database, and then it is more than words.
    texts = [tree.text(f"{folder}/{name}") for name in names if name.endswith((".yml", ".yaml", ".sql"))]
    shown = set() if any("persist_docs" in text for text in texts) else _SHOWN
    for name in names:
        if name.endswith((".yml", ".yaml")) and name not in _SETTINGS:
            _read_properties(nodes, tree, f"{folder}/{name}", shown)
        else:
            _read_code(nodes, tree, f"{folder}/{name}", name)
    _link(nodes)
    return nodes


def _read_code(nodes: Nodes, tree: Tree, path: str, name: str) -> None:
    top, _, last = name.partition("/")
    stem, _, ending = last.rpartition("/")[2].rpartition(".")
    kind, text = _FOLDERS.get(top, ""), tree.text(path)
    keys = [f"{kind}.{stem}"]
    if kind == "macro" or (kind == "test" and last.startswith("generic/")):
        keys = [f"macro.{each}" for each in _MACRO.findall(text)]
    fits = ending == "sql" or (kind, ending) in (("model", "py"), ("seed", "csv"))
    if not kind or not fits or not keys or (kind == "snapshot" and "{% snapshot" in text):
        keys = [PROJECT]
    tokens = sql(tree.read(path)) if ending == "sql" else None
    for key in keys:
        node = nodes.setdefault(key, Node())
        node.content.append(json.dumps(tokens) if tokens is not None else tree.digest(path))
        node.files.add(path)
        node.code += text
        if key.partition(".")[0] in BUILT:
            node.relation = stem


def _read_properties(nodes: Nodes, tree: Tree, path: str, shown: set[str]) -> None:
    """Each entry of a properties file belongs to what it names; all else in it, to the whole project."""

    def add(key: str, entry: Any, relation: str = "") -> Node:
        node = nodes.setdefault(key, Node())
        node.said += (text := json.dumps(entry, default=str))
        node.content.append(text)
        node.files.add(path)
        node.relation = relation or node.relation
        return node

    try:
        for section, entries in dict(yaml.load(tree.text(path), LOADER) or {}).items():
            if section == "sources":
                for source in entries:
                    rest = {name: each for name, each in source.items() if name != "tables"}
                    for table in source.get("tables") or []:
                        relation = (
                            f"{source.get('schema') or source['name']}.{table.get('identifier') or table['name']}"
                        )
                        add(f"source.{source['name']}.{table['name']}", _without([rest, table], shown), relation)
            elif section == "unit_tests":
                for entry in entries:
                    add(f"unit_test.{entry['name']}", entry).parents.add(f"model.{entry['model']}")
            elif kind := _SECTIONS.get(section, ""):
                for entry in entries:
                    relation = entry["name"] if kind in BUILT else ""
                    add(f"{kind}.{entry['name']}", _without(entry, shown), relation)
            elif section != "version":
                add(PROJECT, {section: entries})
    except (yaml.YAMLError, TypeError, KeyError, ValueError, AttributeError):
        nodes[PROJECT].content.append(tree.digest(path))
        nodes[PROJECT].files.add(path)


def _link(nodes: Nodes) -> None:
    """Parents of each part: what it refers to, reads from, and the macros whose names stand in it."""
    built = {key.partition(".")[2]: key for key in nodes if key.partition(".")[0] in BUILT}
    macros = {key.partition(".")[2]: key for key in nodes if key.startswith("macro.")}
    for key, node in nodes.items():
        if key == PROJECT:
            continue
        said = node.said.replace('\\"', '"')
        # What a model's properties refer to, its tests compare it with: it is not made from that.
        names = _REF.findall(node.code if key.startswith("model.") else node.code + said)
        node.parents |= {built[name] for name in names if name in built}
        node.parents |= {f"source.{source}.{table}" for source, table in _SOURCE.findall(node.code + said)}
        words = set(_WORD.findall(node.code + said))
        for name, macro in macros.items():
            # A test `unique` is the macro test_unique; a dispatched macro is called without its adapter's name.
            if words & {name, name.removeprefix("test_"), name.partition("__")[2]}:
                node.parents.add(macro)
        node.parents.discard(key)
        if not key.startswith("macro."):
            node.parents.add(PROJECT)
    _overriding(nodes, set(macros.values()))


def _overriding(nodes: Nodes, macros: set[str]) -> None:
    """A macro that nothing calls may take the place of one of dbt's own, which all models call."""
    called = {parent for node in nodes.values() for parent in node.parents}
    nodes[PROJECT].parents |= macros - called - {PROJECT}


def _without(value: Any, shown: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(each, shown) for key, each in value.items() if key not in shown}
    return [_without(each, shown) for each in value] if isinstance(value, list) else value
