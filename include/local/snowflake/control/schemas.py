"""CREATE, DROP, SHOW and USE SCHEMA."""

import re

from local.snowflake import changes, clone, errors, information_schema, privileges
from local.snowflake.control.statement import control, flag, like, parse, table
from local.snowflake.cursor import SUCCESS, Cursor, status
from local.snowflake.names import fold, quote, split

_PROPERTIES = {"COMMENT", "DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "DEFAULT_DDL_COLLATION"}


def _name(cursor: Cursor, written: str) -> tuple[str, ...]:
    return cursor.session.complete(split(written), 2)


def create(cursor: Cursor, match: re.Match[str]) -> str:
    session, engine = cursor.session, cursor.session.engine
    name = _name(cursor, match["name"])
    source = _name(cursor, match["source"]) if match["source"] else None
    parse(match, _PROPERTIES, "SCHEMA")
    privileges.require_usage(name[:1], session)
    if source:
        privileges.require_usage(source, session)
    if engine.has_schema(*name):
        if flag(match, "missing"):
            return status(f"{name[1]} already exists, statement succeeded.")
        if not flag(match, "replace"):
            raise errors.exists(name[1])
        _require_owner(cursor, name)
        _drop(cursor, name)
    if not engine.catalog.grants.allows(session.roles, ("CREATE SCHEMA",), "DATABASE", name[:1]):
        raise errors.denied("database", name[0])
    if source:
        clone.fill_schema(engine, source, name)
    else:
        cursor.query(f"CREATE SCHEMA {quote(*name)}")
    with engine.catalog.transaction():
        changes.own(session, "SCHEMA", name)
        if source:
            clone.copy_metadata(engine, source, name)
    session.use(*name)
    return status(f"Schema {name[1]} successfully created.")


def drop(cursor: Cursor, match: re.Match[str]) -> str:
    name = _name(cursor, match["name"])
    known = privileges.can_use(cursor.session, "DATABASE", name[:1]) and cursor.session.engine.has_schema(*name)
    if flag(match, "exists") and not known:
        return status(f"Drop statement executed successfully ({name[1]} already dropped).")
    _require_owner(cursor, name)
    _drop(cursor, name)
    return status(f"{name[1]} successfully dropped.")


def use(cursor: Cursor, match: re.Match[str]) -> str:
    name = _name(cursor, match["name"])
    privileges.require_usage(name, cursor.session)
    cursor.session.use(*name)
    return SUCCESS


def show(cursor: Cursor, match: re.Match[str]) -> str:
    session, grants = cursor.session, cursor.session.engine.catalog.grants
    if match["database"]:
        database = fold(match["database"])
        privileges.require_usage((database,), session)
    else:
        database = session.database
    found = cursor.query(
        "SELECT database_name, schema_name FROM duckdb_schemas() "
        "WHERE schema_name NOT IN ('main', 'pg_catalog', '_fs_information_schema', 'information_schema') ORDER BY 1, 2"
    )
    rows = [
        (d, s, "N", "Y" if (d, s) == (session.database, session.schema) else "N", grants.owner("SCHEMA", (d, s)))
        for d, s in [*found, *((d, "INFORMATION_SCHEMA") for d in sorted(session.engine.database_names()))]
        if d in (database, d if database is None else database)
        and like(match, s)
        and (grants.allows_any(session.roles, "SCHEMA", (d, s))
             or s == "INFORMATION_SCHEMA" and grants.allows_any(session.roles, "DATABASE", (d,)))
    ]  # fmt: skip
    shown = [(s, d, default, current, owner) for d, s, default, current, owner in rows]
    return (f'SELECT now() AS "created_on", "name", "is_default", "is_current", "database_name", "owner", '
            "'' AS \"comment\", '' AS \"options\", '1' AS \"retention_time\" FROM ("
            f'{table(("name", "database_name", "is_default", "is_current", "owner"), shown)}) '
            f'{match["limit"] or ""}')  # fmt: skip


def _require_owner(cursor: Cursor, name: tuple[str, ...]) -> None:
    grants, session = cursor.session.engine.catalog.grants, cursor.session
    privileges.require_usage(name[:1], session)
    if not session.engine.has_schema(*name) or not grants.allows_any(session.roles, "SCHEMA", name):
        raise errors.missing("Schema", privileges.quote_plain(name))
    # The owner of a database may drop any schema in it.
    if not grants.allows(session.roles, (), "SCHEMA", name) and not grants.allows(
        session.roles, (), "DATABASE", name[:1]
    ):
        raise errors.denied("schema", name[1])


def _drop(cursor: Cursor, name: tuple[str, ...]) -> None:
    session, catalog = cursor.session, cursor.session.engine.catalog
    if (session.database, session.schema) == name:
        session.use(name[0])
    cursor.query(f"DROP SCHEMA {quote(*name)} CASCADE")
    cursor.query(
        f"DELETE FROM {quote(name[0])}._fs_information_schema._fs_load_history WHERE SCHEMA_NAME = ?", [name[1]]
    )
    with catalog.transaction():
        catalog.grants.drop_object("SCHEMA", name)
        catalog.drop_relations(name)
        information_schema.forget(catalog, *name)


STATEMENTS = (
    control("CREATE [replace: OR REPLACE] [TRANSIENT] SCHEMA [missing: IF NOT EXISTS] <name:name> "
            "[CLONE <source:name>] <rest:*>", create),
    control("DROP SCHEMA [exists: IF EXISTS] <name:name> [CASCADE|RESTRICT]", drop),
    control("USE SCHEMA <name:name>", use),
    control("SHOW [TERSE] SCHEMAS [LIKE <like:string>] [IN [DATABASE] <database:id>] [limit: LIMIT \\d+]", show),
)  # fmt: skip
