"""The ``KEY = value`` lists that end most of Snowflake's DDL."""

import re
from collections.abc import Collection

from local.snowflake.names import STRING, unquote_string

Value = str | bool | int | list[str] | None

_PAIR = re.compile(rf"(\w+)\s*=\s*({STRING}|\((?:[^()']|{STRING})*\)|[\w.%$-]+|\"[^\"]+\")", re.S)


class BadProperties(ValueError):
    """The list holds something that is no ``KEY = value`` pair, or a key that the statement does not know."""


def parse(text: str | None, allowed: Collection[str] | None = None) -> dict[str, Value]:
    """Parse ``A = 1 B = 'x' C = (…)`` to upper-case keys and Python values.

    Strings are unescaped, TRUE/FALSE become booleans, digits become integers, NULL becomes None and a
    parenthesised list becomes a list of strings.

    Raises:
        BadProperties: for text that is no pair, or a key not in ``allowed``; the message names it.
    """
    text = re.sub(r"^\s*WITH\b", "", text or "", flags=re.I)
    if rest := _PAIR.sub("", text).replace(",", " ").split():
        raise BadProperties(f"unexpected '{rest[0]}'")
    found = {key.upper(): _value(value) for key, value in _PAIR.findall(text)}
    if allowed is not None and (unknown := [key for key in found if key not in allowed]):
        raise BadProperties(f"invalid property '{unknown[0]}'")
    return found


def _value(text: str) -> Value:
    if text.startswith(("'", "$$")):
        return unquote_string(text)
    if text.startswith("("):
        inner = text[1:-1]
        return [unquote_string(s) for s in re.findall(STRING, inner, re.S)] or re.findall(r"[\w.$-]+", inner)
    if text.startswith('"'):
        return text[1:-1]
    if text.isdigit():
        return int(text)
    return {"TRUE": True, "FALSE": False, "NULL": None}.get(text.upper(), text)
