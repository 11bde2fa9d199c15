"""What a factory's code does for one entry of the catalogue: which branches cannot be taken.

Only expressions over the entry's own fields are worked out, and only those below; any other is unknown, and then every
branch may be taken.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_METHODS = {"split", "rsplit", "startswith", "endswith", "removeprefix", "removesuffix", "lower", "upper", "strip"}
_MOST = 10_000
"""The longest text or list that is worked out."""


Shape = tuple[set[str], dict[str, ast.expr]]
"""Of a function: its parameters that are entries, and its local names that are assigned once, with what is assigned."""


class Unknown(Exception):
    """The value cannot be told from the entry."""


class EntryClass:
    """The class whose attributes are an entry's fields, as its source says."""

    def __init__(self, source: ast.ClassDef) -> None:
        self.name = source.name
        self.fields: set[str] = set()
        self.defaults: dict[str, Any] = {}
        self.properties: dict[str, ast.FunctionDef] = {}
        self.shapes: dict[ast.AST, Shape] = {}
        self.branches: dict[ast.AST, list[ast.If | ast.IfExp | ast.Match]] = {}
        # A class that makes its attributes in another way than by fields is not followed.
        self.plain = not source.keywords and not source.bases
        for part in source.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                self.fields.add(part.target.id)
                if isinstance(part.value, ast.Constant):
                    self.defaults[part.target.id] = part.value.value
            elif isinstance(part, ast.FunctionDef):
                decorators = [each.id for each in part.decorator_list if isinstance(each, ast.Name)]
                if decorators == ["property"]:
                    self.properties[part.name] = part
                self.plain &= part.name not in ("__init__", "__post_init__", "__getattr__", "__getattribute__")


class Scope:
    """A function that has the entry as a parameter: what its expressions are worth for that entry."""

    def __init__(self, kind: EntryClass, entry: Mapping[str, Any], function: ast.AST) -> None:
        self._kind, self._entry = kind, entry
        if function not in kind.shapes:
            kind.shapes[function] = _shape(function, kind.name)
        self._names, self._locals = kind.shapes[function]

    def outcomes(self, function: ast.AST) -> tuple[bool | None, ...]:
        """Which way each branch of the function goes: entries for which they are equal are treated alike."""
        kind = self._kind
        if function not in kind.branches:
            kind.branches[function] = [
                node for node in ast.walk(function) if isinstance(node, ast.If | ast.IfExp | ast.Match)
            ]
        found: list[bool | None] = []
        for node in kind.branches[function]:
            if isinstance(node, ast.Match):
                found += [self.matches(node.subject, case) for case in node.cases]
            else:
                found.append(self.truth(node.test))
        return tuple(found)

    def truth(self, test: ast.expr) -> bool | None:
        """Whether a condition holds; None if that cannot be told."""
        try:
            return bool(self.value(test))
        except (Unknown, TypeError, ValueError, LookupError, AttributeError, RecursionError):
            return None

    def matches(self, subject: ast.expr, case: ast.match_case) -> bool | None:
        """Whether a case is taken, if none before it was; None if that cannot be told."""
        try:
            fits = _fits(case.pattern, self.value(subject))
        except (Unknown, TypeError, ValueError, LookupError, AttributeError, RecursionError):
            return None
        if not fits or case.guard is None:
            return fits
        return self.truth(case.guard)

    def value(self, node: ast.expr, names: Mapping[str, Any] | None = None) -> Any:
        """What an expression is worth. Raises `Unknown`, or what Python raises for it."""
        names = names or {}
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name) if name in names:
                return names[name]
            case ast.Name(name) if name in self._locals:
                return self.value(self._locals[name])
            case ast.Attribute(ast.Name(name), field) if name in self._names:
                return self._field(field)
            case ast.Subscript(whole, ast.Constant(int(place))):
                return self.value(whole, names)[place]
            case ast.Tuple(parts) | ast.List(parts) | ast.Set(parts):
                return [self.value(part, names) for part in parts]
            case ast.UnaryOp(ast.Not(), operand):
                return not self.value(operand, names)
            case ast.BoolOp(ast.And(), parts):
                return all(self.value(part, names) for part in parts)
            case ast.BoolOp(ast.Or(), parts):
                return any(self.value(part, names) for part in parts)
            case ast.Compare(left, [operator], [right]):
                return _compare(self.value(left, names), operator, self.value(right, names))
            case ast.Call(ast.Attribute(text, method), arguments, []) if method in _METHODS:
                if not isinstance(found := self.value(text, names), str):
                    raise Unknown
                return getattr(found, method)(*(self.value(each, names) for each in arguments))
            case ast.ListComp(part, [ast.comprehension(ast.Name(name), several, [], 0)]):
                return [self.value(part, {**names, name: each}) for each in _bounded(self.value(several, names))]
        raise Unknown

    def _field(self, field: str) -> Any:
        kind = self._kind
        if not kind.plain:
            raise Unknown
        if field in kind.fields:
            if field in self._entry:
                return self._entry[field]
            if field in kind.defaults:
                return kind.defaults[field]
        if field in kind.properties:
            code = kind.properties[field]
            last = code.body[-1]
            body = [
                each for each in code.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ]
            if len(body) == 1 and isinstance(last, ast.Return) and last.value is not None:
                inner = Scope(kind, self._entry, code)
                inner._names = {code.args.args[0].arg}
                return inner.value(last.value)
        raise Unknown


def takes_entry(function: ast.AST, kind: EntryClass) -> bool:
    """Whether a function has a parameter that is annotated as an entry."""
    return bool(_parameters(function, kind.name))


def live(node: ast.AST, scope: Scope | None) -> Iterator[ast.AST]:
    """The children of a node, without branches that are not taken."""
    if scope is not None and isinstance(node, ast.If | ast.IfExp):
        held = scope.truth(node.test)
        yield node.test
        for branch, taken in ((node.body, held is not False), (node.orelse, held is not True)):
            if taken:
                yield from branch if isinstance(branch, list) else [branch]
    elif scope is not None and isinstance(node, ast.Match):
        yield node.subject
        for case in node.cases:
            fits = scope.matches(node.subject, case)
            if fits is not False:
                yield case
            if fits:
                return
    else:
        yield from ast.iter_child_nodes(node)


def _shape(function: ast.AST, name: str) -> Shape:
    nodes = list(ast.walk(function))
    stored = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    bound = _bound(function, nodes)
    taken = bound | _arguments(function)
    assigned: dict[str, ast.expr] = {}
    for node in nodes:
        match node:
            case ast.Assign([ast.Name(local)], value) if stored[local] == 1 and local not in taken:
                assigned[local] = value
    return _parameters(function, name) - {*stored, *bound}, assigned


def _parameters(function: ast.AST, name: str) -> set[str]:
    return {each.arg for each in _all(function) if each.annotation is not None and _last_name(each.annotation) == name}


def _arguments(function: ast.AST) -> set[str]:
    return {each.arg for each in _all(function)}


def _all(function: ast.AST) -> list[ast.arg]:
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return []
    said = function.args
    return [each for each in (*said.posonlyargs, *said.args, said.vararg, *said.kwonlyargs, said.kwarg) if each]


def _last_name(annotation: ast.expr) -> str:
    match annotation:
        case ast.Name(name) | ast.Attribute(_, name):
            return name
        case ast.Constant(str(text)):
            return text.rpartition(".")[2]
    return ""


def _bound(function: ast.AST, nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are bound within a function in other ways than by assignment."""
    bound: set[str] = set()
    for node in nodes:
        if node is function:
            continue
        bound |= _arguments(node)
        if isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler | ast.FunctionDef | ast.ClassDef):
            bound |= {node.name} if node.name else set()
        if isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
    return bound


def _fits(pattern: ast.pattern, value: Any) -> bool:
    match pattern:
        case ast.MatchValue(ast.Constant(wanted)):
            return bool(value == wanted)
        case ast.MatchSingleton(wanted):
            return value is wanted
        case ast.MatchOr(patterns):
            return any(_fits(each, value) for each in patterns)
        case ast.MatchAs(None):
            return True
    raise Unknown


def _compare(left: Any, operator: ast.cmpop, right: Any) -> bool:
    match operator:
        case ast.Eq():
            return bool(left == right)
        case ast.NotEq():
            return bool(left != right)
        case ast.In():
            return left in right
        case ast.NotIn():
            return left not in right
    raise Unknown


def _bounded(several: Any) -> list[Any]:
    if not isinstance(several, list | tuple) or len(several) > _MOST:
        raise Unknown
    return list(several)
