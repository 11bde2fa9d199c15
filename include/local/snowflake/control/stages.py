"""CREATE, ALTER, DROP, LIST and REMOVE of stages."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.snowflake import errors, privileges, stages
from local.snowflake.changes import own
from local.snowflake.control.statement import control, flag, like, parse, table
from local.snowflake.cursor import SUCCESS, Cursor, status
from local.snowflake.names import fold, unquote_string
from local.snowflake.privileges import Need

_PROPERTIES = {"URL", "STORAGE_INTEGRATION", "COMMENT", "FILE_FORMAT", "DIRECTORY", "ENCRYPTION"}


def create(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    name = session.qualify(match["name"])
    properties = parse(match, _PROPERTIES, "STAGE")
    if "FILE_FORMAT" in properties:
        raise errors.unsupported("FILE_FORMAT of a stage; give it in COPY INTO")
    privileges.require(Need(("CREATE STAGE",), "SCHEMA", name[:2]), session)
    url, integration = _source(cursor, properties)
    if stages.find(session, name):
        if flag(match, "missing"):
            return status(f"{name[2]} already exists, statement succeeded.")
        if not flag(match, "replace"):
            raise errors.exists(name[2])
        privileges.require(Need(("OWNERSHIP",), "STAGE", name), session)
        _forget(cursor, name)
    row = {
        "created_on": datetime.now(UTC), "name": name[2], "database_name": name[0], "schema_name": name[1], "url": url,
        "has_credentials": "N", "has_encryption_key": "N", "owner": session.role,
        "comment": properties.get("COMMENT", ""),
        "type": ("EXTERNAL" if url else "INTERNAL") + (" TEMPORARY" if flag(match, "temporary") else ""),
        "cloud": "AWS" if url else None, "storage_integration": integration, "owner_role_type": "ROLE",
        "directory_enabled": "N",
    }  # fmt: skip
    values = ", ".join("?" * len(row))
    catalog.rows(f"INSERT INTO {stages.TABLE} ({', '.join(row)}) VALUES ({values})", list(row.values()))
    own(session, "STAGE", name)
    return status(f"Stage area {name[2]} successfully created.")


def _source(cursor: Cursor, properties: dict[str, Any]) -> tuple[str, str | None]:
    """URL and integration of a stage, checked against each other; an empty URL for an internal stage."""
    url = str(properties.get("URL") or "")
    if not url:
        return "", None
    if not re.match(r"s3(gov)?://[^/]+", url):
        raise errors.error(f"SQL compilation error:\ninvalid URL prefix found in: '{url}'", 1011, "42601")
    if integration := properties.get("STORAGE_INTEGRATION"):
        integration = fold(str(integration))
        privileges.require_object("INTEGRATION", integration, ("USAGE",), cursor.session)
    url = url.rstrip("/") + "/"
    stages.require_allowed(cursor.session, integration, url)
    return url, integration


def alter(cursor: Cursor, match: re.Match[str]) -> str:
    session = cursor.session
    name = session.qualify(match["name"])
    privileges.require(Need(("OWNERSHIP",), "STAGE", name), session)
    before, given = stages.find(session, name), parse(match, _PROPERTIES, "STAGE")
    url, integration = _source(cursor, {"URL": before.url, "STORAGE_INTEGRATION": before.integration} | given)
    session.engine.catalog.rows(
        f"UPDATE {stages.TABLE} SET url = ?, storage_integration = ? "
        "WHERE (database_name, schema_name, name) = (?, ?, ?)",
        [url, integration, *name])  # fmt: skip
    return SUCCESS


def drop(cursor: Cursor, match: re.Match[str]) -> str:
    session = cursor.session
    name = session.qualify(match["name"])
    if flag(match, "exists") and not stages.find(session, name):
        return status(f"Drop statement executed successfully ({name[2]} already dropped).")
    privileges.require(Need(("OWNERSHIP",), "STAGE", name), session)
    _forget(cursor, name)
    return status(f"{name[2]} successfully dropped.")


def _forget(cursor: Cursor, name: tuple[str, ...]) -> None:
    session, catalog = cursor.session, cursor.session.engine.catalog
    stage = stages.find(session, name)
    if stage and not stage.external:
        for file in stages.files(session, stages.Location(stage, "")):
            Path(file.url).unlink()
    with catalog.lock:
        catalog.rows(f"DELETE FROM {stages.TABLE} WHERE (database_name, schema_name, name) = (?, ?, ?)", [*name])
        catalog.grants.drop_object("STAGE", name)


def list_files(cursor: Cursor, match: re.Match[str]) -> str:
    location = stages.resolve(cursor.session, match["stage"])
    pattern = re.compile(unquote_string(match["pattern"])) if match["pattern"] else None
    rows = [
        (stages.shown_name(location, f), f.size, f.md5, f.last_modified.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        for f in stages.files(cursor.session, location)
        if pattern is None or pattern.fullmatch(f.url)
    ]
    return table(("name", "size BIGINT", "md5", "last_modified"), rows)


def remove(cursor: Cursor, match: re.Match[str]) -> str:
    location = stages.resolve(cursor.session, match["stage"], "WRITE")
    found = stages.files(cursor.session, location)
    if location.stage.external:
        cursor.session.engine.store.remove([file.url for file in found])
    else:
        for file in found:
            Path(file.url).unlink()
    return table(("name", "result"), [(stages.shown_name(location, f), "removed") for f in found])


def describe(cursor: Cursor, match: re.Match[str]) -> str:
    name = cursor.session.qualify(match["name"])
    privileges.require(Need((), "STAGE", name), cursor.session)
    stage = stages.find(cursor.session, name)
    url = f'["{stage.url}"]' if stage.external else ""
    return table(
        ("parent_property", "property", "property_type", "property_value", "property_default"),
        [("STAGE_LOCATION", "URL", "String", url, ""),
         ("STAGE_INTEGRATION", "STORAGE_INTEGRATION", "String", stage.integration or "", "")])  # fmt: skip


def show(cursor: Cursor, match: re.Match[str]) -> str:
    session = cursor.session
    container: tuple[str, ...] = ()
    if match["place"]:
        container = (fold(match["place"]),) if (match["kind"] or "").strip().upper() == "DATABASE" else tuple(
            session.complete([fold(p) for p in match["place"].split(".")], 2))  # fmt: skip
    elif session.database:
        container = tuple(filter(None, (session.database, session.schema)))
    rows = session.engine.catalog.rows(
        f"SELECT created_on, name, database_name, schema_name, url, owner, comment, type, storage_integration "
        f"FROM {stages.TABLE} ORDER BY 3, 4, 2"
    )
    shown = [
        row for row in rows
        if (row[2], row[3])[: len(container)] == container and like(match, row[1])
        and session.engine.catalog.grants.allows_any(session.roles, "STAGE", (row[2], row[3], row[1]))
    ]  # fmt: skip
    return table(("created_on TIMESTAMPTZ", "name", "database_name", "schema_name", "url", "owner", "comment", "type",
                  "storage_integration"), shown)  # fmt: skip


STATEMENTS = (
    control("CREATE [replace: OR REPLACE] [temporary: TEMP|TEMPORARY] STAGE [missing: IF NOT EXISTS] "
            "<name:name> <rest:*>",
            create),
    control("ALTER STAGE [IF EXISTS] <name:name> SET <rest:*>", alter),
    control("DROP STAGE [exists: IF EXISTS] <name:name>", drop),
    control("DESC|DESCRIBE STAGE <name:name>", describe),
    control("LIST|LS <stage:stage> [PATTERN = <pattern:string>]", list_files),
    control("REMOVE|RM <stage:stage>", remove),
    control("SHOW STAGES [LIKE <like:string>] [IN [kind: DATABASE|SCHEMA] <place:name>]", show),
)  # fmt: skip
