"""ALTER TABLE … SWAP WITH."""

import re
import uuid

from local.snowflake import errors, privileges
from local.snowflake.control.statement import control
from local.snowflake.cursor import SUCCESS, Cursor
from local.snowflake.names import quote
from local.snowflake.privileges import Need

_EXT_TABLES = ("_fs_tables_ext", "_fs_columns_ext")


def swap(cursor: Cursor, match: re.Match[str]) -> str:
    """Exchange two tables of one schema, with their grants, comments and load histories."""
    session, catalog = cursor.session, cursor.session.engine.catalog
    a, b = (session.qualify(match[key]) for key in ("a", "b"))
    for name in (a, b):
        privileges.require(Need(("OWNERSHIP",), "TABLE", name), session)
    if a[:2] != b[:2]:
        raise errors.unsupported("SWAP WITH a table of another schema")
    between = f"SWAP_{uuid.uuid4().hex}"
    history = f"{quote(a[0])}._fs_information_schema._fs_load_history"
    moves = ((a, between), (b, a[2]), ((*a[:2], between), b[2]))
    cursor.query("BEGIN")
    try:
        for old, new in moves:
            cursor.query(f"ALTER TABLE {quote(*old)} RENAME TO {quote(new)}")
            cursor.query(
                f"UPDATE {history} SET TABLE_NAME = ? WHERE SCHEMA_NAME = ? AND TABLE_NAME = ?", [new, a[1], old[2]]
            )
        cursor.query("COMMIT")
    except BaseException:
        cursor.query("ROLLBACK")
        raise
    with catalog.transaction():
        catalog.grants.swap(a, b)
        for old, new in moves:
            catalog.rename_relation(old, (*a[:2], new))
            for table in _EXT_TABLES:
                catalog.rows(
                    f"UPDATE _fs_global._fs_information_schema.{table} SET ext_table_name = ? WHERE "
                    "(ext_table_catalog, ext_table_schema, ext_table_name) = (?, ?, ?)", [new, *old])  # fmt: skip
    return SUCCESS


STATEMENTS = (control("ALTER TABLE [IF EXISTS] <a:name> SWAP WITH <b:name>", swap),)
