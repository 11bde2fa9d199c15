"""The file that outlives the stand-in."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import REPO

from local.aws.store import Store


def contents(path: Path, version: str = "1") -> dict[str, bytes]:
    store = Store(path, version)
    try:
        return dict(store.rows("k"))
    finally:
        store.close()


def test_rows_are_there_in_the_next_process_the_newest_of_each_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", "1")
    store.write([("k", "a", b"1"), ("k", "b", b"1"), ("other", "a", b"x")])
    store.write([("k", "a", b"2"), ("k", "b", None), ("k", "never", None)])
    store.close()
    assert contents(tmp_path / "db") == {"a": b"2"}


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", "1")
    store.write([("k", "a", b"1")])
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    store.close()


def test_names_are_found_by_their_beginning_literally(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", "1")
    store.write([("k", name, b"") for name in ("b/u_1/1", "b/u_1/2", "b/uX1/1", "b/u_1")])
    assert sorted(store.names("k", "b/u_1/")) == ["b/u_1/1", "b/u_1/2"]
    store.close()


def test_a_write_is_whole_or_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", "1")
    with pytest.raises(sqlite3.Error):
        store.write([("k", "a", b"1"), ("k", None, b"1")])  # type: ignore[list-item]
    store.write([("k", "b", b"1")])
    store.close()
    assert contents(tmp_path / "db") == {"b": b"1"}


def test_rows_of_another_version_are_set_aside(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", "1")
    store.write([("k", "a", b"1")])
    store.close()
    assert contents(tmp_path / "db", "2") == {}
    assert contents(tmp_path / "db.1") == {"a": b"1"}


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", "1")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Store(tmp_path / "db", "1", patience=0)
    store.close()


def test_what_a_killed_process_wrote_is_there(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from local.aws.store import Store
store = Store(Path(sys.argv[1]), "1")
for number in range(10**6):
    store.write([("k", "last", str(number).encode()), ("k", "copy", str(number).encode() * 5000)])
    print(number, flush=True)
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "db"],
        env={**os.environ, "PYTHONPATH": str(REPO / "include")},
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None
    said = [int(writer.stdout.readline()) for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    said += [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]
    writer.wait()
    found = contents(tmp_path / "db")
    assert int(found["last"]) in (said[-1], said[-1] + 1)
    assert found["copy"] == found["last"] * 5000
