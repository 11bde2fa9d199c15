"""GRANT, REVOKE and SHOW GRANTS."""

import re
from collections.abc import Iterable
from dataclasses import replace

from local.snowflake import errors, privileges
from local.snowflake.control.statement import control, flag, table
from local.snowflake.cursor import SUCCESS, Cursor
from local.snowflake.grants import ALL_PRIVILEGES, Grant, group
from local.snowflake.names import fold, split

_KINDS = "|".join(sorted((k for k in ALL_PRIVILEGES if k != "ACCOUNT"), key=len, reverse=True))
_PLURALS = "TABLES|VIEWS|SCHEMAS|STAGES|FILE FORMATS|SEQUENCES|DYNAMIC TABLES"
_PRIVILEGES = r"[\w ]+(?:\s*,\s*[\w ]+)*"
_IN_SCHEMA = {"TABLE", "VIEW", "DYNAMIC TABLE", "STAGE", "FILE FORMAT", "SEQUENCE"}


def _words(text: str) -> str:
    return " ".join(text.upper().split())


def _revokes(match: re.Match[str]) -> bool:
    return match[0].upper().startswith("REVOKE")


def _singular(plural: str) -> str:
    return _words(plural).removesuffix("S")


def _privileges(text: str, kind: str) -> list[str]:
    """The privileges that a GRANT names on a kind of object, ALL spelt out.

    Raises:
        ProgrammingError: for one that the kind does not have.
    """
    wanted = [_words(privilege) for privilege in text.split(",")]
    known = ALL_PRIVILEGES[kind]
    if wanted in (["ALL"], ["ALL PRIVILEGES"]):
        return list(known)
    for privilege in wanted:
        if privilege not in (*known, "OWNERSHIP", "APPLY"):
            raise errors.syntax(privilege)
    return wanted


def _name(cursor: Cursor, kind: str, written: str) -> tuple[str, ...]:
    if kind in _IN_SCHEMA:
        return cursor.session.qualify(written)
    return cursor.session.complete(split(written), 2) if kind == "SCHEMA" else (fold(written),)


def _grantee(cursor: Cursor, match: re.Match[str]) -> tuple[str, str]:
    kind, name = _words(match["to_kind"] or "ROLE"), fold(match["to"])
    if not cursor.session.engine.catalog.find(kind, name):
        raise errors.missing(kind.capitalize(), name)
    return kind, name


def _require_grantor(cursor: Cursor, kind: str, names: Iterable[tuple[str, ...]]) -> None:
    """Only the owner of an object, or a role with MANAGE GRANTS, may grant on it."""
    grants, session = cursor.session.engine.catalog.grants, cursor.session
    if grants.allows(session.roles, ("MANAGE GRANTS",), "ACCOUNT", ("ACCOUNT",)):
        return
    for name in names:
        if not grants.allows(session.roles, (), kind, name):
            if not grants.allows_any(session.roles, kind, name):
                raise errors.missing(kind.capitalize(), privileges.quote_plain(name))
            raise errors.error("SQL access control error:\nGrant not executed: Insufficient privileges.", 3003, "42501")


def on_role(cursor: Cursor, match: re.Match[str]) -> str:
    """GRANT ROLE … TO …, REVOKE ROLE … FROM …."""
    catalog, role = cursor.session.engine.catalog, fold(match["role"])
    kind, grantee = _grantee(cursor, match)
    if not catalog.find("ROLE", role):
        raise errors.missing("Role", role)
    _require_grantor(cursor, "ROLE", [(role,)])
    grant = Grant("USAGE", "ROLE", (role,), grantee, kind, granted_by=cursor.session.role)
    if _revokes(match):
        catalog.grants.remove([grant])
    elif kind == "ROLE" and grantee in catalog.grants.roles_of(role):
        raise errors.invalid(f"Granting role {role} to {grantee} would make a cycle.")
    else:
        catalog.grants.add(grant)
    return SUCCESS


def on_account(cursor: Cursor, match: re.Match[str]) -> str:
    _require_grantor(cursor, "ACCOUNT", [("ACCOUNT",)])
    return _change(cursor, match, "ACCOUNT", [("ACCOUNT",)])


def on_object(cursor: Cursor, match: re.Match[str]) -> str:
    """On one object; without a kind, on a table or view, as dbt writes it."""
    grants = cursor.session.engine.catalog.grants
    kind = _words(match.groupdict().get("kind") or "TABLE")
    name = _name(cursor, kind, match["name"])
    if group(kind) == "TABLE":
        kind = grants.kind_of(name) or kind
    if grants.owner(kind, name) is None:
        shown = "Object" if group(kind) == "TABLE" else kind.capitalize()
        raise errors.missing(shown, privileges.quote_plain(name))
    _require_grantor(cursor, kind, [name])
    return _change(cursor, match, kind, [name])


def on_all(cursor: Cursor, match: re.Match[str]) -> str:
    """On every object of a kind in a schema or database, as they are now."""
    kind = _singular(match["kinds"])
    container = _container(cursor, match)
    names = [
        g.on_name
        for g in cursor.session.engine.catalog.grants.all()
        if (g.privilege, g.on_type, g.future) == ("OWNERSHIP", kind, False) and g.on_name[: len(container)] == container
    ]
    _require_grantor(cursor, kind, names)
    return _change(cursor, match, kind, names)


def on_future(cursor: Cursor, match: re.Match[str]) -> str:
    """On every object of a kind that will be created in a schema or database."""
    kind, container = _singular(match["kinds"]), _container(cursor, match)
    privileges.require_account("MANAGE GRANTS", cursor.session)
    return _change(cursor, match, kind, [container], future=True)


def _container(cursor: Cursor, match: re.Match[str]) -> tuple[str, ...]:
    kind = _words(match["in_kind"])
    name = _name(cursor, kind, match["name"])
    if cursor.session.engine.catalog.grants.owner(kind, name) is None:
        raise errors.missing(kind.capitalize(), privileges.quote_plain(name))
    return name


def _change(
    cursor: Cursor, match: re.Match[str], kind: str, names: list[tuple[str, ...]], *, future: bool = False
) -> str:
    grants, by = cursor.session.engine.catalog.grants, cursor.session.role
    to_kind, grantee = _grantee(cursor, match)
    if to_kind != "ROLE":
        raise errors.unsupported("privileges granted to a USER; grant them to a role")
    wanted = _privileges(match["privileges"], kind)
    changed = [Grant(p, kind, name, grantee, future=future, granted_by=by) for name in names for p in wanted]
    if _revokes(match):
        if "OWNERSHIP" in wanted and not future:
            raise errors.invalid("OWNERSHIP cannot be revoked; GRANT OWNERSHIP to another role.")
        grants.remove(changed)
        return SUCCESS
    if "OWNERSHIP" in wanted and not future:
        for name in names:
            _pass_on(cursor, kind, name, grantee, _words(match.groupdict().get("current") or ""))
    grants.add(*changed)
    return SUCCESS


def _pass_on(cursor: Cursor, kind: str, name: tuple[str, ...], grantee: str, current: str) -> None:
    """Before ownership passes, the other grants on the object must be copied or revoked by name, or be none."""
    grants = cursor.session.engine.catalog.grants
    others = [g for g in grants.on(kind, name) if g.privilege != "OWNERSHIP"]
    if current.startswith("REVOKE"):
        grants.remove(others)
    elif others and not current and grants.owner(kind, name) != grantee:
        first = others[0]
        raise errors.error(
            f"SQL execution error: Dependent grant of privilege '{first.privilege}' on securable "
            f"'{privileges.quote_plain(name)}' to role '{first.grantee}' exists. It must be revoked first, or use "
            "GRANT OWNERSHIP … COPY CURRENT GRANTS or REVOKE CURRENT GRANTS.", 3036, "0A000")  # fmt: skip


_SHOWN = ("created_on TIMESTAMPTZ", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option",
          "granted_by")  # fmt: skip


def _shown(grants: Iterable[Grant]) -> str:
    def name(g: Grant) -> str:
        shown = privileges.quote_plain(g.on_name)
        return f"{shown}.<{g.on_type}>" if g.future else shown

    rows = [
        (g.created_on, g.privilege, g.on_type.replace(" ", "_"), name(g), g.grantee_type, g.grantee,
         str(g.privilege == "OWNERSHIP").lower(), g.granted_by or "")
        for g in sorted(grants, key=lambda g: (g.on_type, g.on_name, g.privilege, g.grantee))
    ]  # fmt: skip
    return table(_SHOWN, rows)


def show_to(cursor: Cursor, match: re.Match[str]) -> str:
    kind, name = _words(match["kind"] or "ROLE"), fold(match["name"])
    catalog = cursor.session.engine.catalog
    if not catalog.find(kind, name):
        raise errors.missing(kind.capitalize(), name)
    future = flag(match, "future")
    found = [g for g in catalog.grants.all() if (g.grantee_type, g.grantee, g.future) == (kind, name, future)]
    if kind == "ROLE":
        return _shown(found)
    rows = [(g.created_on, g.on_name[0], g.grantee_type, g.grantee, g.granted_by or "") for g in found]
    return table(("created_on TIMESTAMPTZ", "role", "granted_to", "grantee_name", "granted_by"), rows)


def show_of(cursor: Cursor, match: re.Match[str]) -> str:
    role = fold(match["name"])
    found = [g for g in cursor.session.engine.catalog.grants.on("ROLE", (role,)) if g.privilege == "USAGE"]
    rows = [(g.created_on, role, g.grantee_type, g.grantee, g.granted_by or "") for g in found]
    return table(("created_on TIMESTAMPTZ", "role", "granted_to", "grantee_name", "granted_by"), rows)


def show_on(cursor: Cursor, match: re.Match[str]) -> str:
    grants, session = cursor.session.engine.catalog.grants, cursor.session
    kind = _words(match["kind"] or "TABLE")
    name = _name(cursor, kind, match["name"])
    manages = grants.allows(session.roles, ("MANAGE GRANTS",), "ACCOUNT", ("ACCOUNT",))
    if grants.owner(kind, name) is None or not (manages or grants.allows_any(session.roles, kind, name)):
        raise errors.missing(kind.capitalize(), privileges.quote_plain(name))
    return _shown(grants.on(kind, name))


def show_on_account(cursor: Cursor, match: re.Match[str]) -> str:
    return _shown(cursor.session.engine.catalog.grants.on("ACCOUNT", ("ACCOUNT",)))


def show_future(cursor: Cursor, match: re.Match[str]) -> str:
    name = _container(cursor, match)
    return _shown(cursor.session.engine.catalog.grants.future_in(name))


def show_own(cursor: Cursor, match: re.Match[str]) -> str:
    user = cursor.session.user
    found = [g for g in cursor.session.engine.catalog.grants.all() if (g.grantee_type, g.grantee) == ("USER", user)]
    return _shown(replace(g) for g in found)


_TO = "TO|FROM [to_kind: ROLE|USER] <to:id>"
_VERB = f"<privileges:{_PRIVILEGES}> ON"
_END = "[current: COPY|REVOKE CURRENT GRANTS] [CASCADE|RESTRICT]"
STATEMENTS = tuple(
    statement
    for verb in ("GRANT", "REVOKE")
    for statement in (
        control(f"{verb} ROLE <role:id> {_TO}", on_role),
        control(f"{verb} {_VERB} ACCOUNT {_TO}", on_account),
        control(f"{verb} {_VERB} ALL <kinds:{_PLURALS}> IN <in_kind:SCHEMA|DATABASE> <name:name> {_TO} {_END}", on_all),
        control(f"{verb} {_VERB} FUTURE <kinds:{_PLURALS}> IN <in_kind:SCHEMA|DATABASE> <name:name> {_TO} {_END}",
                on_future),
        control(f"{verb} {_VERB} <kind:{_KINDS}> <name:name> {_TO} {_END}", on_object),
        control(f"{verb} {_VERB} <name:name> {_TO}", on_object),
    )
) + (
    control("SHOW GRANTS", show_own),
    control("SHOW [future: FUTURE] GRANTS TO [kind: ROLE|USER] <name:id>", show_to),
    control("SHOW GRANTS OF ROLE <name:id>", show_of),
    control("SHOW GRANTS ON ACCOUNT", show_on_account),
    control(f"SHOW GRANTS ON <kind:{_KINDS}> <name:name>", show_on),
    control("SHOW GRANTS ON [kind: NOTHING] <name:name>", show_on),
    control("SHOW FUTURE GRANTS IN <in_kind:SCHEMA|DATABASE> <name:name>", show_future),
)  # fmt: skip
