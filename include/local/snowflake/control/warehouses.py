"""CREATE, ALTER, DROP and SHOW of warehouses and resource monitors: recorded, granted and shown; nothing computes
or costs by them here."""

import re
from typing import Any

from local.snowflake import errors
from local.snowflake.catalog import SCHEMA, AccountObject
from local.snowflake.changes import own
from local.snowflake.control.statement import control, flag, like, parse, table
from local.snowflake.cursor import SUCCESS, Cursor, status
from local.snowflake.names import fold
from local.snowflake.privileges import require_account, require_object

_WAREHOUSE = {
    "WAREHOUSE_SIZE", "WAREHOUSE_TYPE", "MAX_CLUSTER_COUNT", "MIN_CLUSTER_COUNT", "SCALING_POLICY", "AUTO_SUSPEND",
    "AUTO_RESUME", "INITIALLY_SUSPENDED", "RESOURCE_MONITOR", "COMMENT", "ENABLE_QUERY_ACCELERATION",
    "QUERY_ACCELERATION_MAX_SCALE_FACTOR", "MAX_CONCURRENCY_LEVEL", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS",
    "STATEMENT_TIMEOUT_IN_SECONDS", "WAIT_FOR_COMPLETION", "RESOURCE_CONSTRAINT",
}  # fmt: skip
_MONITOR = {"CREDIT_QUOTA", "FREQUENCY", "START_TIMESTAMP", "END_TIMESTAMP", "NOTIFY_USERS"}
_PRIVILEGE = {"WAREHOUSE": "CREATE WAREHOUSE", "RESOURCE MONITOR": "CREATE RESOURCE MONITOR"}
_TRIGGERS = re.compile(
    r"TRIGGERS((?:\s+ON\s+\d+\s+PERCENT\s+DO\s+(?:NOTIFY|SUSPEND_IMMEDIATE|SUSPEND))+)", re.I
)  # fmt: skip
_SIZES = {
    "XSMALL": "X-Small", "SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "X-Large",
    "XXLARGE": "2X-Large", "X2LARGE": "2X-Large", "2XLARGE": "2X-Large", "XXXLARGE": "3X-Large",
    "X3LARGE": "3X-Large", "3XLARGE": "3X-Large", "X4LARGE": "4X-Large", "4XLARGE": "4X-Large",
    "X5LARGE": "5X-Large", "5XLARGE": "5X-Large", "X6LARGE": "6X-Large", "6XLARGE": "6X-Large",
}  # fmt: skip


def _kind(match: re.Match[str]) -> str:
    return " ".join(match["kind"].upper().split())


def _given(match: re.Match[str], kind: str) -> dict[str, Any]:
    """The properties that a CREATE or ALTER sets, checked."""
    if kind == "RESOURCE MONITOR":
        triggers = _TRIGGERS.search(match["rest"])
        text = re.sub(r"^\s*WITH\b", "", _TRIGGERS.sub("", match["rest"]), flags=re.I)
        properties = parse(re.match(r"(?P<rest>.*)", text, re.S), _MONITOR, kind)  # type: ignore[arg-type]  # always matches
        return properties | ({"TRIGGERS": " ".join(triggers[1].split())} if triggers else {})
    properties = parse(match, _WAREHOUSE, kind)
    if size := properties.get("WAREHOUSE_SIZE"):
        shown = _SIZES.get(str(size).upper().replace("-", "").replace("_", ""))
        if not shown:
            raise errors.invalid(f"invalid value '{size}' for property 'WAREHOUSE_SIZE'")
        properties["WAREHOUSE_SIZE"] = shown
    if properties.get("RESOURCE_MONITOR"):
        properties["RESOURCE_MONITOR"] = fold(str(properties["RESOURCE_MONITOR"]))
    return properties


def create(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    kind, name = _kind(match), fold(match["name"])
    require_account(_PRIVILEGE[kind], session)
    properties = _given(match, kind)
    _require_monitor(cursor, properties)
    if catalog.find(kind, name):
        if flag(match, "missing"):
            return status(f"{name} already exists, statement succeeded.")
        if not flag(match, "replace"):
            raise errors.exists(name)
        _drop(cursor, kind, name)
    if kind == "WAREHOUSE":
        properties["STATE"] = "SUSPENDED" if properties.get("INITIALLY_SUSPENDED") else "STARTED"
        session.warehouse = name
    catalog.put(AccountObject(kind, name, properties.pop("COMMENT", None), properties))
    own(session, kind, (name,))
    return status(f"{kind.capitalize()} {name} successfully created.")


def alter(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    kind, name = _kind(match), fold(match["name"])
    found = catalog.find(kind, name)
    if flag(match, "exists") and not found:
        return SUCCESS
    require_object(kind, name, ("MODIFY",), session)
    properties = _given(match, kind)
    _require_monitor(cursor, properties)
    comment = properties.pop("COMMENT", found.comment)
    catalog.put(AccountObject(kind, name, comment, found.properties | properties))
    return SUCCESS


def operate(cursor: Cursor, match: re.Match[str]) -> str:
    """ALTER WAREHOUSE … SUSPEND or RESUME."""
    catalog, name = cursor.session.engine.catalog, fold(match["name"])
    require_object("WAREHOUSE", name, ("OPERATE",), cursor.session)
    found = catalog.find("WAREHOUSE", name)
    state = "SUSPENDED" if match["action"].upper() == "SUSPEND" else "STARTED"
    catalog.put(AccountObject("WAREHOUSE", name, found.comment, found.properties | {"STATE": state}))
    return SUCCESS


def drop(cursor: Cursor, match: re.Match[str]) -> str:
    kind, name = _kind(match), fold(match["name"])
    if flag(match, "exists") and not cursor.session.engine.catalog.find(kind, name):
        return status(f"Drop statement executed successfully ({name} already dropped).")
    _drop(cursor, kind, name)
    return status(f"{name} successfully dropped.")


def _drop(cursor: Cursor, kind: str, name: str) -> None:
    catalog = cursor.session.engine.catalog
    require_object(kind, name, ("OWNERSHIP",), cursor.session)
    with catalog.lock:
        catalog.grants.drop_object(kind, (name,))
        catalog.delete(kind, name)
    if cursor.session.warehouse == name:
        cursor.session.warehouse = None


def _require_monitor(cursor: Cursor, properties: dict[str, Any]) -> None:
    monitor = properties.get("RESOURCE_MONITOR")
    if monitor and not cursor.session.engine.catalog.find("RESOURCE MONITOR", monitor):
        raise errors.missing("Resource monitor", monitor)


def show(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    kind = _kind(match).removesuffix("S")
    created = dict(catalog.rows(f"SELECT name, created_on FROM {SCHEMA}.objects WHERE kind = ?", [kind]))
    visible = [
        (item, catalog.grants.owner(kind, (item.name,)), created[item.name])
        for item in catalog.objects(kind)
        if like(match, item.name) and catalog.grants.allows_any(session.roles, kind, (item.name,))
    ]
    if kind == "RESOURCE MONITOR":
        rows: list[Any] = [
            (i.name, i.properties.get("CREDIT_QUOTA"), "0.00", i.properties.get("FREQUENCY", "MONTHLY"),
             i.properties.get("TRIGGERS", ""), owner, at) for i, owner, at in visible
        ]  # fmt: skip
        return table(("name", "credit_quota", "used_credits", "frequency", "triggers", "owner",
                      "created_on TIMESTAMPTZ"), rows)  # fmt: skip
    rows = [
        (i.name, i.properties["STATE"], i.properties.get("WAREHOUSE_TYPE", "STANDARD"),
         i.properties.get("WAREHOUSE_SIZE", "X-Small"), "Y" if i.name == session.warehouse else "N",
         i.properties.get("AUTO_SUSPEND", 600), str(i.properties.get("AUTO_RESUME", True)).lower(), at, owner,
         i.comment or "", i.properties.get("RESOURCE_MONITOR") or "null") for i, owner, at in visible
    ]  # fmt: skip
    return table(("name", "state", "type", "size", "is_current", "auto_suspend BIGINT", "auto_resume",
                  "created_on TIMESTAMPTZ", "owner", "comment", "resource_monitor"), rows)  # fmt: skip


STATEMENTS = (
    control("CREATE [replace: OR REPLACE] <kind:WAREHOUSE|RESOURCE MONITOR> [missing: IF NOT EXISTS] "
            "<name:id> <rest:*>",
            create),
    control("ALTER <kind:WAREHOUSE> [IF EXISTS] <name:id> <action:SUSPEND|RESUME> [IF SUSPENDED]", operate),
    control("ALTER <kind:WAREHOUSE|RESOURCE MONITOR> [exists: IF EXISTS] <name:id> SET <rest:*>", alter),
    control("DROP <kind:WAREHOUSE|RESOURCE MONITOR> [exists: IF EXISTS] <name:id>", drop),
    control("SHOW <kind:WAREHOUSES|RESOURCE MONITORS> [LIKE <like:string>]", show),
)  # fmt: skip
