"""Environment files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local import envfile
from local.errors import StackError

names = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
values = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


@given(st.dictionaries(names, values, max_size=5))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, written: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("env") / "stack.env"
    assert envfile.read(envfile.write(path, written)) == written


def test_a_shell_reads_the_same(tmp_path: Path) -> None:
    path = envfile.write(tmp_path / "stack.env", {"A": 'it\'s $HOME; `x` \\ "y"'})
    answer = subprocess.run(["sh", "-c", f'. {path}; printf %s "$A"'], capture_output=True, text=True, check=True)
    assert answer.stdout == 'it\'s $HOME; `x` \\ "y"'


def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "stack.env"
    path.write_text("")
    path.chmod(0o644)
    assert envfile.write(path, {"A": "1"}).stat().st_mode & 0o777 == 0o600


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="is the stack up\\? Run `make up`"):
        envfile.read(tmp_path / "stack.env")


def test_a_line_that_is_no_assignment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stack.env"
    path.write_text("A=1\nnonsense\n")
    with pytest.raises(StackError, match="holds 'nonsense' where NAME=VALUE is expected"):
        envfile.read(path)
