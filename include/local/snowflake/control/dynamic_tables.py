"""Dynamic tables: a table that is the result of a query. Here it changes by ALTER … REFRESH only, never by itself."""

import re
from typing import Any

from local.snowflake import changes, errors, privileges
from local.snowflake.catalog import SCHEMA
from local.snowflake.control.statement import control, flag, like, parse, table
from local.snowflake.cursor import SUCCESS, Cursor, status
from local.snowflake.names import quote, split
from local.snowflake.privileges import Need

_KIND = "DYNAMIC TABLE"
_PROPERTIES = {
    "TARGET_LAG",
    "WAREHOUSE",
    "REFRESH_MODE",
    "INITIALIZE",
    "COMMENT",
    "INITIALIZATION_WAREHOUSE",
    "SCHEDULER",
}
_CLUSTER = re.compile(r"CLUSTER\s+BY\s*\(([^)]*)\)", re.I)


def create(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    name = session.qualify(match["name"])
    privileges.require(Need(("CREATE DYNAMIC TABLE",), "SCHEMA", name[:2]), session)
    cluster = _CLUSTER.search(match["options"])
    bare = re.match(r"(?P<rest>.*)", _CLUSTER.sub("", match["options"]), re.S)
    properties = parse(bare, _PROPERTIES, _KIND)  # type: ignore[arg-type]  # always matches
    exists = bool(catalog.grants.owner("TABLE", name))
    if exists and flag(match, "missing"):
        return status(f"{name[2]} already exists, statement succeeded.")
    _fill(cursor, name, match["query"], replace=flag(match, "replace"))
    with catalog.transaction():
        catalog.grants.drop_object("TABLE", name)
        changes.own(session, _KIND, name)
        catalog.put_relation(
            name,
            transient=flag(match, "transient"),
            cluster_by=cluster[1] if cluster else None,
            dynamic=properties | {"TEXT": match[0], "QUERY": match["query"]},
        )
    return status(f"Dynamic table {name[2]} successfully created.")


def _fill(cursor: Cursor, name: tuple[str, ...], query: str, *, replace: bool) -> None:
    """(Re)make the table from its query, with the session's own right to read what the query reads."""
    cursor.run_snowflake(f"SELECT * FROM ({query}) LIMIT 0")
    select = cursor._last_transformed.find(privileges.exp.Subquery).this.sql("duckdb")
    cursor.query(f"CREATE {'OR REPLACE ' if replace else ''}TABLE {quote(*name)} AS {select}")


def refresh(cursor: Cursor, match: re.Match[str]) -> str:
    name, dynamic = _require(cursor, match["name"], "OPERATE")
    _fill(cursor, name, dynamic["QUERY"], replace=True)
    cursor.session.engine.catalog.touch_relation(name)
    return SUCCESS


def alter(cursor: Cursor, match: re.Match[str]) -> str:
    name, dynamic = _require(cursor, match["name"], "OWNERSHIP")
    dynamic |= parse(match, _PROPERTIES, _KIND)
    _store(cursor, name, dynamic)
    return SUCCESS


def rename(cursor: Cursor, match: re.Match[str]) -> str:
    session = cursor.session
    name, _ = _require(cursor, match["name"], "OWNERSHIP")
    new = session.complete(split(match["new"]), 3) if "." in match["new"] else (*name[:2], *split(match["new"]))
    if new[:2] != name[:2]:
        raise errors.unsupported("ALTER DYNAMIC TABLE … RENAME into another schema")
    cursor.query(f"ALTER TABLE {quote(*name)} RENAME TO {quote(new[2])}")
    changes.apply(changes.Renamed(_KIND, name, new), session)
    return SUCCESS


def operate(cursor: Cursor, match: re.Match[str]) -> str:
    name, dynamic = _require(cursor, match["name"], "OPERATE")
    _store(cursor, name, dynamic | {"STATE": "SUSPENDED" if match["action"].upper() == "SUSPEND" else "ACTIVE"})
    return SUCCESS


def drop(cursor: Cursor, match: re.Match[str]) -> str:
    name = cursor.session.qualify(match["name"])
    catalog = cursor.session.engine.catalog
    if flag(match, "exists") and not catalog.grants.owner(_KIND, name):
        return status(f"Drop statement executed successfully ({name[2]} already dropped).")
    _require(cursor, match["name"], "OWNERSHIP")
    cursor.query(f"DROP TABLE {quote(*name)}")
    with catalog.transaction():
        catalog.grants.drop_object(_KIND, name)
        catalog.drop_relations(name)
    return status(f"{name[2]} successfully dropped.")


def _require(cursor: Cursor, written: str, privilege: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    name = cursor.session.qualify(written)
    privileges.require(Need((privilege,), "TABLE", name), cursor.session)
    dynamic = cursor.session.engine.catalog.dynamic_table(name)
    if dynamic is None:
        raise errors.missing("Dynamic table", privileges.quote_plain(name))
    return name, dynamic


def _store(cursor: Cursor, name: tuple[str, ...], dynamic: dict[str, Any]) -> None:
    import json

    cursor.session.engine.catalog.rows(
        f"UPDATE {SCHEMA}.relations SET dynamic = ?, altered = now() WHERE (database, schema, name) = (?, ?, ?)",
        [json.dumps(dynamic), *name],
    )


def show(cursor: Cursor, match: re.Match[str]) -> str:
    import json

    session, catalog = cursor.session, cursor.session.engine.catalog
    place = split(match["place"]) if match["place"] else []
    if (match["kind"] or "").strip().upper() != "DATABASE" and place:
        place = [*session.complete(place, 2)]
    rows = []
    for created, altered, database, schema, name, cluster, transient, dynamic in catalog.rows(
        f"SELECT created, altered, database, schema, name, cluster_by, transient, dynamic FROM {SCHEMA}.relations "
        "WHERE dynamic IS NOT NULL ORDER BY 3, 4, 5"
    ):
        p = json.loads(dynamic)
        full = (database, schema, name)
        if [*full][: len(place)] != place or not like(match, name):
            continue
        if not catalog.grants.allows_any(session.roles, _KIND, full):
            continue
        mode = str(p.get("REFRESH_MODE", "AUTO")).upper().replace("AUTO", "INCREMENTAL")
        rows.append((created, name, database, schema, cluster or "", 0, 0, catalog.grants.owner(_KIND, full),
                     p.get("TARGET_LAG"), mode, None,
                     str(p.get("WAREHOUSE") or "").upper() or None, p.get("COMMENT", ""),
                     p["TEXT"], "true", p.get("STATE", "ACTIVE"), altered, "false", "false", altered, "ROLE",
                     "DISABLE" if p.get("TARGET_LAG") is None else "ENABLE", str(bool(transient)).lower(),
                     str(p.get("INITIALIZATION_WAREHOUSE") or "").upper() or None, None))  # fmt: skip
    return table(
        ("created_on TIMESTAMPTZ", "name", "database_name", "schema_name", "cluster_by", "rows BIGINT", "bytes BIGINT",
         "owner", "target_lag", "refresh_mode", "refresh_mode_reason", "warehouse", "comment", "text",
         "automatic_clustering", "scheduling_state", "last_suspended_on TIMESTAMPTZ", "is_clone", "is_replica",
         "data_timestamp TIMESTAMPTZ", "owner_role_type", "scheduler", "is_transient", "initialization_warehouse",
         "immutable_where"), rows)  # fmt: skip


STATEMENTS = (
    control("CREATE [replace: OR REPLACE] [transient: TRANSIENT] DYNAMIC TABLE [missing: IF NOT EXISTS] <name:name> "
            "<options:.*?> AS <query:(?:\\(|SELECT\\b|WITH\\b).*>", create),
    control("ALTER DYNAMIC TABLE [IF EXISTS] <name:name> REFRESH", refresh),
    control("ALTER DYNAMIC TABLE [IF EXISTS] <name:name> <action:SUSPEND|RESUME>", operate),
    control("ALTER DYNAMIC TABLE [IF EXISTS] <name:name> RENAME TO <new:name>", rename),
    control("ALTER DYNAMIC TABLE [IF EXISTS] <name:name> SET <rest:*>", alter),
    control("DROP DYNAMIC TABLE [exists: IF EXISTS] <name:name> [CASCADE]", drop),
    control("SHOW DYNAMIC TABLES [LIKE <like:string>] [IN [kind: DATABASE|SCHEMA] <place:name>] <rest:*>", show),
)  # fmt: skip
