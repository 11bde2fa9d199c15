"""The folder of Airflow's own logs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from airflow.configuration import conf


def older(before: datetime) -> list[Path]:
    """Log files last written before then. Links are left alone: what they name has its own turn."""
    folder = Path(conf.get_mandatory_value("logging", "base_log_folder"))
    found = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return sorted(file for file in found if file.stat().st_mtime < before.timestamp())


def delete(files: Iterable[Path]) -> None:
    """Delete files, and the folders below the logs' own that are empty then."""
    folder = Path(conf.get_mandatory_value("logging", "base_log_folder"))
    for file in files:
        file.unlink(missing_ok=True)
        for parent in file.parents:
            if parent == folder or any(parent.iterdir()):
                break
            parent.rmdir()
