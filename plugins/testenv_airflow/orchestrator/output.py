"""Copies all that a process and its children write into a file, while it still goes where it went."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_DRAIN = 5.0  # seconds to wait for a stray child that still holds the pipe


@contextmanager
def tee(path: Path) -> Iterator[None]:
    """Within, file descriptors 1 and 2 are also written to `path`."""
    read_end, write_end = os.pipe()
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with path.open("wb") as file:
        copier = threading.Thread(target=_copy, args=(read_end, saved[0], file), daemon=True)
        _flush()
        for descriptor in (1, 2):
            os.dup2(write_end, descriptor)
        os.close(write_end)
        copier.start()
        try:
            yield
        finally:
            _flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
            copier.join(_DRAIN)
            for original in saved:
                os.close(original)


def _copy(read_end: int, original: int, file: BinaryIO) -> None:
    while chunk := os.read(read_end, 65536):
        os.write(original, chunk)
        file.write(chunk)
        file.flush()
    os.close(read_end)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
