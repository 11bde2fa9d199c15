"""Snowflake identifiers and literals, in both directions. Pure text; imports nothing of the engine."""

import re

IDENTIFIER = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
NAME = rf"{IDENTIFIER}(?:\.{IDENTIFIER}){{0,2}}"
STRING = r"(?:'(?:[^'\\]|''|\\.)*'|\$\$.*?\$\$)"

_PART = re.compile(IDENTIFIER)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def fold(identifier: str) -> str:
    """The stored form of an identifier: quoted ones keep their case, the others are upper-cased."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.upper()


def split(name: str) -> list[str]:
    """The stored forms of a dotted name's parts: ``db."s".t`` gives ``["DB", "s", "T"]``."""
    return [fold(part) for part in _PART.findall(name)]


def quote(*parts: str) -> str:
    """A dotted name of stored parts, quoted for SQL."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(value: object) -> str:
    """A DuckDB literal of a value: NULL, a boolean, a number or a string."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def unquote_string(text: str) -> str:
    """The value of a Snowflake string literal, ``'it''s'`` or ``$$it's$$``."""
    if text.startswith("$$"):
        return text[2:-2]
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1].replace("''", "'"), flags=re.S)


def like_matches(pattern: str, name: str) -> bool:
    """Whether SHOW … LIKE ``pattern`` selects ``name``: SQL wildcards, case-insensitive."""
    parts = re.findall(r"\\.|.", pattern, flags=re.S)
    regex = "".join({"%": ".*", "_": "."}.get(p, re.escape(p[-1])) for p in parts)
    return re.fullmatch(regex, name, flags=re.I | re.S) is not None
