"""Compiled functions: numba, with a cache that also works where the code cannot be written to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba


def _cache_folder() -> str:
    """Where compiled code is kept: empty (beside the source) if that can be written to, else a folder of this user's.

    Code is loaded from there, so a folder that somebody else made is not used.
    """
    here = Path(__file__).parent
    given = str(numba.config.CACHE_DIR)  # type: ignore[attr-defined]
    if given or (here.is_dir() and os.access(here, os.W_OK)):
        return given
    folder = Path(tempfile.gettempdir()) / f"testenv-numba-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return tempfile.mkdtemp(prefix="testenv-numba-")
    return str(folder)


numba.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]


def compiled(function: Callable[..., Any]) -> Any:
    """`function`, compiled on its first call, kept for the next process; other threads run beside it."""
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


def inlined(function: Callable[..., Any]) -> Any:
    """`function`, put in the place of its calls by the compiler, whatever its size."""
    return numba.njit(forceinline=True, error_model="numpy")(function)
