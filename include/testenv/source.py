"""The repository under test: which commit a reference names, and its code as one archive."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from testenv.core.errors import Failed, UnknownRef
from testenv.core.spec import WORKING_TREE

CODE = ("include/estate", "include/dbt")
"""Folders of the repository that an environment's orchestrator runs."""

_NOT_CODE = {"__pycache__", "target", "logs", "dbt_packages"}


class Repository:
    """A git checkout, or a plain folder, which then has no references but its working tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resolve(self, ref: str) -> str:
        """The commit (40 hex digits) that `ref` names; `working-tree` names the files as they stand.

        Raises `UnknownRef`.
        """
        if ref == WORKING_TREE:
            return ref
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        if found.returncode != 0 or "\n" in ref or "\0" in ref:
            raise UnknownRef(
                f"ref: {ref[:60]!r} names no commit in the repository under test. Push it first, or use a branch, tag "
                f"or commit that is there; {WORKING_TREE!r} means the files as they stand"
            )
        return found.stdout.decode().strip()

    def archive(self, ref: str) -> bytes:
        """gzipped tar of the code at a resolved `ref`: the same bytes for the same files."""
        tar = self._tar_of_working_tree() if ref == WORKING_TREE else self._tar_of_commit(ref)
        return gzip.compress(tar, compresslevel=6, mtime=0)

    def _tar_of_commit(self, commit: str) -> bytes:
        there = [path for path in CODE if self._git("cat-file", "-e", f"{commit}:{path}").returncode == 0]
        if not there:
            raise UnknownRef(f"ref: commit {commit[:12]} has none of {', '.join(CODE)}, so there is nothing to run")
        made = self._git("archive", "--format=tar", commit, "--", *there)
        if made.returncode != 0:
            raise Failed(f"git archive of {commit[:12]} failed: {made.stderr.decode().strip()}")
        return made.stdout

    def _tar_of_working_tree(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for file in self._files():
                info = tar.gettarinfo(file, arcname=file.relative_to(self._folder).as_posix())
                info.uid = info.gid = info.mtime = 0
                info.uname = info.gname = ""
                with file.open("rb") as content:
                    tar.addfile(info, content)
        return buffer.getvalue()

    def _files(self) -> Iterator[Path]:
        for root in CODE:
            for file in sorted((self._folder / root).rglob("*")):
                if file.is_file() and not file.is_symlink() and not _NOT_CODE & set(file.parts):
                    yield file

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        # The checkout may be another user's (a mounted volume); it is only read.
        command = ["git", "-c", "safe.directory=*", "-C", str(self._folder), *arguments]
        try:
            return subprocess.run(command, capture_output=True, timeout=60, check=False)
        except ValueError as error:  # a NUL byte in an argument
            raise UnknownRef("ref: holds a character that no git reference has") from error


def unpack(archive: bytes, folder: Path) -> None:
    """Put an archive's files below `folder`, which is made; members that would leave it are refused by `tarfile`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        extract(tar, folder)


def extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Put its members below `folder`. Raises `tarfile.TarError` for one that would leave it."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    for member in tar.getmembers():  # Python before 3.11.4, as Debian 12 has it, does not look
        place = folder / member.name
        led_to = [place, place.parent / member.linkname] if member.issym() else [place]
        if not all(each.resolve().is_relative_to(folder.resolve()) for each in led_to):
            raise tarfile.TarError(f"{member.name!r} would be outside of the archive's folder")
        if not (member.isfile() or member.isdir() or member.issym()):
            raise tarfile.TarError(f"{member.name!r} is neither a file, a folder nor a symbolic link")
    tar.extractall(folder)
