"""CREATE, DROP and SHOW ROLE."""

import re

from local.snowflake import errors
from local.snowflake.catalog import SCHEMA, AccountObject
from local.snowflake.changes import own
from local.snowflake.control.statement import control, flag, like, parse, table
from local.snowflake.cursor import Cursor, status
from local.snowflake.grants import SYSTEM_ROLES
from local.snowflake.names import fold
from local.snowflake.privileges import require_account, require_object


def create(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    name = fold(match["name"])
    require_account("CREATE ROLE", session)
    properties = parse(match, {"COMMENT"}, "ROLE")
    if catalog.find("ROLE", name):
        if flag(match, "missing"):
            return status(f"{name} already exists, statement succeeded.")
        if not flag(match, "replace"):
            raise errors.exists(name)
        _drop(cursor, name)
    catalog.put(AccountObject("ROLE", name, properties.get("COMMENT"), {}))
    own(session, "ROLE", (name,))
    return status(f"Role {name} successfully created.")


def drop(cursor: Cursor, match: re.Match[str]) -> str:
    name = fold(match["name"])
    if flag(match, "exists") and not cursor.session.engine.catalog.find("ROLE", name):
        return status(f"Drop statement executed successfully ({name} already dropped).")
    _drop(cursor, name)
    return status(f"{name} successfully dropped.")


def _drop(cursor: Cursor, name: str) -> None:
    """What the role owned passes to the role that drops it, as in Snowflake."""
    session, catalog = cursor.session, cursor.session.engine.catalog
    if name in SYSTEM_ROLES:
        raise errors.denied("role", name)
    require_object("ROLE", name, ("OWNERSHIP",), session)
    with catalog.lock:
        owned = [g for g in catalog.grants.all() if g.grantee == name and g.privilege == "OWNERSHIP" and not g.future]
        for grant in owned:
            own(session, grant.on_type, grant.on_name)
        catalog.grants.drop_role(name)
        catalog.delete("ROLE", name)
    if session.role == name:
        session.role = "PUBLIC"


def show(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    created = dict(catalog.rows(f"SELECT name, created_on FROM {SCHEMA}.objects WHERE kind = 'ROLE'"))
    members = [g for g in catalog.grants.all() if g.on_type == "ROLE" and g.privilege == "USAGE"]
    rows = [
        (created[role.name], role.name, "N", "Y" if role.name == session.role else "N",
         "Y" if role.name in session.roles and role.name != session.role else "N",
         sum(g.on_name == (role.name,) and g.grantee_type == "USER" for g in members),
         sum(g.on_name == (role.name,) and g.grantee_type == "ROLE" for g in members),
         sum(g.grantee == role.name for g in members),
         catalog.grants.owner("ROLE", (role.name,)) or "", role.comment or "")
        for role in catalog.objects("ROLE")
        if like(match, role.name)
    ]  # fmt: skip
    return table(
        ("created_on TIMESTAMPTZ", "name", "is_default", "is_current", "is_inherited", "assigned_to_users BIGINT",
         "granted_to_roles BIGINT", "granted_roles BIGINT", "owner", "comment"), rows)  # fmt: skip


STATEMENTS = (
    control("CREATE [replace: OR REPLACE] ROLE [missing: IF NOT EXISTS] <name:id> <rest:*>", create),
    control("DROP ROLE [exists: IF EXISTS] <name:id>", drop),
    control("SHOW [TERSE] ROLES [LIKE <like:string>]", show),
)
