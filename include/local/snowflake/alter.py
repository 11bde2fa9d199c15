"""ALTER TABLE … COLUMN, as far as DuckDB's own does not do it: lengths that are held, comments, what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakesnow import info_schema
from sqlglot import exp

from local.snowflake import clone, comments, errors, information_schema, lengths, privileges

if TYPE_CHECKING:
    from local.snowflake.cursor import Cursor


def has_changed_length(cursor: Cursor, alter: exp.Alter) -> bool:
    """Give a column of a limited length another one, for which DuckDB has to write the table anew.

    False, and nothing is done, if it is not limited, or to have another type.
    """
    action = _action(alter)
    if not isinstance(action, exp.AlterColumn):
        return False
    table, sizes = privileges.table_name(alter.this, cursor.session), alter.args.get("text_lengths")
    ddl = clone.table_ddl(cursor._duck_conn, table) if sizes else None
    old, new = ddl and lengths.held(ddl, action.name), lengths.limit_of(action.args.get("dtype"))
    if ddl is None or not old:
        return False
    if new and new < old:
        raise errors.unsupported("a shorter VARCHAR for a column")
    clone.rebuild(cursor._duck_conn, table, lengths.limited(ddl, action.name, new))
    cursor.session.engine.catalog.rows(info_schema.insert_text_lengths_sql(*table, sizes))
    return True


def follow(cursor: Cursor, alter: exp.Alter) -> None:
    """What is left to do for a new column, or a new name of one, that DuckDB has made."""
    match _action(alter):
        case exp.ColumnDef() as column:
            table = privileges.table_name(alter.this, cursor.session)
            if limit := lengths.limit_of(column.kind):
                ddl = str(clone.table_ddl(cursor._duck_conn, table))
                clone.rebuild(cursor._duck_conn, table, lengths.limited(ddl, column.name, limit))
            comments.put(cursor._duck_conn, table, comments.declared([column]))
        case exp.RenameColumn() as renamed:
            table = privileges.table_name(alter.this, cursor.session)
            new = renamed.args["to"].name
            information_schema.rename_column(cursor.session.engine.catalog, table, renamed.this.name, new)


def _action(alter: exp.Alter) -> exp.Expr | None:
    return next(iter(alter.args.get("actions") or []), None)
