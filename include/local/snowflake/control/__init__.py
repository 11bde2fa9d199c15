"""Statements of Snowflake's control plane: account objects, grants, stages, the session. fakesnow's parser yields
opaque commands for most of them, so each is matched by its form here, before parsing. ``STATEMENTS`` is all of them."""

import re

from local.snowflake.control import (
    comments,
    databases,
    dynamic_tables,
    grants,
    integrations,
    roles,
    schemas,
    sessions,
    stages,
    tables,
    users,
    warehouses,
)
from local.snowflake.control.statement import Control

STATEMENTS: tuple[Control, ...] = (
    *sessions.STATEMENTS,
    *databases.STATEMENTS,
    *schemas.STATEMENTS,
    *tables.STATEMENTS,
    *dynamic_tables.STATEMENTS,
    *comments.STATEMENTS,
    *stages.STATEMENTS,
    *integrations.STATEMENTS,
    *warehouses.STATEMENTS,
    *users.STATEMENTS,
    *roles.STATEMENTS,
    *grants.STATEMENTS,
)
"""In order: the first form that matches a statement runs it."""

_BY_VERB: dict[str, list[Control]] = {}
for _statement in STATEMENTS:
    for _verb in _statement.verbs:
        _BY_VERB.setdefault(_verb, []).append(_statement)


def find(text: str) -> tuple[Control, re.Match[str]] | None:
    """The control statement that a text is, with its match; None for all that fakesnow is to run."""
    verb = re.match(r"\w*", text)
    for statement in _BY_VERB.get(verb[0].upper() if verb else "", ()):
        if match := statement.pattern.fullmatch(text):
            return statement, match
    return None
