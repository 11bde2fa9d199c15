"""Finding the Java that serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import java
from local.errors import StackError


def executable(folder: Path, answer: str) -> Path:
    """A program called `java` whose `-version` says ANSWER."""
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{answer}' >&2\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ("bash: no such thing", None),
    ],
)
def test_major_version_is_read_from_any_vendors_banner(banner: str, version: int | None) -> None:
    assert java.major_version(banner) == version


def test_java_home_goes_before_path(tmp_path: Path) -> None:
    at_home = executable(tmp_path / "home", 'openjdk version "21"')
    on_path = executable(tmp_path / "path", 'openjdk version "17"')
    environ = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(on_path.parent)}
    assert java.find_java(17, environ) == at_home


def test_no_java_names_where_was_looked_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no java found on PATH\. Install Java 17 or newer"):
        java.find_java(17, {"PATH": str(tmp_path)})
    with pytest.raises(StackError, match=rf"no java found in JAVA_HOME={tmp_path}\. Install"):
        java.find_java(17, {"JAVA_HOME": str(tmp_path)})


def test_old_java_is_refused_with_its_version_and_the_remedy(tmp_path: Path) -> None:
    old = executable(tmp_path, 'openjdk version "11.0.2"')
    with pytest.raises(StackError, match=r"is Java 11, but Java 17 or newer is needed\. Install"):
        java.find_java(17, {"PATH": str(old.parent)})
