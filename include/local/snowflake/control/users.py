"""CREATE, ALTER, DROP, DESCRIBE and SHOW USER. No user has a password unless one is set."""

import re
from typing import Any

from local.snowflake import auth, errors
from local.snowflake.catalog import SCHEMA, AccountObject
from local.snowflake.changes import own
from local.snowflake.control.statement import control, flag, like, parse, table
from local.snowflake.cursor import SUCCESS, Cursor, status
from local.snowflake.names import fold
from local.snowflake.privileges import require_account, require_object

_PROPERTIES = {
    "PASSWORD", "LOGIN_NAME", "DISPLAY_NAME", "FIRST_NAME", "LAST_NAME", "EMAIL", "MUST_CHANGE_PASSWORD", "DISABLED",
    "DEFAULT_WAREHOUSE", "DEFAULT_NAMESPACE", "DEFAULT_ROLE", "DEFAULT_SECONDARY_ROLES", "TYPE", "COMMENT",
    "RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2", "DAYS_TO_EXPIRY", "MINS_TO_UNLOCK",
}  # fmt: skip
_NAMES = ("DEFAULT_WAREHOUSE", "DEFAULT_ROLE", "LOGIN_NAME")
_TYPES = ("PERSON", "SERVICE", "LEGACY_SERVICE")


def create(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    name = fold(match["name"])
    require_account("CREATE USER", session)
    properties = _checked(parse(match, _PROPERTIES, "USER"), {"LOGIN_NAME": name})
    if catalog.find("USER", name):
        if flag(match, "missing"):
            return status(f"{name} already exists, statement succeeded.")
        if not flag(match, "replace"):
            raise errors.exists(name)
        _drop(cursor, name)
    catalog.put(AccountObject("USER", name, properties.pop("COMMENT", None), properties))
    own(session, "USER", (name,))
    return status(f"User {name} successfully created.")


def alter(cursor: Cursor, match: re.Match[str]) -> str:
    session, catalog = cursor.session, cursor.session.engine.catalog
    name = fold(match["name"])
    found = catalog.find("USER", name)
    if flag(match, "exists") and not found:
        return SUCCESS
    if session.user != name or not found:
        require_object("USER", name, ("OWNERSHIP",), session)
    given = parse(match, _PROPERTIES, "USER")
    comment = given.pop("COMMENT", found.comment)
    catalog.put(AccountObject("USER", name, comment, _checked(given, found.properties)))
    return SUCCESS


def unset(cursor: Cursor, match: re.Match[str]) -> str:
    catalog, name = cursor.session.engine.catalog, fold(match["name"])
    require_object("USER", name, ("OWNERSHIP",), cursor.session)
    found = catalog.find("USER", name)
    keys = set(re.findall(r"\w+", match["keys"].upper()))
    if "PASSWORD" in keys:
        keys.add("PASSWORD_HASH")
    kept = {key: value for key, value in found.properties.items() if key not in keys}
    catalog.put(AccountObject("USER", name, None if "COMMENT" in keys else found.comment, kept))
    return SUCCESS


def _checked(given: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The stored properties of a user, from those before and those given.

    Raises:
        ProgrammingError: for a key that is no RSA key, an unknown TYPE, or a SERVICE user with a password.
    """
    for key in ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2"):
        if given.get(key):
            try:
                given[key] = auth.read_public_key(str(given[key]))
            except ValueError as e:
                raise errors.error(f"SQL compilation error:\nNew public key rejected by current policy. Reason: '{e}'",
                                   390422, "22023") from e  # fmt: skip
    for key in _NAMES:
        if isinstance(given.get(key), str):
            given[key] = given[key].upper()
    if password := given.pop("PASSWORD", None):
        given["PASSWORD_HASH"] = auth.hash_password(str(password))
    stored = before | given
    kind = stored["TYPE"] = str(stored.get("TYPE") or "PERSON").upper()
    if kind not in _TYPES:
        raise errors.invalid(f"invalid value '{kind}' for property 'TYPE'; one of {', '.join(_TYPES)}")
    if kind == "SERVICE" and stored.get("PASSWORD_HASH"):
        raise errors.invalid("Cannot set PASSWORD on users with TYPE=SERVICE; set RSA_PUBLIC_KEY instead.")
    return stored


def drop(cursor: Cursor, match: re.Match[str]) -> str:
    name = fold(match["name"])
    if flag(match, "exists") and not cursor.session.engine.catalog.find("USER", name):
        return status(f"Drop statement executed successfully ({name} already dropped).")
    _drop(cursor, name)
    return status(f"{name} successfully dropped.")


def _drop(cursor: Cursor, name: str) -> None:
    catalog = cursor.session.engine.catalog
    require_object("USER", name, ("OWNERSHIP",), cursor.session)
    with catalog.lock:
        catalog.grants.remove(g for g in list(catalog.grants.all()) if (g.grantee_type, g.grantee) == ("USER", name))
        catalog.grants.drop_object("USER", (name,))
        catalog.delete("USER", name)


def describe(cursor: Cursor, match: re.Match[str]) -> str:
    catalog, name = cursor.session.engine.catalog, fold(match["name"])
    if cursor.session.user != name:
        require_object("USER", name, ("MONITOR",), cursor.session)
    user = catalog.find("USER", name)
    values: dict[str, Any] = {"NAME": name, "COMMENT": user.comment} | {
        key: user.properties.get(key) for key in sorted(_PROPERTIES - {"PASSWORD", "COMMENT"})
    }
    values["PASSWORD"] = "********" if user.properties.get("PASSWORD_HASH") else None
    for suffix in ("", "_2"):
        key = user.properties.get(f"RSA_PUBLIC_KEY{suffix}")
        values[f"RSA_PUBLIC_KEY{suffix}_FP"] = auth.fingerprint(key) if key else None
    rows = [(key, None if value is None else str(value), "null", "") for key, value in sorted(values.items())]
    return table(("property", "value", "default", "description"), rows)


def show(cursor: Cursor, match: re.Match[str]) -> str:
    catalog = cursor.session.engine.catalog
    created = dict(catalog.rows(f"SELECT name, created_on FROM {SCHEMA}.objects WHERE kind = 'USER'"))

    def row(user: AccountObject) -> list[Any]:
        p = user.properties
        return [
            user.name, created[user.name], p.get("LOGIN_NAME"), p.get("DISPLAY_NAME", user.name), p.get("EMAIL", ""),
            user.comment or "", str(bool(p.get("DISABLED"))).lower(), p.get("DEFAULT_WAREHOUSE", ""),
            p.get("DEFAULT_NAMESPACE", ""), p.get("DEFAULT_ROLE", ""), catalog.grants.owner("USER", (user.name,)),
            str(bool(p.get("PASSWORD_HASH"))).lower(), str(bool(p.get("RSA_PUBLIC_KEY"))).lower(),
            p.get("TYPE", "PERSON"),
        ]  # fmt: skip

    visible = [
        user for user in catalog.objects("USER")
        if like(match, user.name)
        and (user.name == cursor.session.user
             or catalog.grants.allows(cursor.session.roles, ("CREATE USER",), "ACCOUNT", ("ACCOUNT",))
             or catalog.grants.allows_any(cursor.session.roles, "USER", (user.name,)))
    ]  # fmt: skip
    return table(
        ("name", "created_on TIMESTAMPTZ", "login_name", "display_name", "email", "comment", "disabled",
         "default_warehouse", "default_namespace", "default_role", "owner", "has_password", "has_rsa_public_key",
         "type"), [row(user) for user in visible])  # fmt: skip


STATEMENTS = (
    control("CREATE [replace: OR REPLACE] USER [missing: IF NOT EXISTS] <name:id> <rest:*>", create),
    control("ALTER USER [exists: IF EXISTS] <name:id> SET <rest:*>", alter),
    control("ALTER USER <name:id> UNSET <keys:[\\w,\\s]+>", unset),
    control("DROP USER [exists: IF EXISTS] <name:id>", drop),
    control("DESC|DESCRIBE USER <name:id>", describe),
    control("SHOW [TERSE] USERS [LIKE <like:string>]", show),
)
