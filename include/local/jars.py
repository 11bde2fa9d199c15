"""Brings jars from Maven, what a `pom.xml` names, once, into `.cache/jars/`; compiles `src/` beside it to one more."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from local.errors import StackError
from local.home import INCLUDE, cache_folder, venv_bin
from local.java import find_java

BUNDLES = ("kafka", "spark")
OWN = "testenv.jar"
"""In a bundle: our own classes, which are compiled against its jars and pyspark's."""

RELEASE = 11
"""Of Java, that our classes are compiled for: EMR's is this or newer."""


def folder(bundle: str) -> Path:
    """The folder of the jars of `include/local/BUNDLE/pom.xml`; brings them first if they are not there (minutes)."""
    pom = INCLUDE / "local" / bundle / "pom.xml"
    sources = sorted(pom.parent.glob("src/*.java"))
    contents = b"".join(file.read_bytes() for file in (pom, *sources))
    target = cache_folder() / "jars" / f"{bundle}-{hashlib.sha256(contents).hexdigest()[:12]}"
    if not target.is_dir():
        draft = target.with_name(f"{target.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _bring(pom, draft)
        if sources:
            _compile(sources, draft)
        draft.rename(target)
    return target


def _bring(pom: Path, folder: Path) -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise StackError(
            f"the jars of {pom} are not in {folder.parent} and mvn, which brings them, is not on PATH. "
            "Install Maven (Debian: apt-get install maven) and run `make install`"
        )
    command = [maven, "-q", "-B", "-ntp", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StackError(f"mvn could not bring the jars of {pom}:\n{answer.stdout[-2000:]}{answer.stderr[-500:]}")


def _compile(sources: list[Path], folder: Path) -> None:
    """Compile `sources` into the jar `OWN` of `folder`."""
    found = find_java(RELEASE).resolve().parent
    javac, jar = (found / tool for tool in ("javac", "jar"))
    if not javac.exists():
        raise StackError(
            f"{found} has java and no javac, which compiles {sources[0].parent}. "
            "Install a JDK (Debian: apt-get install openjdk-17-jdk-headless) and run `make install`"
        )
    [pyspark] = venv_bin("spark").parent.parent.glob("lib/python*/site-packages/pyspark/jars")
    classes = folder / "classes"
    options = ["-proc:none", "--release", str(RELEASE), "-d", classes]
    for command in (
        [javac, *options, "-cp", f"{folder}/*:{pyspark}/*", *sources],
        [jar, "--create", "--file", folder / OWN, "-C", classes, "."],
    ):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise StackError(f"{command[0]} failed on {sources[0].parent}:\n{(answer.stdout + answer.stderr)[-2000:]}")
    shutil.rmtree(classes)


if __name__ == "__main__":
    try:
        for name in BUNDLES:
            print(f"{name}: {folder(name)}")
    except StackError as error:
        sys.exit(f"error: {error}")
