"""A class data archive for Spark's JVM: made once, by `make install`, from then on each job starts from it.

    .venv/local/bin/python -m local.aws.class_archive

Measured on 2 shared cores, a job that reads JSON and writes Parquet: 22.8 CPU-seconds as Spark starts by default, 11.3
with the quick compiler and the serial collector, 6.7 with the archive besides. Making it costs some 30 CPU-seconds, and
150 MB in `.cache/`. Without it jobs run as well, slower.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local import jars as bundles
from local.aws import spark_submit
from local.errors import StackError
from local.home import cache_folder, venv_bin

# Drivers live for seconds: compiling well, or collecting in parallel, costs more than it brings.
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")  # what cannot be archived is a warning on stdout

TRAINING = Path(__file__).with_name("spark_training.py")


def options(submit: Path, jars: Path) -> tuple[str, ...]:
    """JVM options for a job of the Spark installation of `submit`, with `jars` on its class path."""
    archive = _path(submit, jars)
    return (*QUICK_START, *_QUIET, f"-XX:SharedArchiveFile={archive}") if archive.exists() else QUICK_START


def make(submit: Path, python: Path, jars: Path) -> Path:
    """Make the archive if it is not there, in place of those of other versions. Raises StackError."""
    archive = _path(submit, jars)
    if archive.exists():
        return archive
    with tempfile.TemporaryDirectory(prefix="testenv-spark-") as name:
        folder, draft = Path(name), archive.with_suffix(f".{os.getpid()}")
        spark_submit.log_configuration(folder).write_text(spark_submit.LOG_PROPERTIES)
        java = (*QUICK_START, *_QUIET, f"-XX:ArchiveClassesAtExit={draft}")
        place = spark_submit.Place(submit, jars, folder, "http://127.0.0.1:9", "eu-central-1", java)
        environment = {
            **{key: os.environ[key] for key in ("PATH", "JAVA_HOME") if key in os.environ},
            **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "none"),
            "PYSPARK_PYTHON": str(python),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        words = spark_submit.command(spark_submit.SparkJob(str(TRAINING), (str(folder),)), place)
        answer = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if answer.returncode or not draft.exists():
            draft.unlink(missing_ok=True)
            raise StackError(f"Spark's class archive could not be made:\n{(answer.stdout + answer.stderr)[-2000:]}")
    for old in archive.parent.glob("spark-*.jsa"):
        old.unlink()
    return draft.replace(archive)


def _path(submit: Path, jars: Path) -> Path:
    """Named by what the JVM compares before it uses an archive: itself, and each jar's path, size and age."""
    java = Path(os.environ["JAVA_HOME"], "bin", "java") if "JAVA_HOME" in os.environ else shutil.which("java")
    spark = submit.parent.parent.glob("lib/python*/site-packages/pyspark/jars/*.jar")
    files = ([Path(java).resolve()] if java else []) + sorted([*spark, *jars.glob("*.jar")])
    facts = "\n".join(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)
    return cache_folder() / f"spark-{hashlib.sha256(facts.encode()).hexdigest()[:12]}.jsa"


if __name__ == "__main__":
    try:
        print(make(venv_bin("spark", "spark-submit"), venv_bin("spark"), bundles.folder("spark")))
    except StackError as error:
        sys.exit(f"error: {error}")
