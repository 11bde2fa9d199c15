"""Who may do what: the grants of the account, and the questions that privileges and SHOW ask of them.

All of it lives in memory, since every statement asks; a journal that the catalog gives is told each change.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

RELATIONS = frozenset({"TABLE", "VIEW", "DYNAMIC TABLE", "MATERIALIZED VIEW"})
SYSTEM_ROLES = ("ACCOUNTADMIN", "SECURITYADMIN", "USERADMIN", "SYSADMIN", "PUBLIC")
ACCOUNT = "ACCOUNT"

_RELATION_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES")
ALL_PRIVILEGES: dict[str, tuple[str, ...]] = {
    "DATABASE": ("USAGE", "MODIFY", "MONITOR", "CREATE SCHEMA"),
    "SCHEMA": (
        "USAGE", "MODIFY", "MONITOR", "CREATE TABLE", "CREATE VIEW", "CREATE STAGE", "CREATE FILE FORMAT",
        "CREATE SEQUENCE", "CREATE DYNAMIC TABLE",
    ),
    "TABLE": _RELATION_PRIVILEGES,
    "VIEW": ("SELECT", "REFERENCES"),
    "DYNAMIC TABLE": ("SELECT", "MONITOR", "OPERATE"),
    "STAGE": ("USAGE", "READ", "WRITE"),
    "FILE FORMAT": ("USAGE",),
    "SEQUENCE": ("USAGE",),
    "WAREHOUSE": ("USAGE", "OPERATE", "MONITOR", "MODIFY"),
    "INTEGRATION": ("USAGE",),
    "RESOURCE MONITOR": ("MONITOR", "MODIFY"),
    "ROLE": (),
    "USER": ("MONITOR",),
    "ACCOUNT": (
        "CREATE DATABASE", "CREATE WAREHOUSE", "CREATE ROLE", "CREATE USER", "CREATE INTEGRATION", "MANAGE GRANTS",
        "MONITOR USAGE", "MONITOR EXECUTION", "EXECUTE TASK",
    ),
}  # fmt: skip
"""What ALL PRIVILEGES means on each kind of object, and the privileges that a GRANT may name (and OWNERSHIP)."""


def group(kind: str) -> str:
    """Tables and views share one namespace, so a grant is found by either word."""
    return "TABLE" if kind in RELATIONS else kind


@dataclass(frozen=True)
class Grant:
    """One privilege on one object, or, when ``future``, on every ``on_type`` made later in the container ``on_name``.

    ``on_name`` is the tuple of stored name parts; ``("ACCOUNT",)`` for the account. Membership of a role is
    USAGE on the ROLE.
    """

    privilege: str
    on_type: str
    on_name: tuple[str, ...]
    grantee: str
    grantee_type: str = "ROLE"
    future: bool = False
    granted_by: str | None = field(default=None, compare=False)
    created_on: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)


Journal = Callable[[list[Grant], list[Grant]], None]
"""Told the grants added and the grants removed by one change, in this order."""


class Grants:
    """The set of grants, indexed by object and by grantee. Safe to use from several threads."""

    def __init__(
        self,
        grants: Iterable[Grant] = (),
        journal: Journal = lambda added, removed: None,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        """``lock`` is that of the journal's owner, so that the two are never taken in different orders."""
        self._lock = lock or threading.RLock()
        self._journal = journal
        self.reset(grants)

    def reset(self, grants: Iterable[Grant]) -> None:
        """Hold these grants and no others, without telling the journal."""
        with self._lock:
            self._on: dict[tuple[str, tuple[str, ...]], set[Grant]] = defaultdict(set)
            self._future: dict[tuple[str, ...], set[Grant]] = defaultdict(set)
            self._members: dict[tuple[str, str], set[str]] = defaultdict(set)
            for grant in grants:
                self._insert(grant)

    def add(self, *grants: Grant) -> None:
        """Grant; OWNERSHIP passes from whoever held it."""
        with self._lock:
            removed = [
                other
                for grant in grants
                if grant.privilege == "OWNERSHIP" and not grant.future
                for other in self.on(grant.on_type, grant.on_name)
                if other.privilege == "OWNERSHIP"
            ]
            self._apply([g for g in grants if not self._holds(g)], [g for g in removed if g not in grants])

    def remove(self, grants: Iterable[Grant]) -> None:
        with self._lock:
            self._apply([], [g for g in grants if self._holds(g)])

    def drop_object(self, kind: str, name: tuple[str, ...]) -> None:
        """Forget every grant on an object and on all that is inside it."""
        with self._lock:
            among = self.all() if kind in ("DATABASE", "SCHEMA") else self.on(kind, name)
            self._apply([], [g for g in among if self._inside(g, kind, name)])

    def drop_role(self, role: str) -> None:
        """Forget a role or user: what was granted to it, and who was granted it."""
        with self._lock:
            self._apply([], [g for g in self.all() if g.grantee == role or (g.on_type, g.on_name) == ("ROLE", (role,))])

    def rename(self, kind: str, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        with self._lock:
            among = self.all() if kind in ("DATABASE", "SCHEMA") else self.on(kind, old)
            moved = [g for g in among if self._inside(g, kind, old)]
            self._apply([replace(g, on_name=new + g.on_name[len(old) :]) for g in moved], moved)

    def swap(self, a: tuple[str, ...], b: tuple[str, ...]) -> None:
        """Exchange the grants of two tables."""
        with self._lock:
            on_a, on_b = self.on("TABLE", a), self.on("TABLE", b)
            moved = [replace(g, on_name=b) for g in on_a] + [replace(g, on_name=a) for g in on_b]
            self._apply([], [*on_a, *on_b])
            self._apply(moved, [])

    def copy_children(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Give the children of a cloned container the grants of the source's children, not those of itself."""
        with self._lock:
            children = [g for g in self.all() if len(g.on_name) > len(source) and g.on_name[: len(source)] == source]
            self._apply([replace(g, on_name=target + g.on_name[len(source) :]) for g in children], [])

    def on(self, kind: str, name: tuple[str, ...]) -> list[Grant]:
        with self._lock:
            return list(self._on.get((group(kind), name), ()))

    def future_in(self, container: tuple[str, ...]) -> list[Grant]:
        with self._lock:
            return list(self._future.get(container, ()))

    def future_for(self, kind: str, name: tuple[str, ...]) -> list[Grant]:
        """Future grants that a new object takes: the schema's if it has any for this kind, else the database's."""
        for container in (name[:2], name[:1]):
            if len(container) < len(name):
                matching = [g for g in self.future_in(container) if g.on_type == kind]
                if matching:
                    return matching
        return []

    def owner(self, kind: str, name: tuple[str, ...]) -> str | None:
        return next((g.grantee for g in self.on(kind, name) if g.privilege == "OWNERSHIP"), None)

    def kind_of(self, name: tuple[str, ...]) -> str | None:
        """TABLE, VIEW or DYNAMIC TABLE for a relation that exists, else None."""
        return next((g.on_type for g in self.on("TABLE", name) if g.privilege == "OWNERSHIP"), None)

    def roles_of(self, grantee: str, grantee_type: str = "ROLE") -> frozenset[str]:
        """Roles that a role (itself included) or a user holds, directly and by inheritance; PUBLIC always."""
        with self._lock:
            seen = {"PUBLIC"} | ({grantee} if grantee_type == "ROLE" else set())
            todo = list(self._members.get((grantee_type, grantee), ()))
            while todo:
                if (role := todo.pop()) not in seen:
                    seen.add(role)
                    todo += self._members.get(("ROLE", role), ())
            return frozenset(seen)

    def allows(self, roles: frozenset[str], privileges: Iterable[str], kind: str, name: tuple[str, ...]) -> bool:
        """Whether one of the roles holds one of the privileges, or OWNERSHIP, on the object."""
        wanted = {*privileges, "OWNERSHIP"}
        return any(
            g.grantee_type == "ROLE" and g.grantee in roles and g.privilege in wanted for g in self.on(kind, name)
        )

    def allows_any(self, roles: frozenset[str], kind: str, name: tuple[str, ...]) -> bool:
        """Whether one of the roles holds any privilege on the object, and so may know that it exists."""
        return any(g.grantee_type == "ROLE" and g.grantee in roles for g in self.on(kind, name))

    def replace_on(self, kind: str, name: tuple[str, ...], grants: Iterable[Grant]) -> None:
        """Make these the grants on an object, and no others."""
        with self._lock:
            old, new = self.on(kind, name), set(grants)
            self._apply([g for g in new if g not in old], [g for g in old if g not in new])

    def all(self) -> Iterator[Grant]:
        with self._lock:
            return iter([g for index in (self._on, self._future) for grants in index.values() for g in grants])

    @staticmethod
    def _inside(grant: Grant, kind: str, name: tuple[str, ...]) -> bool:
        if grant.future:
            return kind in ("DATABASE", "SCHEMA") and grant.on_name[: len(name)] == name
        if group(grant.on_type) == group(kind) and grant.on_name == name:
            return True
        return kind in ("DATABASE", "SCHEMA") and len(grant.on_name) > len(name) and grant.on_name[: len(name)] == name

    def _index(self, grant: Grant) -> set[Grant]:
        return self._future[grant.on_name] if grant.future else self._on[group(grant.on_type), grant.on_name]

    def _holds(self, grant: Grant) -> bool:
        return grant in self._index(grant)

    def _insert(self, grant: Grant) -> None:
        self._index(grant).add(grant)
        if grant.on_type == "ROLE" and grant.privilege == "USAGE":
            self._members[grant.grantee_type, grant.grantee].add(grant.on_name[0])

    def _apply(self, added: list[Grant], removed: list[Grant]) -> None:
        if not added and not removed:
            return
        for grant in removed:
            self._index(grant).discard(grant)
            if grant.on_type == "ROLE" and grant.privilege == "USAGE":
                self._members[grant.grantee_type, grant.grantee].discard(grant.on_name[0])
        for grant in added:
            self._insert(grant)
        self._journal(added, removed)
