"""Storage integrations: recorded, and held to by stages. The server's own keys stand for the IAM role they name."""

import re

from local.snowflake import errors
from local.snowflake.catalog import AccountObject
from local.snowflake.changes import own
from local.snowflake.control.statement import control, flag, like, parse, table
from local.snowflake.cursor import SUCCESS, Cursor, status
from local.snowflake.names import fold
from local.snowflake.privileges import require_account, require_object

_PROPERTIES = {
    "TYPE", "STORAGE_PROVIDER", "STORAGE_AWS_ROLE_ARN", "STORAGE_AWS_EXTERNAL_ID", "STORAGE_AWS_OBJECT_ACL", "ENABLED",
    "STORAGE_ALLOWED_LOCATIONS", "STORAGE_BLOCKED_LOCATIONS", "COMMENT",
}  # fmt: skip
_KIND = "INTEGRATION"


def create(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    name, properties = fold(match["name"]), parse(match, _PROPERTIES, _KIND)
    require_account("CREATE INTEGRATION", session)
    kind, provider = (str(properties.get(key)).upper() for key in ("TYPE", "STORAGE_PROVIDER"))
    if kind != "EXTERNAL_STAGE" or provider not in ("S3", "S3GOV"):
        raise errors.unsupported("a storage integration other than TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3'")
    if not properties.get("STORAGE_ALLOWED_LOCATIONS"):
        raise errors.invalid("Missing option(s): STORAGE_ALLOWED_LOCATIONS")
    if catalog.find(_KIND, name):
        if flag(match, "missing"):
            return status(f"{name} already exists, statement succeeded.")
        if not flag(match, "replace"):
            raise errors.exists(name)
        _drop(cursor, name)
    catalog.put(AccountObject(_KIND, name, properties.pop("COMMENT", None), properties))
    own(session, _KIND, (name,))
    return status(f"Integration {name} successfully created.")


def alter(cursor: Cursor, match: re.Match[str]) -> str:
    catalog, name = cursor.session.engine.catalog, fold(match["name"])
    require_object(_KIND, name, ("OWNERSHIP",), cursor.session)
    found, properties = catalog.find(_KIND, name), parse(match, _PROPERTIES, _KIND)
    comment = properties.pop("COMMENT", found.comment)
    catalog.put(AccountObject(_KIND, name, comment, found.properties | properties))
    return SUCCESS


def drop(cursor: Cursor, match: re.Match[str]) -> str:
    name = fold(match["name"])
    if flag(match, "exists") and not cursor.session.engine.catalog.find(_KIND, name):
        return status(f"Drop statement executed successfully ({name} already dropped).")
    _drop(cursor, name)
    return status(f"{name} successfully dropped.")


def _drop(cursor: Cursor, name: str) -> None:
    catalog = cursor.session.engine.catalog
    require_object(_KIND, name, ("OWNERSHIP",), cursor.session)
    with catalog.lock:
        catalog.grants.drop_object(_KIND, (name,))
        catalog.delete(_KIND, name)


def describe(cursor: Cursor, match: re.Match[str]) -> str:
    name = fold(match["name"])
    require_object(_KIND, name, ("USAGE",), cursor.session)
    properties = cursor.session.engine.catalog.find(_KIND, name).properties
    rows = [
        (key, type(value).__name__.replace("bool", "Boolean").replace("str", "String").replace("list", "List"),
         ",".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else value, "")
        for key, value in sorted(properties.items())
    ]  # fmt: skip
    return table(("property", "property_type", "property_value", "property_default"), rows)


def show(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    rows = [
        (item.name, "EXTERNAL_STAGE", "STORAGE", str(bool(item.properties.get("ENABLED"))).lower(), item.comment or "")
        for item in catalog.objects(_KIND)
        if like(match, item.name) and catalog.grants.allows_any(session.roles, _KIND, (item.name,))
    ]
    return table(("name", "type", "category", "enabled", "comment"), rows)


STATEMENTS = (
    control("CREATE [replace: OR REPLACE] STORAGE INTEGRATION [missing: IF NOT EXISTS] <name:id> <rest:*>", create),
    control("ALTER [STORAGE] INTEGRATION <name:id> SET <rest:*>", alter),
    control("DROP [STORAGE] INTEGRATION [exists: IF EXISTS] <name:id>", drop),
    control("DESC|DESCRIBE [STORAGE] INTEGRATION <name:id>", describe),
    control("SHOW [STORAGE] INTEGRATIONS [LIKE <like:string>]", show),
)
