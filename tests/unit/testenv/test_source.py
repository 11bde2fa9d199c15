"""The repository under test: references are checked, archives are the same bytes for the same files."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from testenv.core.errors import UnknownRef
from testenv.core.spec import WORKING_TREE
from testenv.source import Repository, unpack


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    dags = tmp_path / "include" / "estate" / "dags"
    dags.mkdir(parents=True)
    (dags / "one.py").write_text("first")
    (tmp_path / "secret.txt").write_text("not code")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "tag", "v1")
    (dags / "one.py").write_text("second")
    return tmp_path


def files(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}  # type: ignore[union-attr]


def test_a_reference_resolves_to_its_commit(checkout: Path) -> None:
    repository, commit = Repository(checkout), git(checkout, "rev-parse", "HEAD")
    assert {repository.resolve(ref) for ref in ("main", "v1", "HEAD", commit, commit[:10])} == {commit}


@pytest.mark.parametrize(
    "ref",
    ["nope", "", "--upload-pack=touch x", "-h", "main; rm -rf .", "../main", "a\0b", "main\nmain", "deadbeef" * 5],
)
def test_a_reference_that_names_no_commit_is_refused(checkout: Path, ref: str) -> None:
    with pytest.raises(UnknownRef, match="ref: "):
        Repository(checkout).resolve(ref)


def test_a_plain_folder_has_only_its_working_tree(tmp_path: Path) -> None:
    assert Repository(tmp_path).resolve(WORKING_TREE) == WORKING_TREE
    with pytest.raises(UnknownRef):
        Repository(tmp_path).resolve("main")


def test_an_archive_holds_the_code_of_its_commit_and_nothing_else(checkout: Path) -> None:
    repository = Repository(checkout)
    assert files(repository.archive(repository.resolve("v1"))) == {"include/estate/dags/one.py": b"first"}
    assert files(repository.archive(WORKING_TREE)) == {"include/estate/dags/one.py": b"second"}


def test_the_same_files_make_the_same_bytes(checkout: Path) -> None:
    repository = Repository(checkout)
    before = repository.archive(WORKING_TREE)
    (checkout / "include" / "estate" / "dags" / "one.py").touch()
    assert repository.archive(WORKING_TREE) == before


def test_an_archive_unpacks_to_what_was_packed(checkout: Path, tmp_path: Path) -> None:
    unpack(Repository(checkout).archive(WORKING_TREE), tmp_path / "out")
    assert (tmp_path / "out" / "include" / "estate" / "dags" / "one.py").read_text() == "second"


def test_a_commit_without_code_is_refused(checkout: Path) -> None:
    git(checkout, "rm", "-rqf", "include")
    git(checkout, "commit", "-qm", "empty")
    repository = Repository(checkout)
    with pytest.raises(UnknownRef, match="nothing to run"):
        repository.archive(repository.resolve("HEAD"))


@pytest.mark.parametrize("python", ["new", "before 3.11.4"])
@pytest.mark.parametrize(("name", "link"), [("../out", ""), ("link", "../../out"), ("link", "/etc")], ids=str)
def test_a_member_that_would_leave_the_folder_is_refused_by_every_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, link: str, python: str
) -> None:
    if python != "new":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    with pytest.raises(tarfile.TarError):
        unpack(archive_of(name, link), tmp_path / "in")
    assert not (tmp_path / "out").exists()


def test_files_folders_and_links_within_are_unpacked_by_an_older_python_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    unpack(archive_of("a/link", "../b"), tmp_path / "in")
    assert (tmp_path / "in/a/link").readlink() == Path("../b")


def archive_of(name: str, link: str) -> bytes:
    """An archive with one member: a symbolic link if `link` says where to."""
    packed, member = io.BytesIO(), tarfile.TarInfo(name)
    if link:
        member.type, member.linkname = tarfile.SYMTYPE, link
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(member)
    return packed.getvalue()
