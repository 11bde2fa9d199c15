"""The schema check alone says of each case what must be said of it by reading."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from testenv.checks.protocol import Outcome, Severity, Verdict
from testenv.checks.release import Release, Tree
from testenv.checks.schema import SchemaCheck
from testenv.datasets.contracts import load_contracts, parse_contract
from tests.faults.corpus import REPO, Case, Catcher, cases
from tests.unit.faults.estate import made

CONTRACTS = "include/catalog/contracts"
AVRO = "include/estate/schema/avro"
PROJECT = "include/dbt/finsight"
DBT = REPO / ".venv" / "dbt" / "bin" / "python"

Judge = Callable[[Case], Verdict]


def changes_dbt(case: Case) -> bool:
    return any(edit.file.startswith(f"{PROJECT}/") for edit in case.edits)


STATIC = [case for case in cases() if case.static and case.caught_by is not Catcher.ISOLATION]
OTHERS = [case for case in cases() if case not in STATIC]


@pytest.mark.parametrize("case", [each for each in STATIC if not changes_dbt(each)], ids=lambda case: case.name)
def test_what_is_declared(case: Case, tmp_path: Path) -> None:
    judged_rightly(case, SchemaCheck().check(release(case, tmp_path)))


@pytest.mark.parametrize("case", [each for each in OTHERS if not changes_dbt(each)], ids=lambda case: case.name)
def test_what_is_none_of_its_business_passes(case: Case, tmp_path: Path) -> None:
    verdict = SchemaCheck().check(release(case, tmp_path))
    assert verdict.outcome is Outcome.PASSED, verdict.findings


@pytest.mark.skipif(not DBT.exists(), reason="dbt is not installed: make install")
def test_what_dbts_manifest_declares(tmp_path: Path) -> None:
    concerned = [case for case in cases() if changes_dbt(case)]
    manifests = parse([made(case) for case in concerned], tmp_path)
    for case, (base, head) in zip(concerned, manifests, strict=True):
        folder = tmp_path / case.name
        judged_rightly(case, SchemaCheck().check(release(case, folder, base, head)))


def judged_rightly(case: Case, verdict: Verdict) -> None:
    breaking = {each.rule for each in verdict.findings if each.severity is Severity.BREAKING}
    may_fail = case.caught_by is Catcher.SCHEMA
    assert (verdict.outcome is Outcome.FAILED) == may_fail, f"{case.name}: {breaking}"
    assert breaking == ({case.rule} if may_fail else set()), case.name
    if may_fail:
        assert all(each.what and each.remedy for each in verdict.findings)


# ---------------------------------------------------------------- a release


@cache
def base_contracts() -> dict[str, Any]:
    return load_contracts(REPO / CONTRACTS)


def release(case: Case, folder: Path, base: Any = None, head: Any = None) -> Release:
    """The case's release, as far as this check looks at it: contracts, the schemas of topics, dbt's manifests."""
    contracts = dict(base_contracts())
    schemas = {file.name: file.read_text() for file in (REPO / AVRO).iterdir()}
    for path, text in made(case).items():
        name = path.rpartition("/")[2]
        if path.startswith(CONTRACTS):
            contracts.pop(name.removesuffix(".yaml"))
            if text is not None:
                contract = parse_contract(text)
                contracts[contract.id] = contract
        elif path.startswith(AVRO):
            schemas.pop(name, None)
            schemas |= {name: text} if text is not None else {}
    root = folder / "head"
    root.mkdir(parents=True)
    for name, text in schemas.items():
        (root / name).write_text(text)
    before = Tree("base", REPO / AVRO, base_contracts(), manifest=base)
    return Release(before, Tree("head", root, contracts, manifest=head))


# ---------------------------------------------------------------- dbt

_PARSE = """
import json, shutil, sys
from pathlib import Path
from dbt.cli.main import dbtRunner

project, folder = Path(sys.argv[1]), Path(sys.argv[2])
for number, texts in enumerate(json.load(sys.stdin)):
    place = folder / str(number)
    shutil.copytree(project, place, ignore=shutil.ignore_patterns("target", "logs"))
    for path, text in texts.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).unlink(missing_ok=True) if text is None else (place / path).write_text(text)
    where = ["--project-dir", str(place), "--profiles-dir", str(place), "--log-path", str(place / "logs")]
    done = dbtRunner().invoke(["--quiet", "--log-level-file", "none", "parse", "--no-partial-parse", *where])
    if not done.success:
        sys.exit(f"{number}: {done.exception or done.result}")
"""


def parse(texts: list[dict[str, str | None]], folder: Path) -> list[tuple[Any, Any]]:
    """Base's and head's manifest of each: all by one process, as an import of dbt takes longer than all the rest."""
    below = [{path.removeprefix(f"{PROJECT}/"): text for path, text in each.items() if path.startswith(PROJECT)}
             for each in [{}, *texts]]  # fmt: skip
    names = ("ACCOUNT", "USER", "PRIVATE_KEY", "ROLE", "DATABASE", "WAREHOUSE")
    done = subprocess.run(
        [DBT, "-c", _PARSE, REPO / PROJECT, folder],
        input=json.dumps(below),
        env={**os.environ, **{f"DBT_SNOWFLAKE_{name}": "none" for name in names}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    base, *heads = (json.loads((folder / str(each) / "target/manifest.json").read_text()) for each in range(len(below)))
    return [(base, head) for head in heads]
