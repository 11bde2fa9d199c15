"""One DuckDB that holds the account: a file per database, a file for the account's metadata, sessions on top."""

import tempfile
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from fakesnow import info_schema
from fakesnow import macros as fakesnow_macros
from fakesnow.transforms import show, stage

from local.snowflake import errors, information_schema, macros, recovery
from local.snowflake.catalog import AccountObject, Catalog
from local.snowflake.history import History
from local.snowflake.names import literal, quote
from local.snowflake.storage import ObjectStore

_RESULTS_KEPT = 100


class RecentResults(OrderedDict[str, tuple[Any, ...]]):
    """Results by query id for RESULT_SCAN; fakesnow keeps them all, which fills the memory of a server."""

    def __setitem__(self, key: str, value: tuple[Any, ...]) -> None:
        super().__setitem__(key, value)
        while len(self) > _RESULTS_KEPT:
            self.popitem(last=False)


class Engine:
    """The account's data and metadata under one folder.

    Attributes:
        connection: the root DuckDB connection; each session works on a cursor of it.
        catalog: account objects and grants.
        history: the statements that ran.
        store: reads S3 for stages.
    """

    def __init__(self, folder: Path, store: ObjectStore) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.store = store
        self.results = RecentResults()
        self.scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=self.folder))
        stage.LOCAL_BUCKET_PATH = str(self.folder / "stages")
        Path(stage.LOCAL_BUCKET_PATH).mkdir(exist_ok=True)
        self.connection = duckdb.connect(":memory:", config={"lambda_syntax": "ENABLE_SINGLE_ARROW"})
        self._lock_down()
        self._attach_account()
        self.catalog = Catalog(self.connection.cursor())
        self.history = History(self.connection.cursor())
        self._reserved: set[str] = set()
        self._files: dict[str, Path] = {}
        self._attach_databases()
        recovery.reconcile(self.connection, self.catalog)

    def close(self) -> None:
        """Write out what is in memory and close all files."""
        self.history.flush()
        self.connection.execute("CHECKPOINT _fs_global")
        self.connection.close()
        for path in self.scratch.iterdir():
            path.unlink()
        self.scratch.rmdir()

    def database_names(self) -> set[str]:
        return set(self._files)

    def has_schema(self, database: str, schema: str) -> bool:
        """Whether there is a schema: every one has an owner, and to ask DuckDB is to have it list all databases."""
        if database not in self._files:
            return False
        return schema == "INFORMATION_SCHEMA" or self.catalog.grants.owner("SCHEMA", (database, schema)) is not None

    def create_database(
        self, item: AccountObject, fill: Callable[[], None], record: Callable[[], None], *, or_replace: bool = False
    ) -> None:
        """Make a database that becomes part of the account at one instant, when it is whole.

        A crash before that leaves a file that no catalog entry names, which the next start removes; a database that
        is replaced is there until then, though no session sees it.

        Args:
            item: its name, comment and properties.
            fill: fills the empty database, which is attached.
            record: writes its grants and other metadata to the catalog.
            or_replace: whether one of its name goes.

        Raises:
            ProgrammingError: 2002 if it exists and is not to be replaced, or is being made by another session.
        """
        replaced = self._reserve(item.name, or_replace=or_replace)
        path = self.folder / f"{uuid.uuid4().hex}.duckdb"  # never reused: a replaced database's file may still be open
        connection = self.connection.cursor()
        try:
            if replaced:
                connection.execute(f"DETACH {quote(item.name)}")
            try:
                self._attach(connection, item.name, path)
                try:
                    fill()
                    self._create_views(connection, item.name)
                    with self.catalog.transaction():
                        if replaced:
                            self._forget(item.name)
                        self.catalog.put(replace(item, properties=item.properties | {"FILE": path.name}))
                        record()
                except BaseException:
                    connection.execute(f"DETACH {quote(item.name)}")
                    raise
            except BaseException:
                _unlink(path)
                if replaced:
                    self._attach(connection, item.name, replaced)
                    self._files[item.name] = replaced
                raise
            self._files[item.name] = path
            if replaced:
                _unlink(replaced)
        finally:
            self._reserved.discard(item.name)
            connection.close()

    def drop_database(self, name: str) -> None:
        """Forget a database, detach it, and delete its file. Sessions that use it find themselves without one.

        Raises:
            ProgrammingError: 2003 if another session was quicker.
        """
        with self.catalog.lock:
            if name not in self._files:
                raise errors.missing("Database", name)
            with self.catalog.transaction():
                self._forget(name)
            path = self._files.pop(name)
            self._reserved.add(name)  # until it is detached
        try:
            self.connection.cursor().execute(f"DETACH {quote(name)}")
            _unlink(path)
        finally:
            self._reserved.discard(name)

    def _reserve(self, name: str, *, or_replace: bool) -> Path | None:
        """Keep a name for one session; the file of the database that it replaces, if any, which sessions lose."""
        with self.catalog.lock:
            if name in self._reserved or (name in self._files and not or_replace):
                raise errors.exists(name)
            self._reserved.add(name)
            return self._files.pop(name, None)

    def _forget(self, name: str) -> None:
        self.catalog.delete("DATABASE", name)
        self.catalog.grants.drop_object("DATABASE", (name,))
        self.catalog.drop_relations((name,))
        information_schema.forget(self.catalog, name)

    @staticmethod
    def _attach(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
        connection.execute(f"ATTACH {literal(str(path))} AS {quote(name)}")

    def _lock_down(self) -> None:
        """Let SQL reach no file but ours: DuckDB reads any file whose name stands in a FROM."""
        self.connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self.connection.execute(f"SET temp_directory = {literal(str(self.scratch))}")
        self.connection.execute(f"SET allowed_directories = [{literal(str(self.folder))}]")
        self.connection.execute("SET enable_external_access = false")

    def _attach_account(self) -> None:
        self.connection.execute(f"ATTACH {literal(str(self.folder / 'account.duckdb'))} AS _fs_global")
        self.connection.execute(info_schema.fs_global_creation_sql())
        self.connection.execute(show.fs_global_creation_sql())
        self.connection.execute(fakesnow_macros.creation_sql("memory"))  # for sessions that have no current database
        self.connection.execute(macros.SQL)

    def _attach_databases(self) -> None:
        for item in self.catalog.objects("DATABASE"):
            path = self.folder / item.properties["FILE"]
            self._attach(self.connection, item.name, path)
            self._files[item.name] = path
        self.connection.execute(information_schema.ACCOUNT_VIEWS)
        known = {path.name for path in self._files.values()} | {"account.duckdb"}
        for path in self.folder.glob("*.duckdb"):
            if path.name not in known:
                _unlink(path)
        for path in self.folder.glob("scratch-*"):
            if path != self.scratch:
                for left in path.iterdir():
                    left.unlink()
                path.rmdir()

    @staticmethod
    def _create_views(connection: duckdb.DuckDBPyConnection, name: str) -> None:
        connection.execute(info_schema.per_db_creation_sql(name))
        connection.execute(information_schema.database_sql(name))
        connection.execute(fakesnow_macros.creation_sql(name))


def _unlink(path: Path) -> None:
    for suffix in ("", ".wal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
