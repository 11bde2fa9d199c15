"""A logged-in session: its user, role, warehouse, current database and schema, and the tables only it can see."""

import itertools
import threading
import uuid
from typing import Any

import duckdb
from fakesnow.conn import FakeSnowflakeConnection

from local.snowflake import errors
from local.snowflake.engine import Engine
from local.snowflake.names import literal, quote, split

_session_ids = itertools.count(1)


class Session(FakeSnowflakeConnection):
    """One connection of one client. Statements run one at a time, under ``lock``.

    Attributes:
        engine: the account.
        user, role, warehouse, account, query_tag: as CURRENT_USER() and the like tell; a role is always set.
        last_query_id: of the statement before this one.
        parameters: session parameters that were set and have no effect here (TIMEZONE, …), by upper-case name.
        temporary: kind of each temporary table or view, by its Snowflake name (database, schema, name).
        in_transaction: whether BEGIN was run and neither COMMIT nor ROLLBACK.
    """

    def __init__(self, engine: Engine, user: str, role: str, *, autocommit: bool = True) -> None:
        super().__init__(
            engine.connection.cursor(),
            engine.results,
            create_database=False,
            create_schema=False,
            autocommit=autocommit,
            paramstyle="qmark",
        )
        self.engine = engine
        self.user = user
        self.role = role
        self.warehouse: str | None = None
        self.query_tag = ""
        self.account = ""
        self.last_query_id: str | None = None
        self.parameters: dict[str, str] = {}
        self.temporary: dict[tuple[str, ...], str] = {}
        self.in_transaction = False
        self.lock = threading.RLock()
        self.id = next(_session_ids)

    @property
    def roles(self) -> frozenset[str]:
        """The current role and all it inherits."""
        return self.engine.catalog.grants.roles_of(self.role)

    def cursor(self, cursor_class: Any = None) -> Any:
        from local.snowflake.cursor import Cursor  # the two know each other, as fakesnow's do

        return Cursor(conn=self, duck_conn=self._duck_conn)

    def qualify(self, name: str) -> tuple[str, ...]:
        """Complete a name as written, ``t`` or ``s.t`` or ``d.s.t``, to (database, schema, name).

        Raises:
            ProgrammingError: 90105 or 90106 if the session has no current database or schema to complete it with.
        """
        return self.complete(split(name), 3)

    def complete(self, parts: list[str], length: int) -> tuple[str, ...]:
        """Complete stored parts from the left to 3 (database, schema, name) or 2 (database, schema)."""
        current = [self.database, self.schema][: length - len(parts)]
        for value, what in zip(current, ("database", "schema"), strict=False):
            if not value:
                raise errors.no_current(what)
        return (*(str(value) for value in current), *parts)

    def use(self, database: str | None, schema: str | None = None) -> None:
        """Make these current; None for none. They must exist."""
        internal = "_fs_information_schema" if schema == "INFORMATION_SCHEMA" else schema
        target = quote(database, internal or "main") if database else quote("memory", "main")
        self._duck_conn.execute(f"SET schema = {literal(target)}")
        self.database, self._schema = database, "_FS_INFORMATION_SCHEMA" if schema == "INFORMATION_SCHEMA" else schema
        self.database_set, self.schema_set = bool(database), bool(schema)

    def leave_dropped(self) -> None:
        """Forget the current database or schema if another session dropped it since."""
        if self.database and self.database not in self.engine.database_names():
            self.use(None)
        elif self.database and self.schema and not self.engine.has_schema(self.database, self.schema):
            self.use(self.database)

    def end_transaction(self) -> None:
        """Commit what is open, as Snowflake does before any DDL."""
        if self.in_transaction or self._in_transaction:
            self._duck_conn.commit()
            self.in_transaction = self._in_transaction = False

    def end(self) -> None:
        """Log out: roll back, drop what is temporary, close."""
        with self.lock:
            try:
                self._duck_conn.rollback()
            except duckdb.TransactionException:
                self.in_transaction = False  # nothing was open
            self.close()

    @staticmethod
    def new_token() -> str:
        return uuid.uuid4().hex + uuid.uuid4().hex
