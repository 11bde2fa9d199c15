"""JSON in which single values are replaced and everything else stays as it was written, byte by byte.

Key order, spaces, the form of numbers and keys that stand twice survive; a parser that makes objects loses them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any

_SPACE = frozenset(" \t\n\r")
_LITERAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null|NaN|-?Infinity")

Enter = Callable[[Any, str | None], Any]
"""`(node, name)` → the node of what stands below: of a key, or of an array's items where the name is None."""

Leaf = Callable[[Any, list[str], int], None]
"""`(node, parts, index)`: `parts[index]` is a value's text, for a scalar other than null, NaN and the infinities."""


class NotJson(ValueError):
    """Text that is no JSON."""


def split(text: str, root: Any, enter: Enter, leaf: Leaf) -> list[str]:
    """Cut `text` where its scalars stand, and tell `leaf` of each; the parts joined are the text. Raises `NotJson`.

    `root` is the node of the whole. An empty array or object, and null, have nothing to tell.
    """
    return _Cutter(text, enter, leaf).cut(root)


def quote(value: str, ascii_only: bool) -> str:
    """A JSON string, with other characters than ASCII escaped where the document has none itself."""
    return json.dumps(value, ensure_ascii=ascii_only)


class _Cutter:
    def __init__(self, text: str, enter: Enter, leaf: Leaf) -> None:
        self._text, self._enter, self._leaf = text, enter, leaf
        self._parts: list[str] = []
        self._done = 0

    def cut(self, root: Any) -> list[str]:
        try:
            end = self._space(self._value(self._space(0), root))
        except (JSONDecodeError, IndexError, RecursionError):
            raise NotJson("not JSON") from None
        if end != len(self._text):
            raise NotJson("more than one JSON value")
        self._parts.append(self._text[self._done :])
        return self._parts

    def _space(self, at: int) -> int:
        """Where the white space ends that may begin at `at`."""
        while self._text[at : at + 1] in _SPACE:
            at += 1
        return at

    def _value(self, at: int, node: Any) -> int:
        end: int
        first = self._text[at]
        if first == "{":
            return self._object(at, node)
        if first == "[":
            return self._array(at, node)
        if first == '"':
            end = scanstring(self._text, at + 1, True)[1]
        else:
            found = _LITERAL.match(self._text, at)
            if not found:
                raise NotJson("no value")
            end = found.end()
            if first in "nNI" or self._text[at : at + 2] == "-I":
                return end
        self._parts += (self._text[self._done : at], self._text[at:end])
        self._done = end
        self._leaf(node, self._parts, len(self._parts) - 1)
        return end

    def _object(self, at: int, node: Any) -> int:
        at = self._space(at + 1)
        if self._text[at] == "}":
            return at + 1
        while True:
            if self._text[at] != '"':
                raise NotJson("a key must be a string")
            name, at = scanstring(self._text, at + 1, True)
            at = self._space(at)
            if self._text[at] != ":":
                raise NotJson("a key without a value")
            at = self._space(self._value(self._space(at + 1), self._enter(node, name)))
            if self._text[at] == "}":
                return at + 1
            at = self._comma(at)

    def _array(self, at: int, node: Any) -> int:
        at = self._space(at + 1)
        if self._text[at] == "]":
            return at + 1
        below = self._enter(node, None)
        while True:
            at = self._space(self._value(at, below))
            if self._text[at] == "]":
                return at + 1
            at = self._comma(at)

    def _comma(self, at: int) -> int:
        if self._text[at] != ",":
            raise NotJson("values without a comma between them")
        return self._space(at + 1)
