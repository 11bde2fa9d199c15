"""Runs what refuses to run as root as somebody else."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from local.errors import StackError


def demotion() -> list[str]:
    """What to put before a command so that it does not run as root; nothing if we are not root.

    The one capability that is kept lets the program pass through folders of root's, such as a repository under `/root`
    or a pytest folder, on the way to its own files.
    """
    if os.geteuid():
        return []
    setpriv = shutil.which("setpriv", path=os.environ.get("PATH", "") + ":/usr/bin:/bin")
    if not setpriv:
        raise StackError(
            "PostgreSQL refuses to run as root and setpriv, which runs it as another user, is not on PATH. "
            "Install it (Debian: apt-get install util-linux) or run as an ordinary user"
        )
    user = _user()
    identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [setpriv, *identity, "--inh-caps=-all,+dac_override", "--ambient-caps=+dac_override", "--"]


def give_away(path: Path) -> None:
    """Make PATH belong to the user that `demotion` changes to."""
    if os.geteuid() == 0:
        user = _user()
        os.chown(path, user.pw_uid, user.pw_gid)


def _user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
