"""Brings jars from Maven: what a `pom.xml` names, once, into `.cache/jars/`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from local.errors import StackError
from local.home import INCLUDE, cache_folder

BUNDLES = ("kafka", "spark")


def folder(bundle: str) -> Path:
    """The folder of the jars of `include/local/BUNDLE/pom.xml`; brings them first if they are not there (minutes)."""
    pom = INCLUDE / "local" / bundle / "pom.xml"
    fingerprint = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    target = cache_folder() / "jars" / f"{bundle}-{fingerprint}"
    if not target.is_dir():
        _bring(pom, target)
    return target


def _bring(pom: Path, target: Path) -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise StackError(
            f"the jars of {pom} are not in {target.parent} and mvn, which brings them, is not on PATH. "
            "Install Maven (Debian: apt-get install maven) and run `make install`"
        )
    draft = target.with_name(f"{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    command = [maven, "-q", "-B", "-ntp", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={draft}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StackError(f"mvn could not bring the jars of {pom}:\n{answer.stdout[-2000:]}{answer.stderr[-500:]}")
    draft.rename(target)


if __name__ == "__main__":
    try:
        for name in BUNDLES:
            print(f"{name}: {folder(name)}")
    except StackError as error:
        sys.exit(f"error: {error}")
