from __future__ import annotations

from pathlib import Path

import pytest

from testenv_cli.errors import CliError, Exit
from testenv_cli.settings import read_settings

FILE = """# written by the stack
TESTENV_AIRFLOW_URL=http://127.0.0.1:1/
TESTENV_AIRFLOW_USER=admin
TESTENV_AIRFLOW_PASSWORD='a b$c'
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stack.env"
    path.write_text(FILE)
    return path


def test_the_stacks_file_is_read_as_a_shell_would(file: Path) -> None:
    settings = read_settings({}, file)
    assert (settings.url, settings.user, settings.password) == ("http://127.0.0.1:1", "admin", "a b$c")


def test_the_environment_goes_before_the_file(file: Path) -> None:
    assert read_settings({"TESTENV_AIRFLOW_URL": "https://airflow"}, file).url == "https://airflow"


def test_without_either_it_says_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"TESTENV_AIRFLOW_PASSWORD not set.*make up") as caught:
        read_settings({"TESTENV_AIRFLOW_URL": "http://a", "TESTENV_AIRFLOW_USER": "u"}, tmp_path / "none")
    assert caught.value.code is Exit.UNREACHABLE


def test_the_password_does_not_show(file: Path) -> None:
    assert "a b$c" not in repr(read_settings({}, file))
