"""What the schema check says of dbt's contracts, by the manifests that dbt itself makes. Needs dbt, and no service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.faults.corpus import REPO, Case, cases
from tests.unit.faults.estate import made
from tests.unit.faults.test_static import PROJECT, judged_rightly, release

from testenv.checks.schema import SchemaCheck

DBT = REPO / ".venv" / "dbt" / "bin" / "python"
PROPERTIES = (f"{PROJECT}/models/marts/marts.yml", f"{PROJECT}/dbt_project.yml")
"""Where contracts of models stand."""

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


def test_what_dbts_manifest_declares(tmp_path: Path) -> None:
    concerned = [case for case in cases() if any(edit.file in PROPERTIES for edit in case.edits)]
    assert {case.verdict for case in concerned} == {"yes", "no"}
    base, *heads = parse(concerned, tmp_path / "parsed")
    for case, head in zip(concerned, heads, strict=True):
        judged_rightly(case, SchemaCheck().check(release(case, base, head)))


def parse(concerned: list[Case], folder: Path) -> list[Any]:
    """Base's manifest, and each head's: by one process, as an import of dbt takes longer than reading the project."""
    below = [
        {path.removeprefix(f"{PROJECT}/"): text for path, text in texts.items() if path.startswith(PROJECT)}
        for texts in ({}, *map(made, concerned))
    ]
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
    return [json.loads((folder / str(each) / "target/manifest.json").read_text()) for each in range(len(below))]
