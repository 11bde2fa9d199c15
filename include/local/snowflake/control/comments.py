"""COMMENT ON a table, view, schema or column, and ALTER TABLE … COMMENT, which dbt's persist_docs uses."""

import re

from local.snowflake import comments, privileges
from local.snowflake.control.statement import control
from local.snowflake.cursor import SUCCESS, Cursor
from local.snowflake.names import IDENTIFIER, STRING, fold, literal, quote, split, unquote_string
from local.snowflake.privileges import Need

_EXT = "_fs_global._fs_information_schema._fs_tables_ext"
_COLUMN = re.compile(rf"(?:COLUMN\s+)?({IDENTIFIER})\s+COMMENT\s+({STRING})", re.I | re.S)


def on_relation(cursor: Cursor, match: re.Match[str]) -> str:
    session = cursor.session
    name = session.qualify(match["name"])
    privileges.require(Need(("OWNERSHIP",), "TABLE", name), session)
    kind = "VIEW" if session.engine.catalog.grants.kind_of(name) == "VIEW" else "TABLE"
    session.engine.catalog.rows(
        f"DELETE FROM {_EXT} WHERE (ext_table_catalog, ext_table_schema, ext_table_name) = (?, ?, ?)", [*name]
    )
    cursor.query(f"COMMENT ON {kind} {quote(*name)} IS {literal(unquote_string(match['comment']))}")
    return SUCCESS


def on_column(cursor: Cursor, match: re.Match[str]) -> str:
    *table, column = split(match["name"])
    name = cursor.session.complete(table, 3)
    return _comment_columns(cursor, name, [(column, unquote_string(match["comment"]))])


def on_columns(cursor: Cursor, match: re.Match[str]) -> str:
    found = [(fold(column), unquote_string(text)) for column, text in _COLUMN.findall(match["columns"])]
    return _comment_columns(cursor, cursor.session.qualify(match["name"]), found)


def _comment_columns(cursor: Cursor, name: tuple[str, ...], found: list[tuple[str, str]]) -> str:
    privileges.require(Need(("OWNERSHIP",), "TABLE", name), cursor.session)
    comments.put(cursor._duck_conn, name, found)
    return SUCCESS


_COLUMN_NAME = rf"{IDENTIFIER}(?:\.{IDENTIFIER}){{1,3}}"
STATEMENTS = (
    control("COMMENT [IF EXISTS] ON TABLE|VIEW|(?:DYNAMIC\\s+TABLE) <name:name> IS <comment:string>", on_relation),
    control(f"COMMENT [IF EXISTS] ON COLUMN <name:{_COLUMN_NAME}> IS <comment:string>", on_column),
    control("ALTER TABLE|VIEW [IF EXISTS] <name:name> SET COMMENT = <comment:string>", on_relation),
    control(
        f"ALTER TABLE|VIEW <name:name> ALTER|MODIFY <columns:(?:COLUMN\\s+)?{IDENTIFIER}\\s+COMMENT\\s.*>", on_columns
    ),
)
