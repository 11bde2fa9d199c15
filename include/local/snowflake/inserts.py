"""What an INSERT puts into columns of timestamps, as DuckDB reads it."""

from collections.abc import Iterator

from sqlglot import Expr, exp

from local.snowflake import functions
from local.snowflake.privileges import stored, table_name, target_of
from local.snowflake.session import Session


def write_offsets(insert: exp.Insert, session: Session) -> None:
    """Write the offsets of literals that become timestamps in full. A literal that stays a text is left as it is."""
    short = [
        (position, value)
        for row in _rows(insert.expression)
        for position, value in enumerate(row)
        if value.is_string and functions.with_offset(value.name) != value.name
    ]
    target = target_of(insert)
    if not short or target is None or not isinstance(target.this, exp.Identifier):
        return
    timestamps = _timestamps(insert, table_name(target, session), session)
    for position, value in short:
        if position in timestamps:
            value.set("this", functions.with_offset(value.name))


def _rows(query: Expr | None) -> Iterator[list[Expr]]:
    match query:
        case exp.Values():
            yield from (row.expressions for row in query.expressions)
        case exp.Select() if not query.is_star:
            yield [column.unalias() for column in query.expressions]
        case exp.Subquery():
            yield from _rows(query.this)
        case exp.SetOperation():
            yield from _rows(query.left)
            yield from _rows(query.right)


def _timestamps(insert: exp.Insert, table: tuple[str, ...], session: Session) -> set[int]:
    """Positions, among the values of the INSERT, of those for a column of timestamps."""
    columns = session._duck_conn.execute(
        "SELECT column_name, starts_with(data_type, 'TIMESTAMP') FROM duckdb_columns() "
        "WHERE (database_name, schema_name, table_name) = (?, ?, ?) ORDER BY column_index",
        [*table],
    ).fetchall()
    if isinstance(insert.this, exp.Schema):
        kinds = dict(columns)
        columns = [(name, kinds.get(name)) for name in map(stored, insert.this.expressions)]
    return {position for position, (_, is_timestamp) in enumerate(columns) if is_timestamp}
