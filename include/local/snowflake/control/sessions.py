"""USE, ALTER SESSION, SHOW PARAMETERS, EXPLAIN: what touches only the session."""

import re

from local.snowflake import errors, privileges
from local.snowflake.control.statement import control, like, parse, table
from local.snowflake.cursor import SUCCESS, Cursor
from local.snowflake.names import fold, split

_FIXED = {"TIMEZONE": ("UTC", "Etc/UTC"), "AUTOCOMMIT": (True,), "QUOTED_IDENTIFIERS_IGNORE_CASE": (False,)}
"""Parameters whose other values would change results here; setting one to those is refused."""
_WITHOUT_EFFECT = (
    "STATEMENT_TIMEOUT_IN_SECONDS", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "LOCK_TIMEOUT", "ABORT_DETACHED_QUERY",
    "USE_CACHED_RESULT", "CLIENT_SESSION_KEEP_ALIVE", "JSON_INDENT", "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT",
    "CLIENT_RESULT_CHUNK_SIZE", "ROWS_PER_RESULTSET", "ERROR_ON_NONDETERMINISTIC_MERGE", "LOG_LEVEL", "TRACE_LEVEL",
)  # fmt: skip


def use_role(cursor: Cursor, match: re.Match[str]) -> str:
    name, session = fold(match["name"]), cursor.session
    if name not in session.engine.catalog.grants.roles_of(session.user, "USER"):
        raise errors.error(
            f"SQL access control error:\nRequested role '{name}' is not assigned to the executing user. "
            "Specify another role to activate.", 3013, "42501")  # fmt: skip
    session.role = name
    return SUCCESS


def use_warehouse(cursor: Cursor, match: re.Match[str]) -> str:
    name, session = fold(match["name"]), cursor.session
    if not session.engine.catalog.grants.allows(session.roles, ("USAGE", "OPERATE"), "WAREHOUSE", (name,)):
        raise errors.error("Object does not exist, or operation cannot be performed.", 2043, "02000")
    session.warehouse = name
    return SUCCESS


def use_secondary_roles(cursor: Cursor, match: re.Match[str]) -> str:
    if match["which"].upper() != "NONE":
        raise errors.unsupported("secondary roles: a session has the privileges of its primary role only")
    return SUCCESS


def use_place(cursor: Cursor, match: re.Match[str]) -> str:
    """USE without a kind: a database, or a database and schema."""
    name = tuple(split(match["name"]))
    privileges.require_usage(name, cursor.session)
    cursor.session.use(*name)
    return SUCCESS


def set_parameters(cursor: Cursor, match: re.Match[str]) -> str:
    session = cursor.session
    for key, value in parse(match, {"QUERY_TAG", *_FIXED, *_WITHOUT_EFFECT}, "SESSION").items():
        if key == "QUERY_TAG":
            session.query_tag = "" if value is None else str(value)
        elif key == "AUTOCOMMIT":
            session.autocommit(bool(value))
        elif key in _FIXED and value not in _FIXED[key]:
            raise errors.unsupported(f"{key} = {value}")
        else:
            session.parameters[key] = str(value)
    return SUCCESS


def unset_parameters(cursor: Cursor, match: re.Match[str]) -> str:
    for key in re.findall(r"\w+", match["keys"].upper()):
        if key == "QUERY_TAG":
            cursor.session.query_tag = ""
        cursor.session.parameters.pop(key, None)
    return SUCCESS


def show_parameters(cursor: Cursor, match: re.Match[str]) -> str:
    session = cursor.session
    known = {
        "AUTOCOMMIT": (str(session._autocommit).lower(), "true", "BOOLEAN"),
        "QUERY_TAG": (session.query_tag, "", "STRING"),
        "QUOTED_IDENTIFIERS_IGNORE_CASE": ("false", "false", "BOOLEAN"),
        "TIMEZONE": ("Etc/UTC", "America/Los_Angeles", "STRING"),
    } | {key: (value, "", "STRING") for key, value in session.parameters.items()}
    rows = [
        (key, value, default, "SESSION" if value != default else "", "", kind)
        for key, (value, default, kind) in sorted(known.items())
        if like(match, key)
    ]
    return table(("key", "value", "default", "level", "description", "type"), rows)


def explain(cursor: Cursor, match: re.Match[str]) -> str:
    cursor.run_snowflake(f"SELECT * FROM ({match['query']}) LIMIT 0")
    return "SELECT 1 AS step, 0 AS id, NULL AS parent, 'Result' AS operation, NULL AS objects"


STATEMENTS = (
    control("USE ROLE <name:id>", use_role),
    control("USE WAREHOUSE <name:id>", use_warehouse),
    control("USE SECONDARY ROLES <which:ALL|NONE>", use_secondary_roles),
    control("USE <name:(?!(?:DATABASE|SCHEMA|ROLE|WAREHOUSE|SECONDARY)\\s)[^\\s]+>", use_place),
    control("ALTER SESSION SET <rest:*>", set_parameters),
    control("ALTER SESSION UNSET <keys:[\\w,\\s]+>", unset_parameters),
    control("SHOW PARAMETERS [LIKE <like:string>] [IN|FOR SESSION]", show_parameters),
    control("EXPLAIN [USING TEXT|TABULAR|JSON] <query:(?:SELECT|WITH).*>", explain),
)
