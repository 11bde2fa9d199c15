"""CLONE of a database, a schema or a table. A physical copy here: it costs time and disk by the size of the source."""

import re
import uuid

import sqlglot
from duckdb import DuckDBPyConnection
from sqlglot import exp

from local.snowflake import comments, information_schema
from local.snowflake.catalog import SCHEMA
from local.snowflake.engine import Engine
from local.snowflake.names import quote


def fill_database(engine: Engine, source: str, target: str) -> None:
    """Copy all of a database's data and objects into an empty one that is attached.

    Load histories stay behind, as in Snowflake: COPY loads the same files into a clone's tables again.
    """
    connection = engine.connection.cursor()
    try:
        connection.execute(f"COPY FROM DATABASE {quote(source)} TO {quote(target)}")
        connection.execute(f"DROP SCHEMA {quote(target)}._fs_information_schema CASCADE")
        _restore_full_names(engine, connection, source, target)
    finally:
        connection.close()


def _restore_full_names(engine: Engine, connection: DuckDBPyConnection, source: str, target: str) -> None:
    """Let views that name the source database keep reading it, as Snowflake's do. DuckDB forgets that they named it."""
    views = engine.catalog.rows(
        f"SELECT schema, name, definition FROM {SCHEMA}.relations WHERE database = ? AND definition IS NOT NULL",
        [source],
    )
    for schema, name, definition in views:
        statement = sqlglot.parse_one(definition, read="duckdb")
        created = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
        if any(table is not created and table.catalog == source for table in statement.find_all(exp.Table)):
            created.replace(sqlglot.parse_one(quote(target, schema, name), read="duckdb", into=exp.Table))
            statement.set("replace", True)
            connection.execute(statement.sql("duckdb"))
            comments.copy(connection, "VIEW", (source, schema, name), (target, schema, name))


def fill_schema(engine: Engine, source: tuple[str, ...], target: tuple[str, ...]) -> None:
    """Create a schema with copies of another's tables and views, in one transaction."""
    connection = engine.connection.cursor()
    connection.begin()
    try:
        connection.execute(f"CREATE SCHEMA {quote(*target)}")
        _copy_tables(connection, source, target)
        _copy_views(connection, source, target)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.close()


def copy_metadata(engine: Engine, source: tuple[str, ...], target: tuple[str, ...]) -> None:
    """Give a clone's objects the grants, comments, stages and other metadata of the source's.

    Grants on the cloned container itself are not copied, nor is its ownership; those on what is inside are.
    """
    catalog = engine.catalog
    with catalog.transaction():
        catalog.grants.copy_children(source, target)
        catalog.clone_relations(source, target)
        information_schema.copy(catalog, source, target)


def table_ddl(connection: DuckDBPyConnection, table: tuple[str, ...]) -> str | None:
    """DuckDB's text of the CREATE TABLE; None if there is no such table."""
    found = connection.execute(
        "SELECT sql FROM duckdb_tables() WHERE (database_name, schema_name, table_name) = (?, ?, ?)", [*table]
    ).fetchone()
    return found and str(found[0])


def copy_table(
    connection: DuckDBPyConnection, ddl: str, source: tuple[str, ...], target: tuple[str, ...], *, rows: bool = True
) -> None:
    """Create a table by the DDL of another, with its comments and its rows."""
    place, kind = quote(*target), "TEMPORARY TABLE" if target[0] == "temp" else "TABLE"
    start = f"CREATE {kind} {place}("
    connection.execute(re.sub(r"^CREATE .*?TABLE .*?\(", lambda _: start, ddl, count=1, flags=re.S))
    comments.copy(connection, "TABLE", source, target)
    if rows:
        connection.execute(f"INSERT INTO {place} SELECT * FROM {quote(*source)}")


def rebuild(connection: DuckDBPyConnection, table: tuple[str, ...], ddl: str) -> None:
    """Replace a table by one of another DDL, with the same columns and rows, at one instant."""
    between = (*table[:2], f"REBUILT_{uuid.uuid4().hex}")
    connection.begin()
    try:
        copy_table(connection, ddl, table, between)
        connection.execute(f"DROP TABLE {quote(*table)}")
        connection.execute(f"ALTER TABLE {quote(*between)} RENAME TO {quote(table[2])}")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _copy_tables(connection: DuckDBPyConnection, source: tuple[str, ...], target: tuple[str, ...]) -> None:
    tables = connection.execute(
        "SELECT table_name, sql FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?", [*source]
    ).fetchall()
    for name, ddl in tables:
        copy_table(connection, ddl, (*source, name), (*target, name))


def _copy_views(connection: DuckDBPyConnection, source: tuple[str, ...], target: tuple[str, ...]) -> None:
    """References by bare name mean the clone's own tables; those that name the schema keep meaning the source."""
    views = connection.execute(
        "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal AND database_name = ? AND schema_name = ? "
        "ORDER BY view_oid", [*source]).fetchall()  # fmt: skip
    connection.execute(f"USE {quote(*target)}")
    for name, ddl in views:
        statement = sqlglot.parse_one(ddl, read="duckdb")
        for table in statement.find_all(exp.Table):
            if table.db and not table.catalog:
                table.set("catalog", exp.to_identifier(source[0], quoted=True))
        created = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
        created.replace(sqlglot.parse_one(quote(*target, name), read="duckdb", into=exp.Table))
        connection.execute(statement.sql("duckdb"))
        comments.copy(connection, "VIEW", (*source, name), (*target, name))
