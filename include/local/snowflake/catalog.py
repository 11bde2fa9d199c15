"""The account's metadata, kept in DuckDB beside the data: account objects, grants, and what DuckDB does not
remember of tables and views. One connection, one lock: metadata is never part of a user's transaction."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from local.snowflake import auth
from local.snowflake.grants import ACCOUNT, SYSTEM_ROLES, Grant, Grants

SCHEMA = "_fs_global._account"

_TABLES = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.objects (
    kind VARCHAR, name VARCHAR, comment VARCHAR, properties JSON, created_on TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS {SCHEMA}.grants (
    privilege VARCHAR, on_type VARCHAR, on_name VARCHAR[], grantee VARCHAR, grantee_type VARCHAR, future BOOLEAN,
    granted_by VARCHAR, created_on TIMESTAMPTZ);
CREATE TABLE IF NOT EXISTS {SCHEMA}.relations (
    database VARCHAR, schema VARCHAR, name VARCHAR, created TIMESTAMPTZ DEFAULT now(),
    altered TIMESTAMPTZ DEFAULT now(), transient BOOLEAN DEFAULT FALSE, cluster_by VARCHAR, dynamic JSON,
    definition VARCHAR, PRIMARY KEY (database, schema, name));
"""

_SYSTEM_GRANTS = (
    *(Grant("USAGE", "ROLE", (role,), parent)
      for role, parent in (("SYSADMIN", "ACCOUNTADMIN"), ("SECURITYADMIN", "ACCOUNTADMIN"),
                           ("USERADMIN", "SECURITYADMIN"))),
    *(Grant(privilege, ACCOUNT, (ACCOUNT,), role)
      for role, privileges in (
          ("SYSADMIN", ("CREATE DATABASE", "CREATE WAREHOUSE")),
          ("USERADMIN", ("CREATE USER", "CREATE ROLE")),
          ("SECURITYADMIN", ("MANAGE GRANTS",)),
          ("ACCOUNTADMIN", ("CREATE INTEGRATION", "CREATE RESOURCE MONITOR", "MONITOR USAGE", "MONITOR EXECUTION")))
      for privilege in privileges),
)  # fmt: skip


@dataclass(frozen=True)
class AccountObject:
    """A database, role, user, warehouse, resource monitor or integration; properties have upper-case keys."""

    kind: str
    name: str
    comment: str | None
    properties: dict[str, Any]


class Catalog:
    """Reads and writes the metadata tables. ``lock`` also serialises the control statements that use it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.lock = threading.RLock()
        self._in_transaction = False
        connection.execute(_TABLES)
        self.grants = Grants(self._stored_grants(), self._journal, self.lock)
        for role in SYSTEM_ROLES:
            if not self.find("ROLE", role):
                self.put(AccountObject("ROLE", role, None, {}))
        self.grants.add(*_SYSTEM_GRANTS)

    def rows(self, sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with self.lock:
            return self._connection.execute(sql, params or []).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several writes one, which a crash or an exception leaves undone as a whole. Inner ones join it."""
        with self.lock:
            if self._in_transaction:
                yield
                return
            self._in_transaction = True
            self._connection.begin()
            try:
                yield
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                self.grants.reset(self._stored_grants())
                raise
            finally:
                self._in_transaction = False

    def _stored_grants(self) -> list[Grant]:
        rows = self.rows("SELECT privilege, on_type, on_name, grantee, grantee_type, future, granted_by, created_on "
                         f"FROM {SCHEMA}.grants")  # fmt: skip
        return [Grant(p, t, tuple(n), *rest) for p, t, n, *rest in rows]

    def bootstrap_admin(self, name: str, public_key: str) -> None:
        """Make sure the first user exists, holds ACCOUNTADMIN and logs in with this key."""
        user = self.find("USER", name)
        properties = (user.properties if user else {"DEFAULT_ROLE": "ACCOUNTADMIN", "LOGIN_NAME": name}) | {
            "RSA_PUBLIC_KEY": auth.read_public_key(public_key)
        }
        self.put(AccountObject("USER", name, user.comment if user else None, properties))
        self.grants.add(
            Grant("USAGE", "ROLE", ("ACCOUNTADMIN",), name, "USER"), Grant("OWNERSHIP", "USER", (name,), "ACCOUNTADMIN")
        )

    def find(self, kind: str, name: str) -> AccountObject | None:
        found = self.rows(f"SELECT comment, properties FROM {SCHEMA}.objects WHERE kind = ? AND name = ?", [kind, name])
        return AccountObject(kind, name, found[0][0], json.loads(found[0][1])) if found else None

    def put(self, item: AccountObject) -> None:
        """Insert or replace; the creation time of an object that is there stays."""
        self.rows(
            f"INSERT INTO {SCHEMA}.objects (kind, name, comment, properties) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET comment = excluded.comment, properties = excluded.properties",
            [item.kind, item.name, item.comment, json.dumps(item.properties)],
        )

    def delete(self, kind: str, name: str) -> None:
        self.rows(f"DELETE FROM {SCHEMA}.objects WHERE kind = ? AND name = ?", [kind, name])

    def objects(self, kind: str) -> list[AccountObject]:
        rows = self.rows(f"SELECT name, comment, properties FROM {SCHEMA}.objects WHERE kind = ? ORDER BY name", [kind])
        return [AccountObject(kind, name, comment, json.loads(p)) for name, comment, p in rows]

    def put_relation(
        self,
        name: tuple[str, ...],
        *,
        transient: bool = False,
        cluster_by: str | None = None,
        dynamic: dict[str, Any] | None = None,
        definition: str | None = None,
    ) -> None:
        """Remember what DuckDB does not of a table or view just created or replaced."""
        self.rows(
            f"INSERT OR REPLACE INTO {SCHEMA}.relations "
            "(database, schema, name, transient, cluster_by, dynamic, definition) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [*name, transient, cluster_by, dynamic and json.dumps(dynamic), definition],
        )

    def dynamic_table(self, name: tuple[str, ...]) -> dict[str, Any] | None:
        rows = self.rows(f"SELECT dynamic FROM {SCHEMA}.relations WHERE (database, schema, name) = (?, ?, ?)", [*name])
        return json.loads(rows[0][0]) if rows and rows[0][0] else None

    def touch_relation(self, name: tuple[str, ...]) -> None:
        self.rows(f"UPDATE {SCHEMA}.relations SET altered = now() WHERE (database, schema, name) = (?, ?, ?)", [*name])

    def rename_relation(self, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        self.drop_relations(new)
        self.rows(
            f"UPDATE {SCHEMA}.relations SET database = ?, schema = ?, name = ?, altered = now() "
            "WHERE (database, schema, name) = (?, ?, ?)",
            [*new, *old],
        )

    def drop_relations(self, container: tuple[str, ...]) -> None:
        """Forget the relations of a database, of a schema, or one relation, by the parts given."""
        columns = ("database", "schema", "name")[: len(container)]
        self.rows(f"DELETE FROM {SCHEMA}.relations WHERE " + " AND ".join(f"{c} = ?" for c in columns), [*container])

    def clone_relations(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Copy the metadata of a container's relations (transience, clustering), stamped with the time of the clone."""
        selected = ["database", "schema"][: len(source)]
        columns = [*(["?"] * len(target)), *["schema"][len(target) - 1 :], "name"]
        self.rows(
            f"INSERT OR REPLACE INTO {SCHEMA}.relations "
            "(database, schema, name, transient, cluster_by, dynamic, definition) "
            f"SELECT {', '.join(columns)}, transient, cluster_by, dynamic, definition FROM {SCHEMA}.relations "
            f"WHERE {' AND '.join(f'{c} = ?' for c in selected)}",
            [*target, *source],
        )

    def _journal(self, added: list[Grant], removed: list[Grant]) -> None:
        with self.transaction():
            for rows in _chunks([_key(g) for g in removed]):
                self._connection.execute(
                    f"DELETE FROM {SCHEMA}.grants WHERE (privilege, on_type, on_name, grantee, grantee_type, future) "
                    f"IN (VALUES {_placeholders(rows)})",
                    [value for row in rows for value in row],
                )
            insert(self._connection, f"{SCHEMA}.grants", [(*_key(g), g.granted_by, g.created_on) for g in added])


def _key(grant: Grant) -> tuple[Any, ...]:
    return (grant.privilege, grant.on_type, list(grant.on_name), grant.grantee, grant.grantee_type, grant.future)


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    """Insert many rows by few statements: DuckDB takes milliseconds for each, whatever its size."""
    for chunk in _chunks(rows):
        connection.execute(
            f"INSERT INTO {table} VALUES {_placeholders(chunk)}", [value for row in chunk for value in row]
        )


def _chunks(rows: list[tuple[Any, ...]], size: int = 200) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _placeholders(rows: list[tuple[Any, ...]]) -> str:
    return ", ".join("(" + ", ".join("?" * len(row)) + ")" for row in rows)
