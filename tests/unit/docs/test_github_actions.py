"""The workflow in the docs is YAML, and asks the command line for what it takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from testenv_cli.app import app
from testenv_cli.errors import Exit
from testenv_cli.settings import NAMES

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "github-actions.md").read_text()


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    block = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert block
    return dict(yaml.safe_load(block[1]))


@pytest.fixture(scope="module")
def asking(workflow: dict[Any, Any]) -> dict[str, Any]:
    [step] = [each for each in workflow["jobs"]["verdict"]["steps"] if "testenv_cli" in each.get("run", "")]
    return dict(step)


def options(command: str) -> dict[str, Any]:
    """Flag → parameter, of one command of `bin/testenv`."""
    found = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    return {flag: parameter for parameter in found.params for flag in parameter.opts}


def test_every_flag_is_one_of_the_command(asking: dict[str, Any]) -> None:
    words = shlex.split(asking["run"])
    assert words[:4] == ["python", "-m", "testenv_cli", "ci"]
    flags = [word for word in words if word.startswith("--")]
    assert set(flags) <= options("ci").keys()
    assert {"--base", "--head", "--junit", "--html"} <= set(flags)


def test_it_waits_shorter_than_its_job_lives(workflow: dict[Any, Any], asking: dict[str, Any]) -> None:
    words = shlex.split(asking["run"])
    seconds = int(words[words.index("--timeout") + 1])
    assert seconds < 60 * workflow["jobs"]["verdict"]["timeout-minutes"]


def test_the_secrets_are_the_settings_of_the_client_and_are_explained(asking: dict[str, Any]) -> None:
    secrets = {name: value for name, value in asking["env"].items() if "secrets." in str(value)}
    assert set(secrets) == set(NAMES)
    for name, value in secrets.items():
        assert value == f"${{{{ secrets.{name} }}}}" and f"`{name}`" in TEXT


def test_nothing_of_a_pull_request_is_put_into_a_shell_command(workflow: dict[Any, Any]) -> None:
    """A branch may be named like a command: values go through the environment."""
    assert [step["run"] for step in workflow["jobs"]["verdict"]["steps"] if "${{" in step.get("run", "")] == []


def test_the_report_is_kept_however_the_job_ends_and_where_it_was_written(
    workflow: dict[Any, Any], asking: dict[str, Any]
) -> None:
    [step] = [each for each in workflow["jobs"]["verdict"]["steps"] if "upload-artifact" in each.get("uses", "")]
    assert step["if"] == "always()"
    words = shlex.split(asking["run"])
    for flag in ("--junit", "--html"):
        assert words[words.index(flag) + 1].startswith(step["with"]["path"])


def test_the_libraries_of_the_client_are_pinned_where_the_workflow_looks() -> None:
    pinned = (ROOT / "requirements.txt").read_text()
    for library in ("httpx", "rich", "typer"):
        assert re.search(rf"^{library}==", pinned, re.MULTILINE), library


@pytest.mark.parametrize("file", ["github-actions.md", "verdict.md", "cli.md"])
def test_exit_codes_of_the_docs_are_those_of_the_command(file: str) -> None:
    text = (ROOT / "docs" / file).read_text()
    codes = {int(code) for code in re.findall(r"^\| (\d) \|", text, re.MULTILINE)}
    assert codes <= {int(each) for each in Exit}
    if file == "cli.md":
        assert codes == {int(each) for each in Exit}
