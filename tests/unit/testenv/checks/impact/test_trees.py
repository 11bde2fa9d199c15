"""The same files make the same tree, from a commit and from a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from testenv.checks.impact.__main__ import main
from testenv.checks.impact.trees import changed, tree_at, tree_of
from testenv.core.errors import UnknownRef


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, check=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "ä b.py").write_text("from airflow import DAG\nDAG('one')\n")
    (tmp_path / "dags" / "two.py").write_text("from airflow import DAG\nDAG('two')\n")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "link").symlink_to("dags/two.py")
    (tmp_path / ".gitignore").write_text("ignored\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "ignored").write_text("x")
    return tmp_path


def test_a_commit_and_its_checkout_are_the_same(checkout: Path) -> None:
    commit, files = tree_at(checkout, "HEAD"), tree_at(checkout)
    assert [*commit] == [*files] == [".gitignore", "binary", "dags/two.py", "dags/ä b.py", "empty", "link"]
    assert changed(commit, files) == []
    for tree in (commit, files):
        assert tree.read("binary") == bytes(range(256)) and tree.read("empty") == b""
        assert tree.target("link") == "dags/two.py" and tree.read("link") == tree.read("dags/two.py")


def test_what_was_written_removed_or_added_is_changed(checkout: Path) -> None:
    (checkout / "binary").unlink()
    (checkout / "empty").write_text("no more")
    (checkout / "link").unlink()
    (checkout / "link").symlink_to("binary")
    (checkout / "new").write_text("")
    assert changed(tree_at(checkout, "main"), tree_at(checkout)) == ["binary", "empty", "link", "new"]


def test_a_plain_folder_has_what_is_no_leftover(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    (tmp_path / "a.py").write_text("x")
    assert [*tree_at(tmp_path)] == ["a.py"]
    assert changed(tree_at(tmp_path), tree_of({"a.py": "x"})) == []
    with pytest.raises(UnknownRef):
        tree_at(tmp_path, "main")


def test_the_command_says_what_changed_between_two_commits(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "dags" / "two.py").write_text("from airflow import DAG\nDAG('two', tags=['x'])\n")
    (checkout / "catalogue.yaml").write_text("pipelines: {one: {inputs: []}, two: {inputs: []}}\n")
    (checkout / "testenv.yaml").write_text("catalogue: {file: catalogue.yaml}\n")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "second")
    (checkout / "dags" / "two.py").write_text("from airflow import DAG\nDAG('two', tags=['y'])\n")
    assert main(["two", "--repo", str(checkout)]) == 0
    assert capsys.readouterr().out == "two is affected: dags/two.py → two\n"
    assert main(["--repo", str(checkout), "--base", "HEAD~1", "--head", "HEAD"]) == 0
    assert capsys.readouterr().out.startswith("2 of 2 pipelines are affected")
