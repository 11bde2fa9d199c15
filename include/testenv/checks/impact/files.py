"""Finding files of a tree by what code calls them: a name in a text, a pattern, the name of a module."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Iterable

from testenv.checks.impact import paths
from testenv.checks.impact.trees import Tree


class Files:
    """The `relevant` files of `tree`: those that pipelines may depend on."""

    def __init__(self, tree: Tree, relevant: Iterable[str]) -> None:
        self.tree = tree
        self.paths = sorted(relevant)
        self._all = set(self.paths)
        self._by_name: dict[str, set[str]] = defaultdict(set)
        self._folders: set[str] = set()
        self._modules: dict[str, list[str]] = defaultdict(list)
        for path in self.paths:
            self._by_name[path.rpartition("/")[2]].add(path)
            folder = path
            while folder := folder.rpartition("/")[0]:
                self._folders.add(folder)
            if path.endswith(".py"):
                parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
                for start in range(len(parts)):
                    self._modules[".".join(parts[start:])].append(path)

    def __contains__(self, path: object) -> bool:
        return path in self._all

    @property
    def python(self) -> list[str]:
        return [path for path in self.paths if path.endswith(".py")]

    def below(self, folder: str) -> list[str]:
        """All in a folder and its folders."""
        return [path for path in self.paths if not folder or path.startswith(folder + "/")]

    def named(self, word: str) -> set[str]:
        """Files that a word of a text may mean: those whose path ends with it, else those of its last name."""
        alike = self._by_name.get(word.rpartition("/")[2].rpartition("=")[2], set())
        return {path for path in alike if path == word or path.endswith("/" + word)} or set(alike)

    def folders(self, text: str) -> set[str]:
        """Folders that a path in a text may mean: the more of its end is a folder's, the better."""
        parts = [part for part in text.split("/") if part]
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            found = {folder for folder in self._folders if folder == tail or folder.endswith("/" + tail)}
            if found and (len(parts) - start > 1 or text.startswith("/")):
                return found
        return set()

    def matching(self, pattern: str) -> set[str]:
        """Files whose last name fits the last part of a pattern with `*`, if that says anything of an ending."""
        last = pattern.rpartition("/")[2]
        if "." not in last.rpartition("*")[2]:
            return set()
        return {path for name in fnmatch.filter(self._by_name, last) for path in self._by_name[name]}

    def modules(self, dotted: str, within: str = "") -> list[str]:
        """Files of the module of that name. As it is not known what is on Python's path, any that ends with it.

        A name that begins with `/` is a path below the root, as of a relative import.
        """
        if within:
            dotted = f"{within}/{dotted}" if within.startswith("/") else f"{within}.{dotted}"
        if not dotted.startswith("/"):
            return self._modules.get(dotted, [])
        path = dotted.replace("//", "/").removeprefix("/")
        return [each for each in (f"{path}.py", f"{path}/__init__.py".removeprefix("/")) if each in self._all]

    def modules_in(self, text: str) -> set[str]:
        """Modules that a text may name: `package.module`, `package.module.function`, or a package that can be run."""
        found: set[str] = set()
        for word in paths.modules_in(text):
            found.update(self.modules(f"{word}.__main__"))
            if "." in word:
                found.update(
                    self.modules(word), *([self.modules(word.rpartition(".")[0])] if word.count(".") > 1 else [])
                )
        return found

    def packages(self, path: str) -> list[str]:
        """The `__init__.py` of the packages that a module lies in: importing it runs them."""
        found, folder = [], path.rpartition("/")[0]
        while folder and (init := f"{folder}/__init__.py") in self._all:
            found.append(init)
            folder = folder.rpartition("/")[0]
        return found

    def module_name(self, path: str) -> str:
        """A module's dotted name for people; the path of what lies in no package."""
        if not path.endswith(".py") or not (packages := self.packages(path)):
            return path
        outermost = packages[-1].removesuffix("/__init__.py").rpartition("/")[0]
        return path.removeprefix(outermost).strip("/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
