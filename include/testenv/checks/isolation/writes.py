"""Where a trial's runs wrote, or tried to: what systems denied them, statements of the warehouse, and the canary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from testenv.checks.isolation import names
from testenv.checks.isolation.names import Known
from testenv.checks.protocol import Finding, Severity, Where, Witness
from testenv.checks.release import Canary
from testenv.checks.trial.record import Run
from testenv.core.naming import EnvId, Names, owner_of

LIMIT = 10_000
"""The most that Snowflake's history gives at once."""

HISTORY = (
    "SELECT QUERY_TEXT, DATABASE_NAME, EXECUTION_STATUS, ERROR_MESSAGE "
    f"FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(RESULT_LIMIT => {LIMIT}))"
)
"""Statements of the environment's own user."""

_DENIED = re.compile(
    r"AccessDenied(?:Exception)?|Access Denied|\bForbidden\b|is not authorized to perform|"
    r"Insufficient privileges|insufficient_?privilege|permission denied|"
    r"(?:TOPIC|GROUP|CLUSTER|TRANSACTIONAL_ID)_AUTHORIZATION_FAILED|\w*AuthorizationException|"
    r"Not authorized to access (?:topics?|group)|Broker: (?:Topic|Group|Cluster) authorization failed|"
    r"authentication failed|no pg_hba\.conf entry",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    r"(?P<kind>Database|Schema|Object|Table|View|Stage)\s+'(?P<name>[^']+)'\s+does not exist or not authorized",
    re.IGNORECASE,
)
_TARGET = re.compile(
    r"on (?:\w+ )?'(?P<quoted>[^']+)'|resource: \"?(?P<arn>arn:[^\s\"]+)|topics?: ?\[?(?P<topic>[\w.-]+)|"
    r"for (?:table|schema|database|relation|view|sequence|warehouse) \"?(?P<relation>[\w.-]+)|"
    r"bucket:? \"?(?P<bucket>[\w.-]+)|"
    r"s3[an]?://(?P<url>[\w./=-]+)",
    re.IGNORECASE,
)


def denied(runs: Iterable[Run], env_id: str) -> Iterator[Finding]:
    """Runs that a system refused something; once for a pipeline and thing. What base's runs met too is a warning."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        for how, target in refusals(run.error, env_id):
            found.setdefault((run.pipeline, how, target), []).append(run)
    for (pipeline, how, target), met in sorted(found.items()):
        old = any(run.side == "base" for run in met)
        dates = sorted({run.logical_date for run in met if run.side == "head"} or {run.logical_date for run in met})
        yield Finding(
            rule="denied",
            severity=Severity.WARNING if old else Severity.BREAKING,
            what=f"{pipeline} was refused {target or 'what it asked for'}: {how}" + (", at base too" if old else ""),
            where=Where(pipeline=pipeline),
            remedy="Write to and read from the environment's own, by its connections and variables alone",
            witness=Witness(kind="value", content=f"the run for {dates[0]}", proved=True, how="its error says so"),
        )


def refusals(error: str, env_id: str) -> Iterator[tuple[str, str]]:
    """Each refusal in an error: the system's words, and what it was about where they say."""
    own = Names(EnvId(env_id)).snowflake_database
    seen = set()
    for match in _HIDDEN.finditer(error):
        database = _database(match["kind"].lower(), match["name"])
        if database and database.upper() != own:
            seen.add(("does not exist or not authorized", match["name"]))
    if refused := _DENIED.search(error):
        around = error[max(0, refused.start() - 300) : refused.end() + 300]
        target = _TARGET.search(around)
        named = next((each for each in target.groups() if each), "") if target else ""
        seen.add((refused[0], _neutral(named, env_id)))
    yield from sorted(seen)


def _database(kind: str, name: str) -> str:
    """The database of a name that Snowflake hides; empty where it names none."""
    parts = name.replace('"', "").split(".")
    depth = {"database": 1, "schema": 2}.get(kind, 3)
    return parts[0] if len(parts) >= depth else ""


def _neutral(name: str, env_id: str) -> str:
    """The environment's own names without its id, so that a verdict is the same in every environment."""
    owner = owner_of(name)
    if owner is not None and str(owner) != env_id:
        return name
    for each in (env_id, env_id.replace("-", "_"), env_id.replace("-", "_").upper()):
        name = name.replace(each, "ENV")
    return name


# ---------------------------------------------------------------- the warehouse's history


def statements(rows: Iterable[Mapping[str, Any]], env_id: str, known: Known, old: Iterable[str]) -> Iterator[Finding]:
    """Databases other than the environment's that statements named or ran in; `old` are those that base names too."""
    own, before = Names(EnvId(env_id)).snowflake_database, {each.upper() for each in old}
    found: dict[str, str] = {}
    for row in rows:
        text = str(row.get("QUERY_TEXT") or "")
        for database in _databases(text, known):
            if database.upper() != own:
                found[database.upper()] = min(text, found.get(database.upper(), text))
        where = str(row.get("DATABASE_NAME") or own)
        if where.upper() != own:
            found.setdefault(where.upper(), text)
    for database, text in sorted(found.items()):
        yield Finding(
            rule="other-database",
            severity=Severity.WARNING if database in before else Severity.BREAKING,
            what=f"a statement of the trial named the database {database}, which is not the environment's",
            where=Where(),
            remedy=names.REMEDIES["hard-coded-database"],
            witness=Witness(kind="query", content=_shown(text, own), proved=True, how="Snowflake's query history"),
        )


def _databases(text: str, known: Known) -> Iterator[str]:
    for named in names.in_statement(names.without_comments(text), known):
        if named.rule == "hard-coded-database":
            yield named.name.partition(".")[0]


def _shown(text: str, own: str) -> str:
    return " ".join(text.split())[:300].replace(own, "ENV")


# ---------------------------------------------------------------- the canary


def disturbed(canary: Canary) -> Iterator[Finding]:
    """What is outside, and is not as it was before the trial."""
    for name in sorted(canary.before.keys() | canary.after.keys()):
        was, now = canary.before.get(name), canary.after.get(name)
        if was != now:
            how = "is gone" if now is None else "is new" if was is None else "is not what it was before the trial"
            yield Finding(
                rule="canary-changed",
                severity=Severity.BREAKING,
                what=f"{name} lies outside of the environment, and {how}",
                where=Where(dataset=name),
                remedy="Find which run wrote it (Snowflake's query history, S3's and Kafka's logs), and restore it",
            )
