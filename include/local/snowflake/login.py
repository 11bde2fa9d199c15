"""Logging in: who it is, in which role, and where the session starts."""

from typing import Any

from local.snowflake import auth
from local.snowflake.auth import LoginRefused
from local.snowflake.catalog import AccountObject
from local.snowflake.engine import Engine
from local.snowflake.names import fold
from local.snowflake.privileges import can_use
from local.snowflake.session import Session


def open_session(engine: Engine, body: dict[str, Any], query: dict[str, str]) -> Session:
    """A session for a login request.

    Args:
        body: its ``data``: LOGIN_NAME with PASSWORD, or with AUTHENTICATOR = SNOWFLAKE_JWT and TOKEN.
        query: its URL parameters: roleName, databaseName, schemaName, warehouse.

    Raises:
        LoginRefused: 390100 wrong user or password, 390144 wrong token, 390101 disabled, 390189 role not granted.
    """
    user = _authenticate(engine, body)
    role = _role(engine, user, query.get("roleName"))
    parameters = body.get("SESSION_PARAMETERS") or {}
    session = Session(engine, user.name, role, autocommit=_truth(parameters.get("AUTOCOMMIT", True)))
    session.account = str(body.get("ACCOUNT_NAME") or "").upper()
    session.query_tag = str(parameters.get("QUERY_TAG") or "")
    namespace = str(user.properties.get("DEFAULT_NAMESPACE") or "").split(".")
    database = query.get("databaseName") or namespace[0]
    schema = query.get("schemaName") or (namespace[1] if not query.get("databaseName") and len(namespace) > 1 else "")
    _start(session, database, schema)
    warehouse = query.get("warehouse") or user.properties.get("DEFAULT_WAREHOUSE")
    if warehouse and engine.catalog.grants.allows(session.roles, ("USAGE",), "WAREHOUSE", (fold(warehouse),)):
        session.warehouse = fold(warehouse)
    return session


def reply(session: Session, token: str, version: str) -> dict[str, Any]:
    """The ``data`` of a login's reply. With no masterToken the connector would never end its session."""
    return {
        "token": token,
        "masterToken": token,
        "validityInSeconds": 86400,
        "masterValidityInSeconds": 86400,
        "displayUserName": session.user,
        "serverVersion": version,
        "sessionId": session.id,
        "parameters": [
            {"name": "AUTOCOMMIT", "value": session._autocommit},
            {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
            {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
            {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
        ],
        "sessionInfo": {
            "databaseName": session.database,
            "schemaName": session.schema,
            "warehouseName": session.warehouse,
            "roleName": session.role,
        },
    }


def _authenticate(engine: Engine, body: dict[str, Any]) -> AccountObject:
    login_name = str(body.get("LOGIN_NAME") or "").upper()
    by_token = body.get("AUTHENTICATOR") == "SNOWFLAKE_JWT"
    user = next((u for u in engine.catalog.objects("USER") if u.properties.get("LOGIN_NAME") == login_name), None)
    properties = user.properties if user else {}
    if by_token:
        keys = [properties[key] for key in ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2") if properties.get(key)]
        auth.verify_token(str(body.get("TOKEN")), str(body.get("ACCOUNT_NAME")), login_name, keys)
    elif not auth.password_matches(str(body.get("PASSWORD") or ""), properties.get("PASSWORD_HASH")):
        raise auth.bad_password()
    if user is None:
        raise auth.bad_password()
    if properties.get("DISABLED"):
        raise LoginRefused("390101", "User access disabled. Contact your local system administrator.")
    return user


def _role(engine: Engine, user: AccountObject, asked: str | None) -> str:
    """The role asked for, else the user's default, else PUBLIC. One asked for must be granted to the user."""
    granted = engine.catalog.grants.roles_of(user.name, "USER")
    if asked:
        if fold(asked) not in granted:
            raise LoginRefused(
                "390189",
                f"Role '{fold(asked)}' specified in the connect string is not granted to this user. Contact your "
                "local system administrator, or attempt to login with another role, e.g. PUBLIC.",
            )
        return fold(asked)
    default = user.properties.get("DEFAULT_ROLE")
    return default if default in granted else "PUBLIC"


def _start(session: Session, database: str, schema: str) -> None:
    """Go to a database and schema; one that is not there, or is hidden, is left unset as Snowflake does."""
    if not database or not can_use(session, "DATABASE", (fold(database),)):
        return
    wanted = fold(schema) if schema else "PUBLIC"
    usable = wanted == "INFORMATION_SCHEMA" or can_use(session, "SCHEMA", (fold(database), wanted))
    session.use(fold(database), wanted if usable else None)


def _truth(value: Any) -> bool:
    return str(value).lower() != "false"
