"""Paths that Python code makes of `__file__` and text, worked out without running it."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable

Lookup = Callable[[ast.expr], str | None]
"""What a name or `module.NAME` stands for, if that is a path."""

_NAME = re.compile(r"[\w.\-/=]*[\w\-]\.\w+")
_PATH = re.compile(r"[\w.\-/]*/[\w.\-/]*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_MODULE = re.compile(r"-m\s+([\w.]+)|^([A-Za-z_]\w*)$")
_UNCHANGED = {"resolve", "absolute", "as_posix", "expanduser", "__str__", "__fspath__"}
_WRAPPERS = {"Path", "PurePath", "PosixPath", "str", "fspath", "abspath", "realpath", "normpath"}


def path_of(node: ast.expr, file: str, lookup: Lookup) -> str | None:
    """The path below the root of the tree that an expression in `file` stands for; None if that cannot be told."""

    def of(each: ast.expr) -> str | None:
        return path_of(each, file, lookup)

    match node:
        case ast.Name("__file__"):
            return file
        case ast.Name() | ast.Attribute(ast.Name()) if (known := lookup(node)) is not None:
            return known
        case ast.Attribute(whole, "parent"):
            return _up(of(whole), 1)
        case ast.Subscript(ast.Attribute(whole, "parents"), ast.Constant(int(n))) if n >= 0:
            return _up(of(whole), n + 1)
        case ast.BinOp(whole, ast.Div(), ast.Constant(str(part))):
            return _join(of(whole), [part])
        case ast.Call(ast.Attribute(whole, method), [], []) if method in _UNCHANGED:
            return of(whole)
        case ast.Call(ast.Name("Path" | "PurePath") | ast.Attribute(_, "join" | "Path"), [first, *more]) if more:
            return _join(of(first), [each.value if isinstance(each, ast.Constant) else None for each in more])
        case ast.Call(ast.Attribute(whole, "joinpath"), parts):
            return _join(of(whole), [each.value if isinstance(each, ast.Constant) else None for each in parts])
        case ast.Call(ast.Attribute(whole, "with_name"), [ast.Constant(str(part))]):
            return _join(_up(of(whole), 1), [part])
        case ast.Call(ast.Attribute(_, "dirname") | ast.Name("dirname"), [whole]):
            return _up(of(whole), 1)
        case ast.Call(ast.Name(name) | ast.Attribute(_, name), [whole]) if name in _WRAPPERS:
            return of(whole)
    return None


def names_in(text: str) -> list[str]:
    """What may be names of files in a text: words with a dot in them, with the folders before."""
    return [match.strip("./") for match in _NAME.findall(text)] if "." in text else []


def folders_in(text: str) -> list[str]:
    """What may be paths of folders in a text: words with a `/` in them."""
    return _PATH.findall(text) if "/" in text else []


def modules_in(text: str) -> list[str]:
    """What may be names of modules in a text: `package.module`, and what follows `-m` or stands alone."""
    dotted = [word for word in _DOTTED.findall(text) if "." in text]
    return dotted + [name for pair in _MODULE.findall(text) for name in pair if name]


def pattern_of(node: ast.expr) -> str | None:
    """The text that an f-string, a sum, `%` or `format` makes, `*` for what is not known of it; None for another."""
    match node:
        case ast.JoinedStr(values):
            return "".join(_text(each) for each in values)
        case ast.BinOp(left, ast.Add(), right):
            parts = [_text(left), _text(right)]
            return None if parts == ["*", "*"] else "".join(parts)
        case ast.BinOp(ast.Constant(str(text)), ast.Mod(), _):
            return re.sub(r"%(\(\w+\))?[-+0 #]*\d*(\.\d+)?[a-zA-Z]", "*", text)
        case ast.Call(ast.Attribute(ast.Constant(str(text)), "format"), _):
            return re.sub(r"\{[^{}]*\}", "*", text)
    return None


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return pattern_of(node) or "*"


def _up(path: str | None, times: int) -> str | None:
    for _ in range(times):
        if not path:
            return None  # above the root, or not known
        path = posixpath.dirname(path)
    return path


def _join(path: str | None, parts: list[object]) -> str | None:
    if path is None or not all(isinstance(part, str) and not part.startswith("/") for part in parts):
        return None
    joined = posixpath.normpath(posixpath.join(path, *map(str, parts)))
    return None if joined.startswith("..") else "" if joined == "." else joined
