"""The files of the repository under test at one reference, or of a folder: what is there, and what changed."""

from __future__ import annotations

import hashlib
import posixpath
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from testenv.core.errors import Failed
from testenv.core.spec import WORKING_TREE
from testenv.source import Repository

_SECONDS = 60
_NO_FILES = {".git", "__pycache__", ".venv", "node_modules", "target", "logs", "dbt_packages"}
"""Folders that no repository would hold, though nothing may say so."""


@dataclass(frozen=True)
class Entry:
    """One file. `digest` tells two contents apart, git's way; a link's content is the path that it leads to."""

    digest: str
    link: bool = False


class Tree:
    """Files by their path below the root, `/` between its parts. Contents are read when they are asked for."""

    def __init__(self, entries: Mapping[str, Entry], read: Callable[[str], bytes]) -> None:
        self._entries = dict(entries)
        self._read = read
        self._contents: dict[str, bytes] = {}

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def digest(self, path: str) -> str:
        """What tells the content of `path` from another; empty if it is not there."""
        return self._entries[path].digest if path in self._entries else ""

    def target(self, path: str) -> str:
        """The path that a link leads to, if that is in the tree; empty for a file."""
        if path not in self._entries or not self._entries[path].link:
            return ""
        led = posixpath.normpath(posixpath.join(posixpath.dirname(path), self._content(path).decode()))
        return led if led in self._entries else ""

    def read(self, path: str) -> bytes:
        """The content; of a link, that of the file it leads to, however many links there are on the way."""
        for _ in range(8):
            if not (target := self.target(path)):
                break
            path = target
        return self._content(path)

    def text(self, path: str) -> str:
        """The content as text; what is no UTF-8 in it is replaced."""
        return self.read(path).decode("utf-8", errors="replace")

    def _content(self, path: str) -> bytes:
        if path not in self._contents:
            self._contents[path] = self._read(path)
        return self._contents[path]


def tree_at(folder: Path, ref: str = WORKING_TREE) -> Tree:
    """The tree of `folder` at `ref`: a commit of its repository, or the files as they stand.

    Raises `UnknownRef`, and `Failed` if git cannot be run or the folder cannot be read.
    """
    commit = Repository(folder).resolve(ref)
    return _tree_of_files(folder) if commit == WORKING_TREE else _tree_of_commit(folder, commit)


def tree_of(files: Mapping[str, str | bytes]) -> Tree:
    """A tree of contents by path."""
    contents = {path: each.encode() if isinstance(each, str) else each for path, each in files.items()}
    return Tree({path: Entry(_digest(content)) for path, content in contents.items()}, contents.__getitem__)


def write(tree: Tree, folder: Path) -> None:
    """Put the files of `tree` below `folder`. A link becomes what it leads to, so that nothing leads out of it."""
    for path in tree:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tree.read(path))


def changed(base: Tree, head: Tree) -> list[str]:
    """Paths whose content differs, or that only one of the trees has; in order."""
    return sorted(path for path in {*base, *head} if base.digest(path) != head.digest(path))


def _tree_of_commit(folder: Path, commit: str) -> Tree:
    entries: dict[str, Entry] = {}
    for line in (
        _git(folder, "ls-tree", "-r", "-z", "--full-tree", commit).decode("utf-8", "surrogateescape").split("\0")
    ):
        if line:
            meta, _, path = line.partition("\t")
            mode, kind, digest = meta.split()
            # A submodule is a commit: its files are not here, and any change of it is one of unknown kind.
            entries[path] = Entry(digest, link=mode == "120000")
            if kind != "blob":
                entries[path] = Entry(f"{kind} {digest}")

    @cache
    def blobs() -> dict[str, bytes]:
        return _blobs(folder, {entry.digest for entry in entries.values() if " " not in entry.digest})

    return Tree(entries, lambda path: blobs().get(entries[path].digest, b""))


def _blobs(folder: Path, digests: set[str]) -> dict[str, bytes]:
    """All contents by one process: a process for each would cost more than all the rest."""
    answer = _git(folder, "cat-file", "--batch", given="".join(f"{digest}\n" for digest in sorted(digests)).encode())
    found, place = {}, 0
    while place < len(answer):
        end = answer.index(b"\n", place)
        digest, _, size = answer[place:end].decode().split()
        found[digest] = answer[end + 1 : end + 1 + int(size)]
        place = end + 2 + int(size)
    return found


def _tree_of_files(folder: Path) -> Tree:
    entries: dict[str, Entry] = {}
    for path in _paths(folder):
        file = folder / path
        if file.is_symlink():
            entries[path] = Entry(_digest(file.readlink().as_posix().encode()), link=True)
        elif file.is_file():
            entries[path] = Entry(_digest(file.read_bytes()))

    def read(path: str) -> bytes:
        file = folder / path
        return file.readlink().as_posix().encode() if file.is_symlink() else file.read_bytes()

    return Tree(entries, read)


def _paths(folder: Path) -> list[str]:
    """What git would hold of the folder, so that it compares with a commit; without git, all that is no leftover."""
    if (folder / ".git").exists():
        held = _listed(folder, "--cached")
        return sorted({*held, *(path for path in _listed(folder, "--others", "--exclude-standard") if _is_file(path))})
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(path for path in found if _is_file(path))


def _listed(folder: Path, *which: str) -> list[str]:
    return [
        path for path in _git(folder, "ls-files", "-z", *which).decode("utf-8", "surrogateescape").split("\0") if path
    ]


def _is_file(path: str) -> bool:
    return not _NO_FILES & set(path.split("/"))


def _digest(content: bytes) -> str:
    """As git names a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    # The checkout may be another user's (a mounted volume); it is only read.
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"git {arguments[0]} could not be run in {folder}: {error}") from error
    if done.returncode != 0:
        raise Failed(f"git {arguments[0]} failed in {folder}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
