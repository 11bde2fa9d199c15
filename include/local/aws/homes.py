"""The folders where environments' tasks unpack their code: they go when the environment's role does.

On Fargate a task's disk ends with the task. Here all tasks of an environment share a folder, so that its code is
unpacked once; without its role none of them can be started. What tasks and jobs of EMR Serverless wrote stays 30 days.
"""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from pathlib import Path

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import IAMBackend, iam_backends

_ROLE = "te-"  # what the role of environment ENV_ID is called: this, then ENV_ID
_GONE = ".gone-"
_DAYS_KEPT = 30


def install(work_dir: Path) -> None:
    """Remove the folder of each environment whose role is deleted from now on, or is not there already, and what is
    too old.
    """
    folder = work_dir / "homes"
    delete = IAMBackend.delete_role

    def delete_role(self: IAMBackend, role_name: str) -> None:
        delete(self, role_name)
        if role_name.startswith(_ROLE):
            _remove(folder / role_name.removeprefix(_ROLE))

    IAMBackend.delete_role = delete_role  # type: ignore[method-assign]
    roles = {role.name for role in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].get_roles()}
    for home in folder.glob("*"):
        if f"{_ROLE}{home.name}" not in roles:
            _remove(home)
    for written in (*work_dir.glob("tasks/*"), *work_dir.glob("emr/*")):
        if written.stat().st_mtime < time.time() - _DAYS_KEPT * 24 * 3600:
            _remove(written)


def _remove(home: Path) -> None:
    """Out of the way at once, for the next environment of that name; from the disk soon."""
    gone = home.with_name(f"{_GONE}{uuid.uuid4().hex}")
    try:
        home.rename(gone)
    except FileNotFoundError:  # it had no tasks
        return
    threading.Thread(target=shutil.rmtree, args=(gone, True), name="remove-home", daemon=True).start()
