"""Impact selects what a case affects, and selects nothing only where nothing runs differently."""

from __future__ import annotations

import json
import types
from pathlib import PurePosixPath

import pytest
import yaml
from tests.faults.corpus import CATALOGUE, Case, cases, expected, named, read_repository
from tests.unit.faults.estate import affected, entries, made

APART = ("include/estate/production", "include/estate/seed")
"""What makes the data; no pipeline runs it (testenv.yaml)."""


def leads_elsewhere(file: str) -> bool:
    """Whether what a file affects depends on what is written there: modules that a DAG imports, and the catalogue."""
    return (file.endswith(".py") and "/spark/" not in file) or file == CATALOGUE


def by_files() -> dict[object, list[Case]]:
    """Cases that are one to impact: of the same files, none of which leads elsewhere."""
    found: dict[object, list[Case]] = {}
    for case in cases():
        edited = {edit.file for each in (case, *([named(case.after)] if case.after else [])) for edit in each.edits}
        found.setdefault(case.name if any(map(leads_elsewhere, edited)) else frozenset(edited), []).append(case)
    return found


@pytest.mark.parametrize("alike", by_files().values(), ids=lambda alike: alike[0].name)
def test_the_pipelines_of_a_case_are_selected(alike: list[Case]) -> None:
    case = alike[0]
    assert affected(case).names == expected(case, entries(case))
    for other in alike:
        assert expected(other, entries(other)) == expected(case, entries(case)) or not other.pipelines, other.name


@pytest.mark.parametrize("case", [each for each in cases() if not each.pipelines], ids=lambda case: case.name)
def test_where_nothing_is_selected_nothing_runs_differently(case: Case) -> None:
    assert case.verdict == "yes"
    for path, text in made(case).items():
        assert text is not None and runs_alike(path, read_repository(path) or "", text)


def runs_alike(path: str, before: str, after: str) -> bool:
    """By other means than impact's own: what Python compiles to, what a parser makes of SQL, what is loaded."""
    if any(PurePosixPath(path).is_relative_to(folder) for folder in APART):
        return True
    match PurePosixPath(path).suffix:
        case ".py":
            first, second = (compile(text, path, "exec", optimize=2) for text in (before, after))
            return code(first) == code(second)
        case ".sql":
            return parsed(before) == parsed(after)
        case ".yaml" | ".yml":
            return shown(yaml.safe_load(before)) == shown(yaml.safe_load(after))
        case ".avsc":
            return bool(json.loads(before) == json.loads(after))
    return False


def code(compiled: types.CodeType) -> object:
    """Without the lines and columns, which a comment moves."""
    constants = [code(each) if isinstance(each, types.CodeType) else repr(each) for each in compiled.co_consts]
    return compiled.co_code, constants, compiled.co_names, compiled.co_varnames


def parsed(sql: str) -> list[str]:
    """Words, without lines that are a comment."""
    return [word for line in sql.splitlines() if not line.startswith("--") for word in line.split()]


def shown(content: object) -> object:
    """Without descriptions, which the project does not write to the database."""
    if isinstance(content, dict):
        return {key: shown(value) for key, value in content.items() if key != "description"}
    return [shown(each) for each in content] if isinstance(content, list) else content
