"""The length of a VARCHAR(n), which DuckDB does not know: a CHECK constraint of the table holds it."""

import re

from sqlglot import Expr, exp

from local.snowflake import macros
from local.snowflake.names import quote

MAXIMUM = 16777216
_CHARACTER = (exp.DataType.Type.CHAR, exp.DataType.Type.NCHAR)
_TEXT = (exp.DataType.Type.VARCHAR, exp.DataType.Type.NVARCHAR, exp.DataType.Type.TEXT, *_CHARACTER)
_CHECK = re.compile(r', CHECK\(\(memory\.main\._fits\(("(?:[^"]|"")*"|\w+), (\d+)\) = \1\)\)')


def limit_of(kind: Expr | None) -> int | None:
    """The characters that a text type takes; None for one without a limit of its own, and for other types."""
    if not isinstance(kind, exp.DataType) or kind.this not in _TEXT:
        return None
    if not kind.expressions:
        return 1 if kind.this in _CHARACTER else None
    length = int(kind.expressions[0].name)
    return length if length < MAXIMUM else None


def fits(value: Expr, limit: int) -> Expr:
    """The text ``value``, or an error if it is longer than the limit."""
    return macros.call("_fits", value, exp.Literal.number(limit))


def enforce(schema: exp.Schema) -> None:
    """Add to the columns of a CREATE TABLE the constraints that hold their lengths."""
    for column in schema.expressions:
        if isinstance(column, exp.ColumnDef) and (limit := limit_of(column.kind)):
            value = exp.Column(this=column.this.copy())
            fitting = exp.EQ(this=fits(value, limit), expression=value.copy())
            check = exp.ColumnConstraint(kind=exp.CheckColumnConstraint(this=fitting))
            column.set("constraints", [*(column.args.get("constraints") or []), check])


def held(ddl: str, column: str) -> int | None:
    """The limit that a table, by DuckDB's text of its CREATE TABLE, holds for a column."""
    return next((int(found[2]) for found in _CHECK.finditer(ddl) if _is(found, column)), None)


def limited(ddl: str, column: str, limit: int | None) -> str:
    """The text of the CREATE TABLE with another limit, or none, for a column."""
    without = _CHECK.sub(lambda found: "" if _is(found, column) else found[0], ddl)
    if limit is None:
        return without
    check = f", CHECK(memory.main._fits({quote(column)}, {limit}) = {quote(column)})"
    return re.sub(r"\);?\s*$", lambda end: check + end[0], without)


def _is(check: re.Match[str], column: str) -> bool:
    name = check[1][1:-1].replace('""', '"') if check[1].startswith('"') else check[1]
    return name.upper() == column.upper()
