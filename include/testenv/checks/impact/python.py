"""What Python code leads to: which parts of which modules, and which files it names. Nothing is run.

A module's parts are its body (what runs when it is imported), each function and each class. A part that is reached
leads to all parts whose names it mentions. So a file that one function names affects those who reach the function, and
a change of the module's own text affects all who import it.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from testenv.checks.impact import paths
from testenv.checks.impact.entries import EntryClass, Scope, live, takes_entry
from testenv.checks.impact.files import Files
from testenv.checks.impact.harmless import docstring

BODY, WHOLE = "", "*"

_IMPORTERS = {
    "import_module", "__import__", "import_string", "run_module", "run_path", "spec_from_file_location", "load_source",
    "walk_packages", "iter_modules",
}  # fmt: skip
_EVALUATORS = {"exec", "eval", "execfile"}
_REFLECTIVE = {"globals", "locals", "vars", "__dict__", "__subclasses__"}
_PURE = {
    "task", "task_group", "dag", "dataclass", "cache", "lru_cache", "contextmanager", "wraps", "staticmethod",
    "classmethod", "property", "total_ordering", "setup", "teardown", "override", "overload",
}  # fmt: skip
"""Decorators that do not keep what they decorate in a list by which it could be called without its name."""
_BASES = {"object", "Protocol", "NamedTuple", "TypedDict", "Enum", "StrEnum", "IntEnum", "ABC", "Generic"} | {
    name for name, each in vars(builtins).items() if isinstance(each, type) and issubclass(each, BaseException)
}


class Part(NamedTuple):
    """A module's file, and the name of a function or class in it; `BODY` and `WHOLE` are parts, too."""

    file: str
    name: str


@dataclass
class Reached:
    """What a part leads to. `anything`: it imports by names that are not known. `search`: folders of named files."""

    parts: set[Part] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    search: set[str] = field(default_factory=set)
    anything: bool = False


class Module:
    """One file: its parts, what its names mean, and its constants that are paths."""

    def __init__(self, file: str, content: bytes) -> None:
        self.file = file
        self.parts: dict[str, list[ast.AST]] = {BODY: []}
        self.paths: dict[str, ast.expr] = {}
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.is_broken = False
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError, RecursionError):
            self.is_broken = True
            return
        nodes = list(ast.walk(tree))
        self.imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        once = {name for name, times in Counter(stored).items() if times == 1}
        for statement in tree.body[1:] if docstring(tree) else tree.body:
            self._add(statement, once)

    def path(self, node: ast.expr) -> str | None:
        """The path that an expression of constants of this module stands for."""
        return paths.path_of(node, self.file, lambda name: self._constant(name))

    def _constant(self, node: ast.expr) -> str | None:
        return self.path(self.paths[node.id]) if isinstance(node, ast.Name) and node.id in self.paths else None

    def _add(self, statement: ast.stmt, once: set[str]) -> None:
        match statement:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name) if not name.startswith("__"):
                self.parts.setdefault(name, []).append(statement)
                if _is_kept(statement):
                    self.parts[BODY].append(statement)
                else:
                    self.parts[BODY] += _at_import(statement)
            case ast.Assign([ast.Name(name)], value) if name in once and self.path(value) is not None:
                self.paths[name] = value
            case _:
                self.parts[BODY].append(statement)


class Code:
    """The Python of a tree."""

    def __init__(self, files: Files, modules: dict[tuple[str, str], Module]) -> None:
        self._files, self._modules = files, modules
        self._meanings: dict[str, dict[str, list[Part]]] = {}
        self._takers: dict[Part, list[ast.AST]] = {}

    def module(self, file: str) -> Module:
        """A file's module. Modules of equal files are shared between trees."""
        key = (file, self._files.tree.digest(file))
        if key not in self._modules:
            self._modules[key] = Module(file, self._files.tree.read(file))
        return self._modules[key]

    def entry_class(self, dotted: str) -> EntryClass | None:
        """The class of that name, `package.module.Class`; None if it is not there."""
        module, _, name = dotted.rpartition(".")
        for file in self._files.modules(module):
            for part in self.module(file).parts.get(name, []):
                if isinstance(part, ast.ClassDef):
                    return EntryClass(part)
        return None

    def reached(self, part: Part, kind: EntryClass | None = None, entry: Mapping[str, Any] | None = None) -> Reached:
        """What a part leads to; with an `entry` of the class `kind`, without what is not done for that entry."""
        module, found = self.module(part.file), Reached(parts={Part(part.file, BODY)})
        found.parts |= {Part(each, BODY) for each in self._files.packages(part.file)}
        if module.is_broken:
            found.anything = True
        elif part.name == WHOLE:
            found.parts |= {Part(part.file, name) for name in module.parts}
            for name in module.paths:
                self._walker(module, found).visit(ast.Name(name, ast.Load()))
        else:
            for statement in module.parts.get(part.name, []):
                is_taker = kind is not None and takes_entry(statement, kind)
                scope = Scope(kind, entry or {}, statement) if kind is not None and is_taker else None
                self._walker(module, found, scope).visit(statement)
        found.parts.discard(part)
        return found

    def outcomes(self, part: Part, kind: EntryClass, entry: Mapping[str, Any]) -> tuple[bool | None, ...]:
        """What tells entries apart for which a part leads elsewhere."""
        if part not in self._takers:
            statements = self.module(part.file).parts.get(part.name, [])
            self._takers[part] = [each for each in statements if takes_entry(each, kind)]
        return tuple(way for each in self._takers[part] for way in Scope(kind, entry, each).outcomes(each))

    def _walker(self, module: Module, found: Reached, scope: Scope | None = None) -> _Walker:
        return _Walker(self, self._files, module, found, scope)

    def meanings(self, module: Module) -> dict[str, list[Part]]:
        """What each imported name means: parts of modules of the tree; `WHOLE` stands for the module itself."""
        if module.file in self._meanings:
            return self._meanings[module.file]
        meanings = self._meanings[module.file] = {}
        for statement in module.imports:
            for alias in statement.names:
                if isinstance(statement, ast.Import):
                    if alias.asname:
                        meanings.setdefault(alias.asname, []).extend(
                            Part(file, WHOLE) for file in self._files.modules(alias.name)
                        )
                    continue
                for file in self._files.modules(alias.name, within=self.origin(module, statement)):
                    meanings.setdefault(alias.asname or alias.name, []).append(Part(file, WHOLE))
                for file in self._files.modules(self.origin(module, statement)):
                    meanings.setdefault(alias.asname or alias.name, []).append(Part(file, alias.name))
        return meanings

    def origin(self, module: Module, statement: ast.ImportFrom) -> str:
        """The module that `from … import` names; of a relative one a path that begins with `/`."""
        if not statement.level:
            return statement.module or ""
        folder = "/" + module.file
        for _ in range(statement.level):
            folder = folder.rpartition("/")[0]
        return f"{folder}/{(statement.module or '').replace('.', '/')}".rstrip("/") or "/"

    def path_constant(self, part: Part, depth: int = 0) -> str | None:
        """The path that a module's constant stands for."""
        module = self.module(part.file)
        if part.name in module.paths:
            return module.path(module.paths[part.name])
        for onward in self.meanings(module).get(part.name, []) if depth < 5 else []:
            if onward.name != WHOLE and (found := self.path_constant(onward, depth + 1)) is not None:
                return found
        return None


class _Walker:
    """Goes through one part and notes what it leads to."""

    def __init__(self, code: Code, files: Files, module: Module, found: Reached, scope: Scope | None) -> None:
        self._code, self._files, self._module, self._found, self._scope = code, files, module, found, scope
        self._meanings = code.meanings(module)

    def visit(self, node: ast.AST, search: bool = False) -> None:
        if isinstance(node, ast.expr) and (path := self._path(node)) is not None:
            self._note_path(path, search)
            return
        if isinstance(node, ast.expr) and (pattern := paths.pattern_of(node)) is not None and "*" in pattern:
            self._found.files |= self._files.matching(pattern)
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Call(ast.Attribute(folder, "glob" | "rglob")) if self._path(folder) is not None:
                self.visit(folder)  # which leads to all that is in it, whatever the pattern
                return
            case ast.Constant(str(text)):
                self._note_text(text, search)
            case ast.Name(name):
                self._note_name(name)
            case ast.Attribute(ast.Name(name) as whole, attribute) if name in self._meanings:
                for part in self._meanings[name]:
                    if part.name == WHOLE:
                        self._note_part(Part(part.file, attribute))
                    else:
                        self.visit(whole)
                return
            case ast.Call(ast.Name(name) | ast.Attribute(_, name), [ast.Constant(str(text)), *more]) if (
                name in _IMPORTERS
            ):
                self._found.parts |= {Part(file, WHOLE) for file in self._files.modules(text)}
                self._found.anything |= text.startswith(".")
                for each in more:
                    self.visit(each)
                return
            case ast.Attribute(ast.Name("sys"), "modules") | ast.Attribute(_, "__dict__" | "__subclasses__"):
                self._everything_here()
            case ast.Attribute(_, attribute) if attribute in _IMPORTERS:
                self._found.anything = True
            case ast.Call(ast.Name("getattr"), [_, name, *_]) if not isinstance(name, ast.Constant):
                self._everything_here()
        if isinstance(node, ast.Attribute) and (dotted := _dotted(node)):  # package.module, imported elsewhere
            self._found.parts |= {Part(file, WHOLE) for file in self._files.modules(dotted)}
        for child, sought in self._children(node):
            self.visit(child, search or sought)

    def _children(self, node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None:
                    yield key, False
                yield value, isinstance(key, ast.Constant) and key.value == "template_searchpath"
            return
        is_documented = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and docstring(node)
        for child in live(node, self._scope):
            if not (is_documented and child is node.body[0]):  # type: ignore[attr-defined]
                yield child, isinstance(child, ast.keyword) and child.arg == "template_searchpath"

    def _path(self, node: ast.expr) -> str | None:
        return paths.path_of(node, self._module.file, self._constant)

    def _constant(self, node: ast.expr) -> str | None:
        match node:
            case ast.Name(name) if name in self._module.paths:
                return self._code.path_constant(Part(self._module.file, name))
            case ast.Name(name):
                named = [part for part in self._meanings.get(name, []) if part.name != WHOLE]
            case ast.Attribute(ast.Name(name), attribute):
                named = [Part(part.file, attribute) for part in self._meanings.get(name, []) if part.name == WHOLE]
            case _:
                named = []
        return next((path for part in named if (path := self._code.path_constant(part)) is not None), None)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Importing runs a module's body; by its name alone, or by a star, all of it may be used."""
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                name, names = BODY if alias.asname else WHOLE, alias.name.split(".")
                for length in range(1, len(names) + 1):
                    self._found.parts |= {Part(file, name) for file in self._files.modules(".".join(names[:length]))}
                continue
            origin = self._code.origin(self._module, statement)
            name = WHOLE if alias.name == "*" else BODY
            self._found.parts |= {Part(file, name) for file in self._files.modules(origin)}
            self._found.parts |= {Part(file, BODY) for file in self._files.modules(alias.name, within=origin)}

    def _note_path(self, path: str, search: bool) -> None:
        if path in self._files:
            self._found.files.add(path)
        elif path != self._module.file:
            (self._found.search if search else self._found.folders).add(path)

    def _note_text(self, text: str, search: bool) -> None:
        if "*" in text:
            self._found.files |= self._files.matching(text)
        for word in paths.folders_in(text):
            (self._found.search if search else self._found.folders).update(self._files.folders(word))
        for word in paths.names_in(text):
            self._found.files |= self._files.named(word)
        self._found.parts |= {Part(file, WHOLE) for file in self._files.modules_in(text)}

    def _note_name(self, name: str) -> None:
        if name in _IMPORTERS | _EVALUATORS:
            self._found.anything = True
        elif name in _REFLECTIVE:
            self._everything_here()
        if name in self._module.parts:
            self._found.parts.add(Part(self._module.file, name))
        for part in self._meanings.get(name, []):
            self._note_part(part)

    def _note_part(self, part: Part, depth: int = 0) -> None:
        """Follow a name to where it is defined; a module in between may only pass it on."""
        self._found.parts.add(Part(part.file, BODY))
        if part.name == WHOLE or part.name in (module := self._code.module(part.file)).parts:
            self._found.parts.add(part)
            return
        onward = self._code.meanings(module).get(part.name, [])
        for each in onward if depth < 10 else []:
            self._note_part(each, depth + 1)
        if part.file.endswith("/__init__.py"):
            inside = self._files.modules(part.name, within="/" + part.file.rpartition("/")[0])
            self._found.parts |= {Part(file, WHOLE) for file in inside}
        if part.name not in module.paths and not onward:
            # Assigned in the body, made by a star import or by __getattr__: the body leads there.
            self._found.parts |= {
                Part(part.file, WHOLE) for each in module.imports if any(alias.name == "*" for alias in each.names)
            }

    def _everything_here(self) -> None:
        self._found.parts.add(Part(self._module.file, WHOLE))
        self._found.parts |= {Part(part.file, WHOLE) for parts in self._meanings.values() for part in parts}


def _is_kept(statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether defining it may put it into a list, by which it is found without its name."""
    if not all(_tail(each) & _PURE for each in statement.decorator_list):
        return True
    if isinstance(statement, ast.ClassDef):
        return bool(statement.keywords) or not all(_tail(base) & _BASES for base in statement.bases)
    return False


def _at_import(statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.AST]:
    """What of a definition runs when its module is imported: decorators, defaults, a class's own statements."""
    if isinstance(statement, ast.ClassDef):
        found: list[ast.AST] = [*statement.decorator_list, *statement.bases]
        for each in statement.body:
            is_code = isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            found += _at_import(each) if is_code else [each]  # type: ignore[arg-type]
        return found
    defaults = [each for each in statement.args.kw_defaults if each is not None]
    return [*statement.decorator_list, *statement.args.defaults, *defaults]


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(whole, attribute) if before := _dotted(whole):
            return f"{before}.{attribute}"
    return ""


def _tail(node: ast.expr) -> set[str]:
    """Last names of an expression such as `task`, `task.branch`, `functools.cache` or `lru_cache(8)`."""
    match node:
        case ast.Call(function):
            return _tail(function)
        case ast.Subscript(whole):
            return _tail(whole)
        case ast.Attribute(ast.Name(name), attribute):
            return {name, attribute} if name == "task" else {attribute}
        case ast.Name(name):
            return {name}
    return set()
