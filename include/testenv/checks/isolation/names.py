"""What a pipeline may not name in its code, and how such a name is known."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from testenv.core.naming import owner_of


@dataclass(frozen=True)
class Named:
    """A name that stands in the code: the rule that it breaks, and what is there."""

    rule: str
    name: str


@dataclass(frozen=True)
class Known:
    """What names there are in the repository: its schemas, by which databases are told; and production's own."""

    schemas: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    production: frozenset[str] = frozenset()


REMEDIES = {
    "hard-coded-database": "Leave the database out: the connection has it (dbt: source() or ref(); the profile has it)",
    "hard-coded-bucket": "Take the folder from a variable: {{ var.value.lake_url }}, {{ var.value.landing_url }}",
    "hard-coded-topic": "Put {{ var.value.topic_prefix }} before it, or take it as an argument",
    "hard-coded-host": "Take host and port from an Airflow connection or a secret",
    "hard-coded-account": "Take the account, role or queue from a variable",
    "hard-coded-credentials": "Put it into an Airflow connection, and change it: it is known now",
    "hard-coded-environment": "Take the name from a variable: another environment's is not there",
    "production-name": "Take the name from a connection or variable: in production it will be this one",
    "hard-coded-warehouse": "Leave it out: the connection has it",
}

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\$\{.*?\}", re.DOTALL)
_HOLE = "\x00"
"""Stands where a template puts something in."""

_URL = re.compile(r"\b(?P<scheme>s3[an]?)://(?P<bucket>[^/\s'\"\x00{}<>]+)", re.IGNORECASE)
_LOGIN = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\x00]+:(?P<secret>[^\s/@\x00]+)@", re.IGNORECASE)
_HOST = re.compile(
    r"(?<![\w.@/-])(?P<host>(?:[a-z0-9_-]+\.)+(?:com|net|org|io|cloud|example|internal|local|eu|de)|"
    r"(?:\d{1,3}\.){3}\d{1,3}|localhost)(?P<port>:\d{2,5})",
    re.IGNORECASE,
)
_SERVICE = re.compile(
    r"(?:[a-z0-9_-]+\.)+(?:amazonaws\.com|snowflakecomputing\.com|rds\.[a-z0-9.-]+|kafka\.[a-z0-9.-]+\.com)(?::\d+)?",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\b(?:jdbc:)?(?:postgres(?:ql)?(?:\+\w+)?|mysql|snowflake|kafka|redis|https?)://(?P<rest>[^\s'\"]+)", re.I
)
_ACCOUNT = re.compile(
    r"\barn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(?P<id>\d{12}):|(?<=sqs\.)[a-z0-9.-]+/(?P<other>\d{12})/"
)
_SECRETS = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DOCS = ("docs.", "www.", "schemas.", "json-schema.org", "spdx.org", "github.com")


def open_text(text: str) -> str:
    """Text without templates: what they put in comes from elsewhere."""
    return _TEMPLATE.sub(_HOLE, text)


def in_text(text: str, known: Known) -> Iterator[Named]:
    """Names in any text of code that is not a comment."""
    plain = open_text(text)
    for match in _URL.finditer(plain):
        yield Named("hard-coded-bucket", match[0])
    if _LOGIN.search(plain):
        yield Named("hard-coded-credentials", _LOGIN.sub(lambda m: m[0].replace(m["secret"], "…"), plain).strip()[:80])
    elif secret := _SECRETS.search(plain):
        yield Named("hard-coded-credentials", secret[0][:4] + "…")
    for match in (*_HOST.finditer(plain), *_SERVICE.finditer(plain), *_addresses(plain)):
        yield Named("hard-coded-host", _without_login(match[0]))
    for match in _ACCOUNT.finditer(plain):
        yield Named("hard-coded-account", match["id"] or match["other"])
    words = {match[0].rstrip(".") for match in _WORD.finditer(plain)}
    for word in sorted(words):
        if owner_of(word):
            yield Named("hard-coded-environment", word)
    yield from _of_production(words, known.production)


def _addresses(text: str) -> Iterator[re.Match[str]]:
    for match in _ADDRESS.finditer(text):
        rest = match["rest"].rpartition("@")[2]
        if not rest.startswith((_HOLE, *_DOCS)):
            yield match


def _without_login(text: str) -> str:
    return _LOGIN.sub(lambda match: match[0].replace(match["secret"], "…"), text).replace(_HOLE, "…")


def _of_production(words: Collection[str], production: Collection[str]) -> Iterator[Named]:
    """Names that are production's, as whole words; short ones are words of every day, and need more (`in_sql`)."""
    for name in sorted(production):
        distinct = any(not char.isalpha() for char in name)
        if distinct and any(word.lower() == name.lower() for word in words):
            yield Named("production-name", name)


_ARGUMENT = re.compile(r"\b(?P<key>\w+)\s*=\s*(?P<quote>['\"])(?P<value>.*?)(?P=quote)")


def templates(text: str) -> list[str]:
    """The templates in a text, but for comments."""
    return [match[0] for match in _TEMPLATE.finditer(re.sub(r"\{#.*?#\}", " ", text, flags=re.DOTALL))]


def arguments(template: str) -> Iterator[tuple[str, str]]:
    """Arguments of its calls that are texts."""
    return ((match["key"], match["value"]) for match in _ARGUMENT.finditer(template))


# ---------------------------------------------------------------- SQL

_COMMENT = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)
_PART = r'(?:"[^"]+"|[A-Za-z_\x00][\w$\x00]*)'
_THREE = re.compile(rf"(?<![\w.\"@$])(?P<database>{_PART})\s*\.\s*(?P<schema>{_PART})?\s*\.\s*(?P<name>{_PART})")
_USE = re.compile(
    rf"\b(?:USE|CREATE|DROP|ALTER|UNDROP)\s+(?:OR\s+REPLACE\s+)?(?:TRANSIENT\s+)?(?P<kind>DATABASE|WAREHOUSE|ROLE|ACCOUNT)\s+"
    rf"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?P<name>{_PART})",
    re.IGNORECASE,
)
_INTO = re.compile(
    rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|VIEW|USING|LIKE|CLONE)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?@?(?P<database>{_PART})\s*\."
    rf"\s*(?P<schema>{_PART})?\s*\.\s*{_PART}",
    re.IGNORECASE,
)
_OF_EVERY = {"INFORMATION_SCHEMA", "SNOWFLAKE"}
_STATEMENT = re.compile(
    r"\b(?:SELECT|INSERT\s+INTO|MERGE\s+INTO|UPDATE|DELETE\s+FROM|CREATE|DROP|ALTER|TRUNCATE|COPY\s+INTO|USE|GRANT|WITH)\b",
    re.IGNORECASE,
)


def is_sql(text: str) -> bool:
    """Whether a text of code is a statement."""
    return bool(
        re.match(rf"\s*(?:BEGIN\s*;\s*)?{_STATEMENT.pattern}", open_text(without_comments(text)), re.IGNORECASE)
    )


def without_comments(text: str) -> str:
    """SQL without comments."""
    return _COMMENT.sub(lambda match: match[0] if match[0].startswith("'") else " ", text)


def in_sql(text: str, known: Known) -> Iterator[Named]:
    """Names in SQL: databases before a schema, and what a session is told to use."""
    plain = open_text(without_comments(text))
    yield from in_text(plain, known)
    yield from in_statement(plain, known)


def in_statement(plain: str, known: Known) -> Iterator[Named]:
    """What SQL without comments and templates names as objects."""
    bare = re.sub(r"'(?:[^']|'')*'", "''", plain)
    for match in _USE.finditer(bare):
        kind, name = match["kind"].upper(), _unquoted(match["name"])
        if _HOLE not in name:
            rule = {"DATABASE": "hard-coded-database", "WAREHOUSE": "hard-coded-warehouse"}.get(
                kind, "hard-coded-account"
            )
            yield Named(rule, name)
    seen: set[str] = set()
    for match in (*_INTO.finditer(bare), *_THREE.finditer(bare)):
        database, schema = _unquoted(match["database"]), _unquoted(match["schema"] or "PUBLIC")
        certain = match.re is _INTO or schema.upper() in known.schemas or database.upper() in known.production
        if certain and _HOLE not in database and database.upper() not in _OF_EVERY and database not in seen:
            seen.add(database)
            yield Named("hard-coded-database", f"{database}.{schema}")


def _unquoted(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name
