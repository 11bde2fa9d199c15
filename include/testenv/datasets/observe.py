"""What production's stores have: paths and types, no values. What a store declares is asked of it; JSON is walked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from testenv.backends.aws import session_client, translate
from testenv.backends.errors import postgres_errors, snowflake_errors
from testenv.backends.postgres_server import query
from testenv.backends.snowflake import RAW, Account, identifier, literal, run
from testenv.config import Config
from testenv.core.contract import Contract, Contracts, Store
from testenv.core.drift import Observed
from testenv.datasets.feeds import parsed, records_of
from testenv.production import Production

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

LANDING = "landing/"

_DOCUMENTS = ("VARIANT", "OBJECT", "ARRAY")

_LONGEST_TEXT = 16_777_216
"""The length of a Snowflake VARCHAR that was declared without one."""

_COLUMNS = """
SELECT relname, attname, format_type(atttypid, atttypmod)
FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
ORDER BY relname, attnum
"""

_JSON_PATHS = """
WITH RECURSIVE node (path, value) AS (
    SELECT %s, {column}::jsonb FROM {table} WHERE {column} IS NOT NULL
    UNION ALL
    SELECT node.path || step, child
    FROM node, LATERAL (
        SELECT '.' || key, value
        FROM jsonb_each(CASE jsonb_typeof(node.value) WHEN 'object' THEN node.value ELSE '{{}}' END)
        UNION ALL
        SELECT '[]', value
        FROM jsonb_array_elements(CASE jsonb_typeof(node.value) WHEN 'array' THEN node.value ELSE '[]' END) AS value
    ) AS below (step, child)
)
SELECT DISTINCT path,
       CASE WHEN jsonb_typeof(value) = 'number' AND value::text !~ '[.]' THEN 'integer' ELSE jsonb_typeof(value) END
FROM node WHERE jsonb_typeof(value) NOT IN ('object', 'array')
"""
"""Paths and types of a column's documents. It runs where the documents are; no value leaves the server."""


@postgres_errors()
def postgres(production: Production) -> dict[str, Observed]:
    """Every table of the operational database, by contract id."""
    tables: dict[str, dict[str, str]] = defaultdict(dict)
    documents: dict[str, set[str]] = defaultdict(set)
    with closing(reader(production)) as connection:
        for table, column, type_ in query(connection, _COLUMNS):
            if type_ in ("json", "jsonb"):
                documents[table].add(column)
                tables[table] |= _json_paths(connection, table, column)
            else:
                tables[table][column] = type_
    return {f"{Store.POSTGRES}.{name}": Observed(types, frozenset(documents[name])) for name, types in tables.items()}


def reader(production: Production, statement_seconds: int = 600) -> Connection:
    """A connection to the operational database on which nothing can be written, and no statement takes longer."""
    import psycopg2

    limits = f"-c statement_timeout={statement_seconds}s -c lock_timeout=30s"
    options = f"-c default_transaction_read_only=on -c timezone=UTC {limits}"
    return psycopg2.connect(production.postgres_url, connect_timeout=10, options=options)


def _json_paths(connection: Connection, table: str, column: str) -> dict[str, str]:
    from psycopg2 import sql

    text = sql.SQL(_JSON_PATHS).format(column=sql.Identifier(column), table=sql.Identifier(table))
    found: dict[str, set[str]] = defaultdict(set)
    for path, type_ in query(connection, text, column):
        found[path].add(type_)
    return {path: one_type(types) for path, types in found.items()}


@snowflake_errors()
def snowflake(config: Config, production: Production, contracts: Contracts) -> dict[str, Observed]:
    """Every table of the schema that pipelines load, by contract id.

    What holds documents, by its type or by its contract, is read and walked here.
    """
    account = Account(replace(config, snowflake=production.snowflake))
    tables: dict[str, dict[str, str]] = defaultdict(dict)
    documents: dict[str, set[str]] = defaultdict(set)
    with account.control() as connection:
        columns = run(
            connection,
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE, CHARACTER_MAXIMUM_LENGTH "
            f'FROM "{production.snowflake_database}".INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = {literal(RAW)} '
            "ORDER BY TABLE_NAME, ORDINAL_POSITION",
        )
        for row in columns:
            table, column = row["TABLE_NAME"], row["COLUMN_NAME"]
            if row["DATA_TYPE"] in _DOCUMENTS or column in _nested(contracts.get(_id_of(table))):
                documents[table].add(column)
                found: dict[str, set[str]] = defaultdict(set)
                where = identifier(production.snowflake_database, RAW, table)
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT {identifier(column)} FROM {where}")
                    for (text,) in cursor:
                        walk(None if text is None else parsed(text), column, found)
                tables[table] |= {path: one_type(types) for path, types in found.items()}
            else:
                tables[table][column] = _snowflake_type(row)
    return {_id_of(name): Observed(types, frozenset(documents[name])) for name, types in tables.items()}


def _id_of(table: str) -> str:
    return f"{Store.SNOWFLAKE}.{RAW}.{table}"


def _nested(contract: Contract | None) -> set[str]:
    """Columns that hold documents by their contract."""
    return {field.column for field in contract.fields if field.path != field.column} if contract else set()


def _snowflake_type(column: Mapping[str, Any]) -> str:
    match column["DATA_TYPE"]:
        case "NUMBER":
            return f"NUMBER({column['NUMERIC_PRECISION']},{column['NUMERIC_SCALE']})"
        case "TEXT" if (length := column["CHARACTER_MAXIMUM_LENGTH"]) and length < _LONGEST_TEXT:
            return f"VARCHAR({length})"
        case other:
            return str(other)


@translate
def s3(config: Config, production: Production, contracts: Contracts) -> dict[str, Observed]:
    """Every feed of the landing zone, by contract id. Files that no contract's location has are a feed without one."""
    client = session_client("s3", config, production.aws)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=production.bucket, Prefix=LANDING)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    feeds = [contract for contract in contracts.values() if contract.store is Store.S3]
    found: dict[str, dict[str, set[str]]] = {}
    for key in keys:
        path = key.removeprefix(LANDING)
        contract = next((feed for feed in feeds if fnmatchcase(path, pattern(feed))), None)
        if contract is None:
            found.setdefault(f"{Store.S3}.{path.split('/')[0]}", {})
            continue
        body = client.get_object(Bucket=production.bucket, Key=key)["Body"].read()
        types = found.setdefault(contract.id, defaultdict(set))
        for record in filter(None, records_of(contract, body)):
            walk(record, "", types)
    return {
        id_: Observed({path: one_type(seen) for path, seen in types.items()}, frozenset(_columns(types)))
        for id_, types in found.items()
    }


def pattern(contract: Contract) -> str:
    return str(contract.options["location"]).replace("YYYY-MM-DD", "*")


def walk(value: Any, path: str, types: dict[str, set[str]]) -> None:
    """Add the JSON type of each leaf of `value` to `types`, by its path."""
    match value:
        case dict():
            for name, child in value.items():
                walk(child, f"{path}.{name}" if path else name, types)
        case list():
            for child in value:
                walk(child, f"{path}[]", types)
        case bool():
            types[path].add("boolean")
        case int():
            types[path].add("integer")
        case float():
            types[path].add("number")
        case str():
            types[path].add("string")
        case _:
            types[path].add("null")


def one_type(types: Iterable[str]) -> str:
    """What to call a path whose values are of `types`: all of them, where they are of several."""
    some = set(types) - {"null"} or {"null"}
    if "number" in some:
        some.discard("integer")
    return " or ".join(sorted(some))


def _columns(paths: Mapping[str, object]) -> Iterable[str]:
    return (path.replace("[]", "").split(".", 1)[0] for path in paths)
