"""Earlier texts of a file, as git has them on the branch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from testenv.checks.history import GitHistory
from testenv.core.errors import Failed


def git(folder: Path, *arguments: str) -> str:
    settings = ("user.name=a", "user.email=a@example.com", "commit.gpgsign=false")
    names = [word for setting in settings for word in ("-c", setting)]
    done = subprocess.run(["git", "-C", folder, *names, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    return tmp_path


def commit(folder: Path, text: str | None) -> str:
    if text is None:
        (folder / "a.avsc").unlink()
    else:
        (folder / "a.avsc").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "c")
    return git(folder, "rev-parse", "HEAD")


def test_every_text_up_to_the_commit_oldest_first(repository: Path) -> None:
    commits = [commit(repository, text) for text in ("1", "2", None, "2", "3", "4")]
    found = GitHistory(repository, commits[4]).versions("a.avsc")
    assert [version.text for version in found] == ["1", "2", "3"]
    assert [version.ref for version in found] == [commits[0], commits[1], commits[4]]


def test_a_file_that_never_was_has_no_history(repository: Path) -> None:
    assert not GitHistory(repository, commit(repository, "1")).versions("b.avsc")


def test_a_commit_that_is_not_there_is_an_error(repository: Path) -> None:
    with pytest.raises(Failed, match="git log failed"):
        GitHistory(repository, "0" * 40).versions("a.avsc")
