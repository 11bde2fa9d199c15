"""Finds the Java that runs Kafka and Spark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.errors import StackError

REMEDY = "Install Java {oldest} or newer (Debian: apt-get install openjdk-17-jdk-headless) or set JAVA_HOME to it"


def find_java(oldest: int, environ: Mapping[str, str] = os.environ) -> Path:
    """The `java` of JAVA_HOME, else of PATH; `StackError` with the remedy if there is none or it is too old."""
    remedy = REMEDY.format(oldest=oldest)
    home = environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else environ.get("PATH", ""))
    if not found:
        raise StackError(f"no java found {f'in JAVA_HOME={home}' if home else 'on PATH'}. {remedy}")
    answer = subprocess.run([found, "-version"], capture_output=True, text=True, check=False, timeout=60)
    version = major_version(answer.stderr)
    if version is None:
        raise StackError(f"{found} -version answered {answer.stderr[:200]!r}, which names no version. {remedy}")
    if version < oldest:
        raise StackError(f"{found} is Java {version}, but Java {oldest} or newer is needed. {remedy}")
    return Path(found)


def major_version(banner: str) -> int | None:
    """The major version in the first line of `java -version`: 17 for "17.0.15", 8 for "1.8.0_402"."""
    match = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(match.group(1)) if match else None
