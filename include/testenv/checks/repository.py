"""Reading the repository under test at both sides of a change: what it affects, contracts, dbt's manifests.

What reads the code of a pull request runs none of it here, but for dbt's Jinja, in a process that sees no settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from testenv.checks.impact import Layout, Tree, read_layout, select, tree_at, write
from testenv.checks.impact.layout import below
from testenv.checks.report.model import Choice
from testenv.core.contract import Contracts
from testenv.core.errors import InvalidCatalog, TestenvError
from testenv.core.pipelines import Pipelines, load_pipelines
from testenv.datasets.contracts import load_contracts

SIDES = ("base", "head")

Parse = Callable[[Path], dict[str, Any]]
"""dbt's manifest of the project in a folder. Raises `Failed`."""


@dataclass(frozen=True)
class Reading:
    """What was read. `checks` are those that either side states; contracts, catalogues and manifests are by side.

    There are manifests only where the dbt project differs: else neither the selection nor a check learns from them.
    """

    choice: Choice
    checks: Mapping[str, str]
    contracts: Mapping[str, Contracts]
    manifests: Mapping[str, Mapping[str, Any]]
    contracts_at: str
    pipelines: Mapping[str, Pipelines]
    batches: tuple[str, ...]


def read_repository(repo: Path, base: str, head: str, parse: Parse) -> Reading:
    """Both sides of `repo`. Raises errors of `testenv.core.errors` that say which side cannot be read, and why."""
    trees = {"base": tree_at(repo, base), "head": tree_at(repo, head)}
    layouts = {side: _layout(side, trees[side]) for side in SIDES}
    layout = layouts["head"]
    with TemporaryDirectory(prefix="testenv-verdict-") as folder:
        for side in SIDES:
            write(trees[side], Path(folder, side))
        contracts = _contracts(trees, layouts, Path(folder))
        pipelines = {side: _pipelines(side, Path(folder, side), layouts[side], contracts[side]) for side in SIDES}
        manifests = _manifests(trees, layout, Path(folder), parse)
    selection = select(trees["base"], trees["head"], layout, manifests["base"], manifests["head"])
    return Reading(
        choice=Choice.of(selection),
        checks={**layouts["head"].checks, **layouts["base"].checks},  # what base states, a change cannot take away
        contracts=contracts,
        manifests={side: next(iter(each.values())) for side, each in manifests.items() if each},
        contracts_at=layout.contracts[0] if layout.contracts else "",
        pipelines=pipelines,
        batches=layout.batches,
    )


def _layout(side: str, tree: Tree) -> Layout:
    try:
        return read_layout(tree)
    except TestenvError as error:
        raise InvalidCatalog(f"{side}: {error}") from error


def _contracts(trees: Mapping[str, Tree], layouts: Mapping[str, Layout], folder: Path) -> dict[str, Contracts]:
    """Contracts by side. Reading them takes seconds, so where they are the same files they are read once."""
    places = {side: layouts[side].contracts[0] if layouts[side].contracts else "" for side in SIDES}
    found = {"base": _contracts_of("base", folder / "base", layouts["base"])}
    same = places["base"] == places["head"] and len({_digest(trees[side], places[side]) for side in SIDES}) == 1
    found["head"] = found["base"] if same else _contracts_of("head", folder / "head", layouts["head"])
    return found


def _contracts_of(side: str, root: Path, layout: Layout) -> Contracts:
    """The contracts of the folder that the layout names; none where it names none."""
    if not layout.contracts:
        return {}
    try:
        return load_contracts(root / layout.contracts[0])
    except InvalidCatalog as error:
        raise InvalidCatalog(f"{side}: {error}") from error


def _pipelines(side: str, root: Path, layout: Layout, contracts: Contracts) -> Pipelines:
    """The catalogue that the layout names; none where it names none."""
    if layout.catalogue is None:
        return {}
    try:
        return load_pipelines(contracts, root / layout.catalogue.file)
    except InvalidCatalog as error:
        raise InvalidCatalog(f"{side}: {error}") from error


def _manifests(
    trees: Mapping[str, Tree], layout: Layout, folder: Path, parse: Parse
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """dbt's manifests by side and project, of the projects that both sides have and that differ."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {side: {} for side in SIDES}
    for project in (each.project for each in layout.dbt):
        digests = {side: _digest(trees[side], project) for side in SIDES}
        if not all(digests.values()) or digests["base"] == digests["head"]:
            continue
        for side in SIDES:
            try:
                found[side][project] = parse(folder / side / project)
            except TestenvError as error:
                raise type(error)(f"{side}: {project}: {error}") from error
    return found


def _digest(tree: Tree, project: str) -> str:
    """What tells two versions of a dbt project apart; empty where there is none."""
    files = [f"{path} {tree.digest(path)}" for path in tree if below(path, project)]
    return hashlib.sha256("\n".join(files).encode()).hexdigest() if files else ""
