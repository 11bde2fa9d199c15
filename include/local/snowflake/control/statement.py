"""The shape of a control statement: a pattern, and what runs when it matches."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from local.snowflake import errors, properties
from local.snowflake.cursor import Cursor
from local.snowflake.names import IDENTIFIER, NAME, STRING, like_matches, literal, unquote_string

Run = Callable[[Cursor, re.Match[str]], str]
"""Runs a matched statement and returns the DuckDB query whose result is the reply."""


_KINDS = {"id": IDENTIFIER, "name": NAME, "string": STRING, "stage": r"@[^\s;]+|'@[^']+'"}
_DDL = ("CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COMMENT")
_ACCOUNT_DDL = re.compile(r"GRANT|REVOKE|(CREATE|ALTER|DROP).*\b(ROLE|USER|WAREHOUSE|RESOURCE MONITOR|INTEGRATION)\b")
_TOKEN = re.compile(r"\[\w+:|\[|\]|<[^>]+>|[^\s\[\]<>]+")


@dataclass(frozen=True)
class Control:
    """One form of a statement: the words it may begin with, and a pattern for all of it.

    ``defines``: it is DDL, before which an open transaction is committed. ``atomic``: all it writes is in the catalog,
    and is written as one.
    """

    verbs: tuple[str, ...]
    pattern: re.Pattern[str]
    run: Run
    defines: bool
    atomic: bool


def control(form: str, run: Run) -> Control:
    """A control statement, its form written much as Snowflake's manual does::

        CREATE [replace: OR REPLACE] DATABASE [missing: IF NOT EXISTS] <name:id> [CLONE <source:id>] <rest:*>

    ``[…]`` is optional, and captured when it begins with a name and a colon; ``<key:kind>`` captures an ``id``, a
    dotted ``name``, a ``string``, a ``stage``, one of ``SEVERAL|WORDS``, or (``*``) all that follows.
    """
    defines = form.startswith(_DDL) and not form.startswith("ALTER SESSION")
    verbs = tuple(form.split()[0].split("|"))
    return Control(verbs, re.compile(_regex(form), re.I | re.S), run, defines, bool(_ACCOUNT_DDL.match(form)))


def _regex(form: str) -> str:
    parts: list[str] = []
    gap = ""
    for token in _TOKEN.findall(form):
        if token == "]":
            parts.append(")?")
        elif token.startswith("["):
            parts.append("(?:" if token == "[" else f"(?P<{token[1:-1]}>")
        elif token == "=":
            parts.append(r"\s*=")
            gap = r"\s*"
        else:
            parts.append(_element(token, gap))
            gap = r"\s+"
    return "".join(parts)


def _element(token: str, gap: str) -> str:
    if not token.startswith("<"):
        return f"{gap}(?:{token})"
    key, _, kind = token[1:-1].partition(":")
    if kind == "*":
        return f"(?P<{key}>.*)"
    return f"{gap}(?P<{key}>{_KINDS.get(kind) or kind.replace(' ', chr(92) + 's+')})"


def parse(match: re.Match[str], allowed: Collection[str], kind: str, group: str = "rest") -> dict[str, Any]:
    """The properties at the end of a statement.

    Raises:
        ProgrammingError: for one that the kind of object does not have, or text that is none.
    """
    try:
        return dict(properties.parse(match[group], allowed))
    except properties.BadProperties as e:
        raise errors.error(f"SQL compilation error:\n{e} for '{kind}'", 1420, "42601") from e


def flag(match: re.Match[str], group: str) -> bool:
    """Whether an optional, captured part of a statement is there."""
    return bool(match.groupdict().get(group))


def like(match: re.Match[str], name: str) -> bool:
    """Whether a SHOW's LIKE, if any, selects the name."""
    pattern = match.groupdict().get("like")
    return pattern is None or like_matches(unquote_string(pattern), name)


def table(columns: Collection[str], rows: Collection[Collection[Any]]) -> str:
    """The DuckDB query of a fixed result: columns written ``name`` or ``name TYPE``, VARCHAR if not said."""
    typed = [column.rpartition(" ")[::2] if " " in column else (column, "VARCHAR") for column in columns]
    names = ", ".join(f'"{name}"' for name, _ in typed)
    casts = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in typed)
    lines = ", ".join("(" + ", ".join(literal(value) for value in row) + ")" for row in rows)
    if not rows:
        nulls = ", ".join("NULL" for _ in typed)
        return f"SELECT {casts} FROM (VALUES ({nulls})) AS t ({names}) WHERE FALSE"
    return f"SELECT {casts} FROM (VALUES {lines}) AS t ({names})"
