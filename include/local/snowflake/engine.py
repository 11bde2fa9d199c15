"""One DuckDB that holds the account: a file per database, a file for the account's metadata, sessions on top."""

import tempfile
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from fakesnow import info_schema, macros
from fakesnow.transforms import show, stage

from local.snowflake import errors, information_schema
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
        return database in self._files and bool(
            self.connection.cursor()
            .execute(
                "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?",
                [database, "_fs_information_schema" if schema == "INFORMATION_SCHEMA" else schema],
            )
            .fetchone()
        )

    @contextmanager
    def new_database(self, name: str, properties: dict[str, Any], comment: str | None) -> Iterator[None]:
        """Attach an empty database for the caller to fill; it becomes part of the account when the block ends well.

        A crash before that leaves a file that no catalog entry names, which the next start removes.

        Raises:
            ProgrammingError: 2002 if it exists, or is being created by another session.
        """
        with self.catalog.lock:
            if name in self._files or name in self._reserved:
                raise errors.exists(name)
            self._reserved.add(name)
        path = self.folder / f"{uuid.uuid4().hex}.duckdb"  # never reused: a replaced database's file may still be open
        connection = self.connection.cursor()
        try:
            connection.execute(f"ATTACH {literal(str(path))} AS {quote(name)}")
            try:
                yield
                self._create_views(connection, name)
            except BaseException:
                connection.execute(f"DETACH {quote(name)}")
                _unlink(path)
                raise
            with self.catalog.lock:
                self.catalog.put(AccountObject("DATABASE", name, comment, properties | {"FILE": path.name}))
                self._files[name] = path
        finally:
            self._reserved.discard(name)
            connection.close()

    def drop_database(self, name: str) -> None:
        """Detach a database, forget it, and delete its file. Sessions that use it find themselves without one.

        Raises:
            ProgrammingError: 2003 if another session was quicker.
        """
        with self.catalog.lock:
            if name not in self._files:
                raise errors.missing("Database", name)
            path = self._files.pop(name)
            self.catalog.delete("DATABASE", name)
            self.catalog.grants.drop_object("DATABASE", (name,))
            self.catalog.drop_relations((name,))
            information_schema.forget(self.catalog, name)
            self.connection.execute(f"DETACH {quote(name)}")
            _unlink(path)

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
        self.connection.execute(macros.creation_sql("memory"))  # for sessions that have no current database

    def _attach_databases(self) -> None:
        for item in self.catalog.objects("DATABASE"):
            path = self.folder / item.properties["FILE"]
            self.connection.execute(f"ATTACH {literal(str(path))} AS {quote(item.name)}")
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
        connection.execute(macros.creation_sql(name))


def _unlink(path: Path) -> None:
    for suffix in ("", ".wal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
