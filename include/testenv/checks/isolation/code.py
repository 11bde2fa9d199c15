"""Hard-coded names in the files of a tree: each file by its kind, each name with the line that it stands in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testenv.checks.isolation import names
from testenv.checks.isolation.names import Known, Named

_CREDENTIALS = {
    "password",
    "passwd",
    "secret",
    "aws_secret_access_key",
    "private_key",
    "token",
    "api_key",
    "passphrase",
}
_DATABASES = {"database", "catalog", "dbname", "snowflake_database", "target_database"}
_WAREHOUSES = {"warehouse", "snowflake_warehouse"}
_BUCKETS = {
    "bucket",
    "bucket_name",
    "s3_bucket",
    "dest_bucket_name",
    "source_bucket_name",
    "dest_bucket",
    "source_bucket",
}
_HOSTS = {"host", "hostname", "bootstrap_servers", "bootstrap.servers", "kafka.bootstrap.servers", "endpoint_url"}
_TOPICS = {"topic", "topics", "subscribe", "subscribepattern", "kafka_topic"}
_ACCOUNTS = {"account", "account_id", "aws_account_id", "role_arn"}
_RULES: dict[str, str] = {
    **dict.fromkeys(_CREDENTIALS, "hard-coded-credentials"),
    **dict.fromkeys(_DATABASES, "hard-coded-database"),
    **dict.fromkeys(_WAREHOUSES, "hard-coded-warehouse"),
    **dict.fromkeys(_BUCKETS, "hard-coded-bucket"),
    **dict.fromkeys(_HOSTS, "hard-coded-host"),
    **dict.fromkeys(_TOPICS, "hard-coded-topic"),
    **dict.fromkeys(_ACCOUNTS, "hard-coded-account"),
}
_SPARK_SUBSCRIPTIONS = {"subscribe", "subscribepattern"}


@dataclass(frozen=True, order=True)
class Place:
    """A name in a file. `line` counts from 1; what is the same but for its line is one finding."""

    file: str
    rule: str
    name: str
    line: int = 0


def looked_at(path: str) -> bool:
    """Whether a file is of a kind that is looked into."""
    return path.endswith((".py", ".sql", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".json", ".jinja", ".j2"))


def places(path: str, text: str, known: Known) -> list[Place]:
    """Every name that stands in the file, once."""
    found: dict[tuple[str, str], int] = {}
    for named, line in _in_file(path, text, known):
        found.setdefault((named.rule, named.name), line)
    return sorted(Place(path, rule, name, line) for (rule, name), line in found.items())


def _in_file(path: str, text: str, known: Known) -> Iterator[tuple[Named, int]]:
    if path.endswith(".py"):
        yield from _in_python(text, known)
    elif path.endswith((".sql", ".jinja", ".j2")):
        found = [*names.in_sql(text, known), *_in_config_calls(text)]
        yield from ((named, _line(text, named.name)) for named in found)
    elif path.endswith((".yaml", ".yml")):
        yield from _in_yaml(text, known)
    else:
        yield from ((named, _line(text, named.name)) for named in names.in_text(text, known))


def _line(text: str, name: str) -> int:
    at = text.upper().find(name.split("…")[0].partition(".")[0].upper())
    return text.count("\n", 0, at) + 1 if at >= 0 else 0


# ---------------------------------------------------------------- Python


def _in_python(text: str, known: Known) -> Iterator[tuple[Named, int]]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return  # it runs nowhere, and those who import it say so
    documentation = set(_documentation(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in documentation:
            said = _text(node)
            if said is not None:
                yield from ((named, node.lineno) for named in _in_string(said, known))
        yield from ((named, line) for named, line in _keyed(node))


def _documentation(tree: ast.AST) -> Iterator[ast.AST]:
    """Texts that do nothing, and the parts of f-strings, which are looked at as wholes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield from node.values
        elif isinstance(node, ast.keyword) and node.arg in ("doc_md", "description", "help"):
            yield node.value


def _text(node: ast.AST) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            parts = [each.value if isinstance(each, ast.Constant) else "\x00" for each in values]
            return "".join(map(str, parts)).replace("{\x00}", "\x00")
    return None


def _in_string(text: str, known: Known) -> Iterator[Named]:
    if names.is_sql(text):
        yield from names.in_sql(text, known)
        return
    yield from names.in_text(text, known)
    # A table by its whole name, as connectors and Spark take it.
    parts = names.open_text(text).split(".")
    if len(parts) == 3 and parts[1].upper() in known.schemas and all(each.isidentifier() for each in parts):
        yield Named("hard-coded-database", f"{parts[0]}.{parts[1]}")


def _keyed(node: ast.AST) -> Iterator[tuple[Named, int]]:
    """`bucket="…"`, `{"subscribe": "…"}`, `options["…"] = "…"`, `.option("…", "…")`, `BUCKET = "…"`."""
    for key, value in _pairs(node):
        said = _text(value)
        if said and (named := _of_key(key, said)):
            yield named, value.lineno


def _pairs(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.keyword(arg=str(name), value=value):
            yield name, value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                match target:
                    case ast.Name(id=name):
                        yield name, value
                    case ast.Subscript(slice=ast.Constant(value=str(name))):
                        yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.Call(
            func=ast.Attribute(attr="option" | "config" | "set"), args=[ast.Constant(value=str(name)), value]
        ):
            yield name, value


def _of_key(key: str, value: str) -> Named | None:
    """A literal where a name belongs that differs from environment to environment."""
    key = key.lower()
    rule = _RULES.get(key)
    plain = names.open_text(value)
    if (
        rule is None
        or plain.lower() in _RULES
        or "\x00" in plain
        or not plain.strip()
        or plain.lower() in ("none", "null")
    ):
        return None
    if rule == "hard-coded-topic" and key not in _SPARK_SUBSCRIPTIONS:
        return None  # the estate's own functions take topics by their short names
    if rule == "hard-coded-host" and "." not in plain and ":" not in plain and plain != "localhost":
        return None
    if rule == "hard-coded-account" and not any(char.isdigit() for char in plain):
        return None
    return Named(rule, "…" if rule == "hard-coded-credentials" else plain[:80])


# ---------------------------------------------------------------- dbt and YAML


def _in_config_calls(text: str) -> Iterator[Named]:
    """`{{ config(database='…') }}` in a model."""
    for template in names.templates(text):
        for key, value in names.arguments(template):
            if key in _DATABASES | _WAREHOUSES and (named := _of_key(key, value)):
                yield named


def _in_yaml(text: str, known: Known) -> Iterator[tuple[Named, int]]:
    import yaml

    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, RecursionError):
        documents = [text]
    for key, value in _leaves(documents, ""):
        found = [*names.in_text(value, known)]
        if named := _of_key(key.removeprefix("+").removeprefix("snowflake_"), value):
            found.append(named)
        yield from ((named, _line(text, named.name)) for named in found)


def _leaves(node: Any, key: str) -> Iterator[tuple[str, str]]:
    match node:
        case dict():
            for name, value in node.items():
                if name not in ("description", "purpose", "doc_md"):
                    yield from _leaves(value, str(name))
        case list():
            for value in node:
                yield from _leaves(value, key)
        case str():
            yield key, node
