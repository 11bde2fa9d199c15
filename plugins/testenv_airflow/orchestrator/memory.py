"""What an Airflow remembers from one run to the next, beside what its pipelines write: runs, variables, files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow import settings
from airflow.models import Variable
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session

ELSEWHERE = ("logs", "code-")
"""Folders of Airflow's home, by how they begin, that lead no run another way: the code each side has for itself."""

_VARIABLES = Variable.__table__


@dataclass(frozen=True)
class Memory:
    """As it was at one time: `variables` are rows of Airflow's own table, `runs` ids."""

    home: Path
    variables: tuple[dict[str, Any], ...]
    runs: frozenset[int]
    files: dict[Path, bytes]

    @classmethod
    def of_now(cls, home: Path) -> Memory:
        """Read it. Leaves no connection open, so that the process may fork."""
        try:
            with create_session() as session:
                variables = tuple(dict(row._mapping) for row in session.execute(_VARIABLES.select()))
                runs = frozenset(id_ for (id_,) in session.query(DagRun.id))
        finally:
            settings.engine.dispose()
        return cls(home, variables, runs, {path: path.read_bytes() for path in _files(home)})

    def restore(self) -> None:
        """Make it be as it was. No run may be at work. Leaves no connection open."""
        try:
            with create_session() as session:  # tasks go with their run, and what they told each other
                session.query(DagRun).filter(DagRun.id.notin_(self.runs)).delete(synchronize_session=False)
                session.execute(_VARIABLES.delete())
                if self.variables:
                    session.execute(_VARIABLES.insert(), list(self.variables))
        finally:
            settings.engine.dispose()
        for path in _files(self.home):
            if path not in self.files:
                path.unlink()
        for path, content in self.files.items():
            path.write_bytes(content)


def _files(home: Path) -> list[Path]:
    return [path for top in home.iterdir() if not top.name.startswith(ELSEWHERE) for path in _below(top)]


def _below(top: Path) -> Iterator[Path]:
    yield from (path for path in (top.rglob("*") if top.is_dir() else [top]) if path.is_file())
