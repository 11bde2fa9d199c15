"""The corpus is well formed, and fits the estate as it is."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment
from pydantic import ValidationError
from tests.faults.corpus import PARTS, Case, Catcher, Edit, apply, cases, changes, copy_estate, named, read_repository
from tests.unit.faults.estate import made

from testenv.datasets.contracts import parse_contract

CORPUS = pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)


@CORPUS
def test_every_edit_applies_to_the_estate_as_it_is_and_leaves_files_that_can_be_read(case: Case) -> None:
    for path, text in made(case).items():
        assert text != read_repository(path), f"{path} is as it was"
        if text is not None:
            well_formed(path, text)


def well_formed(path: str, text: str) -> None:
    match Path(path).suffix:
        case ".py":
            compile(text, path, "exec")
        case ".yaml" | ".yml":
            assert yaml.safe_load(text)
            if "/contracts/" in path:
                parse_contract(text)
        case ".avsc":
            assert json.loads(text)["type"] == "record"
        case ".sql":
            Environment().parse(text)
            said = re.sub(r"--[^\n]*|\{#.*?#\}", "", text, flags=re.DOTALL)
            assert said.count("(") == said.count(")") and said.count("'") % 2 == 0
        case other:
            assert other == ".md"


def test_there_are_enough_and_every_check_has_its_faults() -> None:
    faults = [case for case in cases() if case.verdict == "no"]
    assert len(faults) >= 40 and len(cases()) - len(faults) >= 20
    by_check = Counter(case.caught_by for case in faults)
    assert by_check.keys() == {*Catcher} and min(by_check.values()) >= 4, by_check


def test_no_two_cases_are_the_same_change() -> None:
    written = Counter(json.dumps(made(case), sort_keys=True) for case in cases())
    assert max(written.values()) == 1


def test_a_case_is_made_in_a_copy(tmp_path: Path) -> None:
    folder = copy_estate(tmp_path / "estate")
    kept = {path: path.read_bytes() for part in PARTS for path in files(folder / part)}
    case = named("dbt-model-is-removed")
    apply(case, folder)
    differing = {path.relative_to(folder).as_posix() for path, content in kept.items() if not same(path, content)}
    assert differing == made(case).keys()
    assert not (folder / "include/dbt/finsight/models/marts/fct_card_activity.sql").exists()
    assert (folder / "include/catalog/pipelines.yaml").is_symlink()


def files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]


def same(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def test_an_edit_that_no_longer_fits_is_refused() -> None:
    edit = Edit(file="include/estate/feeds.py", old="Feed(", new="Food(")
    with pytest.raises(ValueError, match=r"stands there 4 times: 'Feed\('"):
        edit.of('Feed("a") Feed("b") Feed("c") Feed("d")')
    with pytest.raises(ValueError, match="stands there 0 times"):
        edit.of("")
    with pytest.raises(ValueError, match="no such file"):
        edit.of(None)


def test_a_case_changes_nothing_but_the_estate() -> None:
    edits = ({"file": "include/testenv/engine.py", "text": ""},)
    case = Case.model_validate({"name": "control-plane", "what": "", "edits": edits, "verdict": "yes"})
    with pytest.raises(ValueError, match=r"include/testenv/engine\.py: is none of include/estate"):
        changes(case, read_repository)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"verdict": "no"}, "names the check"),
        ({"caught_by": "diff"}, "names the check"),
        ({"also": ["diff"]}, "no check may say"),
        ({"verdict": "no", "caught_by": "diff", "also": ["diff"]}, "stands in also too"),
        ({"verdict": "no", "caught_by": "schema", "rule": "key-changed"}, "by reading alone"),
        ({"caught_by": "luck", "verdict": "no"}, "caught_by"),
        ({"verdict": "perhaps"}, "verdict"),
        ({"edits": []}, "edits"),
        ({"edits": [{"file": "a"}]}, "old and new, or text"),
        ({"edits": [{"file": "a", "old": "b", "new": "c", "removed": True}]}, "old and new, or text"),
        ({"edits": [{"file": "a", "old": "b", "new": "b"}]}, "the same"),
        ({"name": "Not a name"}, "name"),
        ({"severity": "high"}, "severity"),
    ],
)
def test_a_case_that_contradicts_itself_is_refused(wrong: dict[str, object], said: str) -> None:
    right = {"name": "a-case", "what": "A.", "edits": [{"file": "a", "text": "b"}], "verdict": "yes"}
    assert Case.model_validate(right)
    with pytest.raises(ValidationError, match=said):
        Case.model_validate(right | wrong)
