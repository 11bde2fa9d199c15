"""CREATE, ALTER, DROP, SHOW and USE DATABASE."""

import re

from local.snowflake import changes, clone, errors
from local.snowflake.catalog import SCHEMA, AccountObject
from local.snowflake.control.statement import control, flag, like, parse, table
from local.snowflake.cursor import SUCCESS, Cursor, status
from local.snowflake.names import fold, quote
from local.snowflake.privileges import can_use, require_account, require_object

_PROPERTIES = {"COMMENT", "DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "DEFAULT_DDL_COLLATION"}
_PLAIN_NAME = re.compile(r"[A-Z_][A-Z0-9_$]*")


def create(cursor: Cursor, match: re.Match[str]) -> str:
    session, engine = cursor.session, cursor.session.engine
    name, source = fold(match["name"]), match["source"] and fold(match["source"])
    properties = parse(match, _PROPERTIES, "DATABASE")
    require_account("CREATE DATABASE", session)
    if not _PLAIN_NAME.fullmatch(name):
        raise errors.unsupported(f"the database name {quote(name)}: use capitals, digits, _ and $")
    if source:
        _require(cursor, source)
    replaces = name in engine.database_names()
    if replaces:
        if flag(match, "missing"):
            return status(f"{name} already exists, statement succeeded.")
        if not flag(match, "replace"):
            raise errors.exists(name)
        if name == source:
            raise errors.invalid(f"Database {name} cannot be replaced by a clone of itself.")
        require_object("DATABASE", name, ("OWNERSHIP",), session)
        _leave(cursor, name)

    def fill() -> None:
        if source:
            clone.fill_database(engine, source, name)
        else:
            cursor.query(f"CREATE SCHEMA {quote(name, 'PUBLIC')}")

    def record() -> None:
        changes.own(session, "DATABASE", (name,))
        if source:
            clone.copy_metadata(engine, (source,), (name,))
        else:
            changes.own(session, "SCHEMA", (name, "PUBLIC"))

    comment = properties.pop("COMMENT", None)
    database = AccountObject("DATABASE", name, comment, properties | {"TRANSIENT": flag(match, "transient")})
    engine.create_database(database, fill, record, or_replace=replaces)
    session.use(name, "PUBLIC" if engine.has_schema(name, "PUBLIC") else None)
    return status(f"Database {name} successfully created.")


def drop(cursor: Cursor, match: re.Match[str]) -> str:
    name, session = fold(match["name"]), cursor.session
    if flag(match, "exists") and name not in session.engine.database_names():
        return status(f"Drop statement executed successfully ({name} already dropped).")
    require_object("DATABASE", name, ("OWNERSHIP",), session)
    _leave(cursor, name)
    session.engine.drop_database(name)
    return status(f"{name} successfully dropped.")


def alter(cursor: Cursor, match: re.Match[str]) -> str:
    name, catalog = fold(match["name"]), cursor.session.engine.catalog
    if flag(match, "exists") and not catalog.find("DATABASE", name):
        return SUCCESS
    require_object("DATABASE", name, ("MODIFY",), cursor.session)
    properties = parse(match, _PROPERTIES, "DATABASE")
    found = catalog.find("DATABASE", name)
    comment = properties.pop("COMMENT", found.comment)
    catalog.put(AccountObject("DATABASE", name, comment, found.properties | properties))
    return SUCCESS


def comment_on(cursor: Cursor, match: re.Match[str]) -> str:
    from local.snowflake.names import unquote_string

    name, catalog = fold(match["name"]), cursor.session.engine.catalog
    require_object("DATABASE", name, ("MODIFY",), cursor.session)
    catalog.put(
        AccountObject("DATABASE", name, unquote_string(match["comment"]), catalog.find("DATABASE", name).properties)
    )
    return SUCCESS


def use(cursor: Cursor, match: re.Match[str]) -> str:
    name = fold(match["name"])
    _require(cursor, name)
    public = cursor.session.engine.has_schema(name, "PUBLIC") and can_use(cursor.session, "SCHEMA", (name, "PUBLIC"))
    cursor.session.use(name, "PUBLIC" if public else None)
    return SUCCESS


def show(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    created = dict(catalog.rows(f"SELECT name, created_on FROM {SCHEMA}.objects WHERE kind = 'DATABASE'"))
    rows = [
        (created[d.name], d.name, "N", "Y" if d.name == session.database else "N", "",
         catalog.grants.owner("DATABASE", (d.name,)), d.comment or "",
         "TRANSIENT" if d.properties.get("TRANSIENT") else "",
         str(d.properties.get("DATA_RETENTION_TIME_IN_DAYS", 1)), "STANDARD")
        for d in catalog.objects("DATABASE")
        if like(match, d.name) and catalog.grants.allows_any(session.roles, "DATABASE", (d.name,))
    ]  # fmt: skip
    return table(
        ("created_on TIMESTAMPTZ", "name", "is_default", "is_current", "origin", "owner", "comment", "options",
         "retention_time", "kind"), rows)  # fmt: skip


def _require(cursor: Cursor, name: str) -> None:
    if not can_use(cursor.session, "DATABASE", (name,)):
        raise errors.missing("Database", name)


def _leave(cursor: Cursor, name: str) -> None:
    if cursor.session.database == name:
        cursor.session.use(None)


STATEMENTS = (
    control("CREATE [replace: OR REPLACE] [transient: TRANSIENT] DATABASE [missing: IF NOT EXISTS] <name:id> "
            "[CLONE <source:id>] <rest:*>", create),
    control("DROP DATABASE [exists: IF EXISTS] <name:id> [CASCADE|RESTRICT]", drop),
    control("ALTER DATABASE [exists: IF EXISTS] <name:id> SET <rest:*>", alter),
    control("COMMENT ON DATABASE <name:id> IS <comment:string>", comment_on),
    control("USE DATABASE <name:id>", use),
    control("SHOW [TERSE] DATABASES [LIKE <like:string>] [IN ACCOUNT]", show),
)  # fmt: skip
