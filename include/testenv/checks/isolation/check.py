"""The isolation check: code names nothing but what its environment gives it, and no run reached beyond it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from testenv.checks.impact.layout import Layout, read_layout
from testenv.checks.impact.trees import Tree as Files
from testenv.checks.isolation.code import Place, looked_at, places
from testenv.checks.isolation.names import REMEDIES, Known
from testenv.checks.isolation.writes import HISTORY, LIMIT, denied, disturbed, statements
from testenv.checks.protocol import Finding, Severity, Verdict, Where, Witness
from testenv.checks.release import Release, Trial
from testenv.core.contract import Contracts, Store
from testenv.core.errors import TestenvError

_NO_PIPELINES = {"tests", "test", "docs", "node_modules", "requirements"}


@dataclass
class IsolationCheck:
    """Hard-coded names in the tree, refusals and other databases in the trial, and the canary outside."""

    name: str = "isolation"

    def check(self, release: Release) -> Verdict:
        """The verdict."""
        base_files, head_files = release.base.files, release.head.files
        layout, known = read_layout(head_files), known_names(release)
        changed = [path for path in head_files if base_files.digest(path) != head_files.digest(path)]
        was, now = (_all_places(files, layout, known) for files in (base_files, head_files))
        findings = list(hard_coded(was, now))
        ran = [f"names in {path}" for path in changed if _is_code(path, layout)]
        emulated: tuple[str, ...] = ()
        if release.trial:
            ran.append("refusals that runs met")
            emulated = release.trial.record.emulated
            old = [place.name.partition(".")[0] for place in was if place.rule == "hard-coded-database"]
            findings += _of_trial(release.trial, known, old, ran)
        if release.canary:
            ran += [f"canary {name}" for name in release.canary.before]
            findings += disturbed(release.canary)
        return Verdict.of(self.name, findings, ran, emulated)


def known_names(release: Release) -> Known:
    """What the repository itself calls schemas and topics."""
    schemas: set[str] = set()
    topics: set[str] = set()
    for tree in (release.base, release.head):
        schemas |= _schemas(tree.contracts)
        topics |= {each.name for each in tree.contracts.values() if each.store is Store.KAFKA}
        nodes = (tree.manifest or {}).get("nodes", {})
        schemas |= {str(node["schema"]).upper() for node in nodes.values() if node.get("schema")}
    production = frozenset(each.upper() for each in release.production) | release.production
    return Known(frozenset(schemas), frozenset(topics), production)


def _schemas(contracts: Contracts) -> set[str]:
    return {each.name.partition(".")[0].upper() for each in contracts.values() if each.store is Store.SNOWFLAKE}


def _is_code(path: str, layout: Layout) -> bool:
    """Whether pipelines may run by the file; configuration of the repository itself is not theirs."""
    parts = path.split("/")
    hidden = any(part.startswith(".") or part in _NO_PIPELINES for part in parts)
    own = len(parts) == 1 and not path.endswith((".py", ".sql"))
    return looked_at(path) and not (hidden or own or layout.is_apart(path) or layout.is_contract(path))


def _all_places(files: Files, layout: Layout, known: Known) -> list[Place]:
    return [place for path in files if _is_code(path, layout) for place in places(path, files.text(path), known)]


def hard_coded(was: Iterable[Place], now: Iterable[Place]) -> Iterator[Finding]:
    """What head adds is breaking; what stood in base, in the same file or one that has none now, is a warning."""
    now = list(now)
    files = {place.file for place in now}
    old = {(place.file if place.file in files else "", place.rule, place.name) for place in was}
    for place in now:
        is_old = (place.file, place.rule, place.name) in old or ("", place.rule, place.name) in old
        at = f"{place.file}:{place.line}" if place.line else place.file
        yield Finding(
            rule=place.rule,
            severity=Severity.WARNING if is_old else Severity.BREAKING,
            what=f"{place.name} stands in the code" + (", as in base" if is_old else ""),
            where=Where(file=at),
            remedy=REMEDIES[place.rule],
            witness=Witness(kind="value", content=place.name, proved=True, how=f"line {place.line} of {place.file}"),
        )


def _of_trial(trial: Trial, known: Known, old: Iterable[str], ran: list[str]) -> Iterator[Finding]:
    env_id = trial.record.env_id
    yield from denied(trial.record.runs, env_id)
    try:
        rows = trial.query(HISTORY)
    except TestenvError as error:
        yield _unseen(f"Snowflake's query history cannot be read: {str(error)[:200]}")
        return
    ran.append("statements of the environment's user in Snowflake")
    if len(rows) >= LIMIT:
        yield _unseen(f"Snowflake's query history gives {LIMIT} statements, and there were more")
    yield from statements(rows, env_id, known, old)


def _unseen(what: str) -> Finding:
    return Finding(
        rule="history-not-read",
        severity=Severity.WARNING,
        what=what,
        where=Where(),
        remedy="Grants hold the environment's user in its own database; the history would only show its attempts",
        unsure=True,
    )
