"""Every change made to fakesnow 0.12.1 from outside, each with the fault it mends. ``apply`` runs once, at import of
the server; what can be mended by overriding a method is not here but in ``cursor`` and ``session``."""

from string import Template
from typing import Any

import fakesnow.arrow
import fakesnow.cursor
import fakesnow.dialect
import fakesnow.rowtype
import fakesnow.transforms
import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.transforms import transforms
from sqlglot import Expr, exp

from local.snowflake import errors, functions

_timestamp_to_struct = fakesnow.arrow.timestamp_to_sf_struct
_show_tables_etc = fakesnow.transforms.show_tables_etc


class _ColumnTypes(dict[str, str]):
    """Snowflake's type of a DuckDB type, with all lists as ARRAY."""

    def get(self, key: str, default: Any = None) -> Any:
        return "array" if key.endswith("[]") else super().get(key, default)


def apply() -> None:
    """Patch fakesnow in this process."""
    # A result with a TINYINT, UUID, FLOAT or list column failed: "for column type …" not implemented.
    small = dict.fromkeys(("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", "UINTEGER", "UHUGEINT"), "fixed")
    types = fakesnow.rowtype.duckdb_to_sf_type | small | {"FLOAT": "real", "UUID": "text", "INTERVAL": "text"}
    fakesnow.rowtype.duckdb_to_sf_type = _ColumnTypes(types)
    # What cannot be parsed was told in sqlglot's words.
    fakesnow.dialect.syntax_error = fakesnow.cursor.syntax_error = errors.unparsed
    # NULL timestamps arrived as 1970-01-01.
    fakesnow.arrow.timestamp_to_sf_struct = timestamps_with_nulls
    # SUM(NUMBER) arrived as FLOAT, which breaks dbt contracts.
    fakesnow.transforms.numeric_agg_implicit_cast = functions.aggregate_keeping_type
    # CREATE TABLE … CLONE became AS SELECT, and lost OR REPLACE, NOT NULL, defaults, lengths and comments.
    fakesnow.transforms.create_clone = left_to_the_cursor
    # SHOW … STARTS WITH … LIMIT … FROM ignored STARTS WITH and FROM, so pages repeated.
    fakesnow.transforms.show_tables_etc = show_by_page
    # DESCRIBE TABLE of another database was empty, or failed without a current one; and it showed no comments.
    transforms.SQL_DESCRIBE_TABLE = Template(
        transforms.SQL_DESCRIBE_TABLE.template.replace(
            "FROM _fs_information_schema._fs_columns", "FROM _fs_global._fs_information_schema._fs_columns"
        ).replace('NULL::VARCHAR AS "comment"', 'comment AS "comment"')
    )


def timestamps_with_nulls(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Timestamps as the struct that clients expect, with a null struct for a null."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    struct = _timestamp_to_struct(column)
    fields = [struct.type.field(i) for i in range(struct.type.num_fields)]
    children = [pc.fill_null(struct.field(i), 0) for i in range(len(fields))]
    return pa.StructArray.from_arrays(children, fields=fields, mask=pc.is_null(column))


def left_to_the_cursor(expression: Expr) -> Expr:
    """The statement as it is."""
    return expression


def show_by_page(expression: Expr, database: str | None, schema: str | None) -> Expr:
    """SHOW TABLES and the like as a query, in order of names, with STARTS WITH and FROM."""
    query = _show_tables_etc(expression, database, schema)
    if query is expression:
        return query
    query = query.order_by("database_name", "schema_name", "name", copy=False)
    after = expression.args.get("from_") or expression.args.get("from")
    if isinstance(after, exp.Expression):
        query = query.where(f"name > {after.sql('duckdb')}", copy=False)
    prefix = expression.args.get("starts_with")
    if isinstance(prefix, exp.Expression):
        query = query.where(f"starts_with(name, {prefix.sql('duckdb')})", copy=False)
    return query
