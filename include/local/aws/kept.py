"""What the account holds outlives the process: things are written down as they change, and put back at the start.

A thing is kept as moto's own objects, pickled: dates, ids, ETags and versions come back as they were. Only the owner of
the stack can read the file, or write it.
"""

from __future__ import annotations

import copyreg
import io
import logging
import pickle
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import moto
from moto.backends import get_backend
from moto.core.base_backend import BaseBackend

from local.aws.changes import Thing
from local.aws.kinds import KINDS
from local.aws.store import Store, Write

log = logging.getLogger("local.aws.kept")

FILE = "account.db"
_DONE = "done"  # rows of this kind are no things, but say what need not be done again
_VERSION = f"1-moto-{moto.__version__}"  # what is pickled changes with either


class Keeper:
    """Writes things down, and puts all back at the start. For any thread."""

    def __init__(self, folder: Path, region: str) -> None:
        self._kinds = {kind.label: kind(region) for kind in KINDS}
        self._store = Store(folder / FILE, _VERSION)
        self._lock = threading.Lock()

    def keep(self, things: Iterable[Thing]) -> None:
        """Write THINGS down as they are now. What they were is not asked: whoever comes last writes the newest."""
        with self._lock:
            self._store.write([self._row(thing) for named in things for thing in self._resolved(named)])

    def put_back(self) -> int:
        """Fill moto's books, which must be empty; returns how many things there are."""
        over: list[Write] = []
        count = 0
        with self._lock:
            for label, kind in self._kinds.items():
                for name, state in self._store.rows(label):
                    held = pickle.loads(state)
                    if kind.is_over(name, held):
                        over.append((label, name, None))
                    else:
                        kind.put_back(name, held)
                        count += 1
            self._store.write(over)
        return count

    def is_done(self, work: str, how: bytes) -> bool:
        """True if `done` was told that WORK was done just so."""
        with self._lock:
            return (work, how) in self._store.rows(_DONE)

    def done(self, work: str, how: bytes) -> None:
        with self._lock:
            self._store.write([(_DONE, work, how)])

    def _resolved(self, thing: Thing) -> Iterable[Thing]:
        if thing.kind != "parts":
            return (thing,)
        return [Thing("part", name) for name in self._store.names("part", thing.name)]

    def _row(self, thing: Thing) -> Write:
        kind = self._kinds[thing.kind]
        while True:
            held = kind.read(thing.name)
            if held is None:
                return thing.kind, thing.name, None
            try:
                state = _pickled(held)
            except RuntimeError as error:  # a dictionary that another request changes meanwhile
                log.info("%s %s changed while it was written down (%s): again", thing.kind, thing.name, error)
                continue
            if _same(kind.read(thing.name), held):  # else an object was overwritten, and moto has let go of its body
                return thing.kind, thing.name, state


def _same(now: Any, held: Any) -> bool:
    """True if NOW consists of the very objects that HELD does."""
    if isinstance(held, tuple | list):
        return isinstance(now, tuple | list) and len(now) == len(held) and all(map(_same, now, held))
    return now is held or type(held).__name__ not in ("FakeKey", "FakeDeleteMarker")


def _pickled(held: Any) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(held)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Tasks and topics refer to the books they are in, which are not to be copied."""

    dispatch_table = copyreg.dispatch_table.copy()


def register(backend: type[BaseBackend], service: str) -> None:
    """Let objects of moto that refer to a BACKEND be kept."""
    _Pickler.dispatch_table[backend] = lambda books: (_books, (service, books.account_id, books.region_name))


def _books(service: str, account: str, region: str) -> Any:
    return get_backend(service)[account][region]  # type: ignore[call-overload]
