"""Comments of columns, which DuckDB takes in statements of their own only, of tables and of views."""

from collections.abc import Iterable

from duckdb import DuckDBPyConnection
from sqlglot import Expr, exp

from local.snowflake.names import literal, quote
from local.snowflake.privileges import stored

Comments = tuple[tuple[str, str], ...]  # a column's stored name, its comment


def declared(columns: Iterable[Expr]) -> Comments:
    """Those in the column list of a CREATE, or of the columns that an ALTER adds."""
    return tuple(
        (stored(column.this), constraint.kind.this.name)
        for column in columns
        if isinstance(column, exp.ColumnDef)
        for constraint in column.args.get("constraints") or []
        if isinstance(constraint.kind, exp.CommentColumnConstraint)
    )


def put(connection: DuckDBPyConnection, relation: tuple[str, ...], comments: Iterable[tuple[str, str]]) -> None:
    """Give columns of a table or view, by its stored name, their comments."""
    for column, comment in comments:
        connection.execute(f"COMMENT ON COLUMN {quote(*relation, column)} IS {literal(comment)}")


def copy(connection: DuckDBPyConnection, kind: str, source: tuple[str, ...], target: tuple[str, ...]) -> None:
    """Give a TABLE or VIEW the comments of another of the same columns, and of their columns."""
    listed = kind.lower()
    ((comment,),) = connection.execute(
        f"SELECT comment FROM duckdb_{listed}s() WHERE (database_name, schema_name, {listed}_name) = (?, ?, ?)",
        [*source],
    ).fetchall()
    if comment is not None:
        connection.execute(f"COMMENT ON {kind} {quote(*target)} IS {literal(comment)}")
    found = connection.execute(
        "SELECT column_name, comment FROM duckdb_columns() WHERE comment IS NOT NULL "
        "AND (database_name, schema_name, table_name) = (?, ?, ?)", [*source]).fetchall()  # fmt: skip
    put(connection, target, found)
