"""Earlier texts of files, from git."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testenv.checks.release import Version
from testenv.core.errors import Failed

SECONDS = 60


@dataclass(frozen=True)
class GitHistory:
    """The history of a checkout up to a commit, along first parents: what stood on the branch, not on the way to it."""

    folder: Path
    commit: str

    def versions(self, path: str) -> Sequence[Version]:
        """Every text that the file has had, oldest first. Raises `Failed` with git's words."""
        commits = self._git("log", "--first-parent", "--format=%H", "--diff-filter=AM", self.commit, "--", path).split()
        found: list[Version] = []
        for commit in reversed(commits):
            text = self._git("show", f"{commit}:{path}")
            if not found or found[-1].text != text:
                found.append(Version(commit, text))
        return found

    def _git(self, *arguments: str) -> str:
        command = ["git", "-c", "safe.directory=*", "-C", str(self.folder), *arguments]
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise Failed(f"git {arguments[0]} failed in the repository under test: {done.stderr.decode().strip()}")
        return done.stdout.decode(errors="replace")
