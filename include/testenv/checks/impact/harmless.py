"""Changes of which it can be proved that nothing runs differently for them. What cannot be proved is a change."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Safe, and in C where there is one: several times as fast."""

_PROSE = (".md", ".rst")
_UNREAD = {"LICENSE", "LICENCE", "CODEOWNERS", ".gitignore", ".gitattributes", ".editorconfig"}
_SHOWN = {"doc_md", "description"}
"""Arguments that show a docstring to people: Airflow's and argparse's."""

_TOKEN = re.compile(
    r"(?P<jinja_comment>\{#.*?#\})|(?P<jinja>\{\{.*?\}\}|\{%.*?%\})|(?P<comment>--[^\n]*|/\*.*?\*/)"
    r"|(?P<quoted>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"]|\"\")*\")|(?P<space>\s+)|(?P<other>[A-Za-z0-9_]+|.)",
    re.DOTALL,
)
_UNSURE = re.compile(r"//|\$\$|`|\{%-?\s*(?:macro|call|filter|raw|set\s+\w+\s*-?%)")
"""Where text may be more than SQL: other comments and quotes, and blocks whose blanks may end up within quotes."""


def prose(path: str) -> bool:
    """Whether the file is for people alone, by its name."""
    return path.endswith(_PROSE) or path.rpartition("/")[2] in _UNREAD


def same(path: str, before: bytes, after: bytes) -> str:
    """Why the two contents run the same; empty if that cannot be proved."""
    if before == after:
        return "equal"
    if path.endswith(".py"):
        return "only comments, docstrings or layout of Python" if _same(python, before, after) else ""
    if path.endswith(".sql"):
        return "only comments or blanks of SQL" if _same(sql, before, after) else ""
    if path.endswith((".json", ".avsc")):
        return "only layout of JSON" if _same(json_value, before, after) else ""
    return ""


def same_yaml(before: bytes, after: bytes) -> bool:
    """Whether two YAML files hold the same, in the same order. For files that are read as YAML and as nothing else."""
    return _same(yaml_value, before, after)


def _same(read: Any, before: bytes, after: bytes) -> bool:
    try:
        first, second = read(before), read(after)
    except (ValueError, SyntaxError, RecursionError, yaml.YAMLError):
        return False
    return first is not None and first == second


def python(content: bytes) -> str | None:
    """The program without comments and docstrings; None if it may read its docstrings."""
    tree = ast.parse(content)
    shown = {id(word.value) for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg in _SHOWN}
    for node in ast.walk(tree):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in ("getdoc", "getsource", "docopt") or (name == "__doc__" and id(node) not in shown):
            return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the body begins with a docstring."""
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def sql(content: bytes) -> list[str] | None:
    """The tokens of templated SQL, comments and blanks as one blank; None where it cannot be told what is one."""
    text = content.decode("utf-8").strip()
    if _UNSURE.search(text):
        return None
    tokens = [" "]
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup, match.group()
        if kind == "jinja_comment":
            # It becomes nothing, but with a dash it takes the blanks beside it along.
            token = f"{token[:3]}#}}" * token.startswith("{#-") + "{#-#}" * token.endswith("-#}")
        elif kind == "comment":
            if not re.match(r"--(\s|$)|/\*(?!\+)", token) or re.search(r"\{[{%#]|/\*", token[2:]):
                return None  # a hint, an operator, or a template within the comment
            token = " "
        elif kind == "space":
            token = " "
        elif token in "'\"" or (kind == "quoted" and re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", token).count("{")):
            return None  # a quote that does not end, or ends within a template
        if token and not (token == " " == tokens[-1]):
            tokens.append(token)
    return tokens if tokens[-1] != " " else tokens[:-1]


def json_value(content: bytes) -> str:
    """What the file holds, in its order."""
    return json.dumps(json.loads(content, object_pairs_hook=lambda pairs: {"": [[key, value] for key, value in pairs]}))


def yaml_value(content: bytes) -> str:
    """As `json_value`."""
    return repr(yaml.load(content, LOADER))
