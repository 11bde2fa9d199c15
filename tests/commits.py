"""Commits of this repository as a pull request brings them: with some files changed, on no branch."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


def commit(changes: Mapping[str, str | None]) -> str:
    """Commit the newest commit's files with these texts, None for one that is gone; branch and work tree stay."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}  # in a worktree, .git is a file
        _git("read-tree", "HEAD", environ=index)
        for path, content in changes.items():
            if content is None:
                _git("update-index", "--force-remove", path, environ=index)
                continue
            blob = _git("hash-object", "-w", "--stdin", given=content)
            _git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environ=index)
        tree = _git("write-tree", environ=index)
    who = {f"GIT_{role}_{part}": "a test" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    return _git("commit-tree", tree, "-p", "HEAD", "-m", "a change under test", environ=who)


def _git(*arguments: str, given: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", REPO, *arguments],
        input=given,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
