"""COPY INTO a table: which files of a stage are due, and loading them all or none."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import duckdb
from fakesnow.transforms.file_format import lookup_file_format
from fakesnow.transforms.options import parse_options
from sqlglot import Expr, exp

from local.snowflake import errors, file_formats, privileges, stages
from local.snowflake.file_formats import FileFormat
from local.snowflake.names import literal, quote
from local.snowflake.session import Session
from local.snowflake.stages import Location
from local.snowflake.storage import StoredFile

if TYPE_CHECKING:
    from local.snowflake.cursor import Cursor

_NOTHING = "SELECT 'Copy executed with 0 files processed.' AS status"
_MATCHES = ("NONE", "CASE_SENSITIVE", "CASE_INSENSITIVE")
_COLUMNS = (
    "file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error", "first_error_line",
    "first_error_character", "first_error_column_name",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """COPY's options, checked."""

    file_format: FileFormat
    match: str = "NONE"
    force: bool = False
    purge: bool = False
    pattern: str | None = None
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """The table to fill: where it is stored, and name and DuckDB type of the columns to fill.

    ``listed``: the statement names the columns. ``remembers``: loads are recorded (not for temporary tables).
    """

    place: tuple[str, ...]
    columns: list[tuple[str, str]]
    listed: bool

    @property
    def remembers(self) -> bool:
        return self.place[0] != "temp"


def run(cursor: "Cursor", copy: exp.Copy) -> str:
    """Load what is due; the DuckDB query of the reply, a row for each file.

    Raises:
        ProgrammingError: whatever Snowflake would refuse; no row is loaded then (ON_ERROR = ABORT_STATEMENT).
    """
    session, connection = cursor.session, cursor._duck_conn
    options = _options(copy, session, connection)
    location = stages.resolve(session, _reference(copy))
    target = _target(copy, session, connection)
    due, skipped = _due(session, connection, location, target, options)
    loaded = []
    with _transaction(session, connection):
        for file in due:
            with _local_copy(session, location, file) as path:
                loaded.append((file, _load(connection, copy, target, options, path, stages.shown_name(location, file))))
        if target.remembers:
            _record(connection, target, loaded)
    if options.purge:
        _purge(session, location, [file for file, _ in loaded])
    return _reply(location, loaded, skipped if options.files else [])


def _options(copy: exp.Copy, session: Session, connection: duckdb.DuckDBPyConnection) -> Options:
    given: dict[str, Any] = {}
    for parameter in copy.args.get("params") or []:
        name, value = parameter.this.name.upper(), parameter.expression
        if name == "FILE_FORMAT":
            given["file_format"] = _file_format(parameter, session, connection)
        elif name in ("FORCE", "PURGE"):
            given[name.lower()] = isinstance(value, exp.Boolean) and bool(value.this)
        elif name == "PATTERN":
            given["pattern"] = value.name
        elif name == "FILES":
            given["files"] = [item.name for item in parameter.find_all(exp.Literal)]
        elif name == "MATCH_BY_COLUMN_NAME":
            given["match"] = value.name.upper()
            if given["match"] not in _MATCHES:
                raise errors.invalid(f"Invalid value '{value.name}' for parameter MATCH_BY_COLUMN_NAME")
        elif name != "ON_ERROR" or value.name.upper() != "ABORT_STATEMENT":
            raise errors.unsupported(f"COPY option {name}" + (f" = {value.name}" if value else ""))
    return Options(**({"file_format": file_formats.parse({})} | given))


def _file_format(parameter: Expr, session: Session, connection: duckdb.DuckDBPyConnection) -> FileFormat:
    options = parse_options(parameter.expressions or [])
    name = options.pop("FORMAT_NAME", parameter.expression.name if parameter.expression else None)
    if name:
        options = lookup_file_format(connection, str(name), session.database, session.schema) | options
    return file_formats.parse({key.upper(): value for key, value in options.items()})


def _reference(copy: exp.Copy) -> str:
    """The stage that a COPY reads, ``@stage/path``, be it in a query or not."""
    target = copy.this.this if isinstance(copy.this, exp.Schema) else copy.this
    if isinstance(target.this, (exp.Var, exp.Literal)):
        raise errors.unsupported("COPY INTO a location")
    source = copy.args["files"][0]
    query = source.this if isinstance(source, exp.Subquery) else None
    if isinstance(query, exp.Select):
        source = query.args["from_"].this
    reference = source.this if isinstance(source, exp.Table) else source
    if not reference.name.startswith("@"):
        raise errors.unsupported(f"COPY from the URL '{reference.name}'; create a stage with a STORAGE_INTEGRATION")
    return reference.name


def _target(copy: exp.Copy, session: Session, connection: duckdb.DuckDBPyConnection) -> Target:
    table = copy.this.this if isinstance(copy.this, exp.Schema) else copy.this
    place = privileges.table_name(table, session)
    described = [(row[0], row[1]) for row in connection.execute(f"DESCRIBE {quote(*place)}").fetchall()]
    if not isinstance(copy.this, exp.Schema):
        return Target(place, described, listed=False)
    kinds = dict(described)
    names = [column.name for column in copy.this.expressions]
    if unknown := [name for name in names if name not in kinds]:
        raise errors.error(f"SQL compilation error:\ninvalid identifier '{unknown[0]}'", 904, "42000")
    return Target(place, [(name, kinds[name]) for name in names], listed=True)


def _due(
    session: Session, connection: duckdb.DuckDBPyConnection, location: Location, target: Target, options: Options
) -> tuple[list[StoredFile], list[StoredFile]]:
    """Files to load, and those loaded before. A file whose content changed since is due again, as in Snowflake."""
    found = stages.files(session, location)
    if options.files:
        wanted = {location.prefix.rstrip("/") + "/" + name for name in options.files}
        found = [file for file in found if file.url in wanted]
        if lost := wanted - {file.url for file in found}:
            raise errors.error(f"Remote file '{sorted(lost)[0]}' was not found.", 91016, "22000")
    if options.pattern:
        regex = re.compile(options.pattern)
        found = [file for file in found if regex.fullmatch(urlparse(file.url).path.lstrip("/"))]
    if options.force or not target.remembers:
        return found, []
    rows = connection.execute(
        f"SELECT FILE_NAME, ETAG FROM {_history(target)} WHERE SCHEMA_NAME = ? AND TABLE_NAME = ?", [*target.place[1:]]
    ).fetchall()
    before = set(rows)
    return (
        [file for file in found if (file.url, file.md5) not in before],
        [file for file in found if (file.url, file.md5) in before],
    )


def _history(target: Target) -> str:
    return f"{quote(target.place[0])}._fs_information_schema._fs_load_history"


@contextmanager
def _transaction(session: Session, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """The session's open transaction, or one of its own, committed at once in autocommit mode."""
    if session.in_transaction or session._in_transaction:
        yield
        return
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    if session._autocommit:
        connection.commit()
    else:
        session._in_transaction = True


@contextmanager
def _local_copy(session: Session, location: Location, file: StoredFile) -> Iterator[str]:
    """The file on this machine, under a name that still ends as its own does."""
    if not location.stage.external:
        yield file.url
        return
    path = session.engine.scratch / f"{uuid.uuid4().hex}-{Path(file.url).name}"
    try:
        session.engine.store.fetch(file.url, path)
        yield str(path)
    finally:
        path.unlink(missing_ok=True)


def _load(
    connection: duckdb.DuckDBPyConnection, copy: exp.Copy, target: Target, options: Options, path: str, shown: str
) -> int:
    """Load one file; the number of rows."""
    source = copy.args["files"][0]
    columns = f" ({', '.join(quote(name) for name, _ in target.columns)})"
    try:
        if isinstance(source, exp.Subquery):
            relation = file_formats.read(path, options.file_format, None, connection)
            query = _transformed(source.this, relation, shown)
            columns = columns if target.listed else ""
        else:
            relation = file_formats.read(path, options.file_format, len(target.columns), connection)
            query = file_formats.row_query(relation, options.file_format, target.columns, options.match)
        ((count,),) = connection.execute(f"INSERT INTO {quote(*target.place)}{columns} {query}").fetchall()
        return int(count)
    except (duckdb.ConversionException, duckdb.InvalidInputException) as e:
        reason = str(e).split("\n")[0]
        raise errors.error(f"{reason}\n  File '{shown}'", 100038, "22018") from e


def _transformed(query: exp.Select, relation: file_formats.Relation, shown: str) -> str:
    """The query of a COPY over one file: ``$1`` is the row's VARIANT or the first column, and so on."""

    def replace(node: Expr) -> Expr:
        if isinstance(node, exp.Parameter):
            if relation.value:
                return exp.maybe_parse(relation.value, dialect="duckdb")
            return exp.column(relation.columns[int(node.name) - 1], table="f", quoted=True)
        if isinstance(node, exp.Column) and node.name.upper() == "METADATA$FILENAME":
            return exp.Literal.string(shown)
        return node

    rewritten = query.transform(replace)
    rewritten.set("from_", exp.From(this=exp.Var(this=relation.sql)))
    return rewritten.sql("duckdb")


def _record(connection: duckdb.DuckDBPyConnection, target: Target, loaded: list[tuple[StoredFile, int]]) -> None:
    now = datetime.now(UTC)
    for file, count in loaded:
        connection.execute(
            f"INSERT INTO {_history(target)} (SCHEMA_NAME, FILE_NAME, TABLE_NAME, LAST_LOAD_TIME, STATUS, ROW_COUNT, "
            "ROW_PARSED, ERROR_COUNT, ERROR_LIMIT, ETAG) VALUES (?, ?, ?, ?, 'LOADED', ?, ?, 0, 1, ?)",
            [target.place[1], file.url, target.place[2], now, count, count, file.md5],
        )


def _purge(session: Session, location: Location, files: list[StoredFile]) -> None:
    if location.stage.external:
        session.engine.store.remove([file.url for file in files])
    else:
        for file in files:
            Path(file.url).unlink(missing_ok=True)


def _reply(location: Location, loaded: list[tuple[StoredFile, int]], skipped: list[StoredFile]) -> str:
    nothing = [None] * 3
    rows = [(stages.shown_name(location, f), "LOADED", n, n, 1, 0, None, *nothing) for f, n in loaded]
    rows += [
        (stages.shown_name(location, f), "LOAD_SKIPPED", 0, 0, 1, 1, "File was loaded before.", *nothing)
        for f in skipped
    ]
    if not rows:
        return _NOTHING
    values = ", ".join("(" + ", ".join(literal(value) for value in row) + ")" for row in rows)
    return f"SELECT * FROM (VALUES {values}) AS t ({', '.join(_COLUMNS)})"
