"""What the account holds, on disk: one SQLite file of rows (kind, name) → bytes, which outlives the process.

A write is whole or not there, however the process ends. It is not synced to the disk: only a power cut loses it, or the
end of the machine. Rows are of one version of their writer; those of another are set aside, not read.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

log = logging.getLogger("local.aws.store")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (version TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS held (kind TEXT NOT NULL, name TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (kind, name));
"""
_WASTE = 64 * 1024 * 1024  # bytes of deleted rows that are worth rewriting the file for

Write = tuple[str, str, bytes | None]
"""Kind, name, and the row's new content; None takes the row away."""


class Store:
    """The rows of one file. Not for several threads at once: the caller takes turns."""

    def __init__(self, path: Path, version: str, patience: float = 5.0) -> None:
        """Open PATH, or make it. Raises sqlite3.OperationalError if another process has it for PATIENCE (seconds)."""
        self._path, self._patience = path, patience
        self._connection = self._open()
        held = self._connection.execute("SELECT version FROM about").fetchone()
        if held and held[0] != version:
            aside = path.with_name(f"{path.name}.{held[0]}")
            log.warning("%s was written by version %s, this is %s: set aside as %s", path, held[0], version, aside)
            self.close()
            path.replace(aside)
            self._connection, held = self._open(), None
        if not held:
            self._connection.execute("INSERT INTO about VALUES (?)", (version,))
        self._shrink()

    def _open(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=self._patience)
        # One process at a time: without shared memory, a kill leaves nothing but the log, which the next one reads.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA journal_size_limit = {_WASTE}")
        connection.executescript(_SCHEMA)
        return connection

    def _shrink(self) -> None:
        free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size")
        )
        if free * size > _WASTE:
            self._connection.execute("VACUUM")

    def write(self, rows: Iterable[Write]) -> None:
        """All of ROWS, or none."""
        with self._connection:
            self._connection.execute("BEGIN")
            for row in rows:
                self._write(row)

    def _write(self, row: Write) -> None:
        kind, name, state = row
        if state is None:
            self._connection.execute("DELETE FROM held WHERE kind = ? AND name = ?", (kind, name))
        else:
            self._connection.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?)", row)

    def rows(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """Names and contents of KIND, in the order they were first written or last changed."""
        yield from self._connection.execute("SELECT name, state FROM held WHERE kind = ? ORDER BY rowid", (kind,))

    def names(self, kind: str, prefix: str) -> list[str]:
        """The names of KIND that begin with PREFIX."""
        found = self._connection.execute(
            "SELECT name FROM held WHERE kind = ? AND substr(name, 1, ?) = ?", (kind, len(prefix), prefix)
        )
        return [name for (name,) in found]

    def close(self) -> None:
        self._connection.close()
