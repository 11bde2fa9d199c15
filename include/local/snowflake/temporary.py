"""Temporary tables and views. Snowflake keeps them in a schema, seen by one session, hiding a permanent namesake;
DuckDB keeps them in a catalog of their own. So each is stored there under its whole Snowflake name, and references
to it are rewritten. Nothing is left when the session, or the server, ends."""

from sqlglot import Expr, exp

from local.snowflake import errors
from local.snowflake.privileges import is_temporary, stored, table_name, tables_of, target_of
from local.snowflake.session import Session

_BARE_TARGETS = (exp.Create, exp.Insert, exp.Drop, exp.Alter, exp.TruncateTable, exp.Describe, exp.Comment, exp.Copy)


def rewrite(statement: Expr, session: Session) -> Expr:
    """Point the references to the session's temporary objects, and the creation of one, to where they are stored."""
    target = target_of(statement)
    creates = isinstance(statement, exp.Create)
    if target is not None and is_temporary(statement) and statement.kind in ("TABLE", "VIEW"):
        name = table_name(target, session)
        _redirect(target, name, alias=False)
        session.temporary[name] = statement.kind
    if not session.temporary:
        return statement
    for table in list(tables_of(statement)):
        if table is target and creates:
            continue
        if table.args.get("catalog") and stored(table.args["catalog"]) == "temp":
            continue
        name = table_name(table, session)
        if name in session.temporary:
            if isinstance(statement, exp.Alter):
                raise errors.unsupported("ALTER of a temporary table")
            _redirect(table, name, alias=not (table is target and isinstance(statement, _BARE_TARGETS)))
            _shorten_columns(statement, name)
    return statement


def forget(statement: Expr, session: Session) -> None:
    """Note that a temporary object was dropped, or could not be created."""
    target = target_of(statement)
    if target is not None and isinstance(statement, (exp.Drop, exp.Create)):
        session.temporary.pop(table_name(target, session), None)


def _redirect(table: exp.Table, name: tuple[str, ...], *, alias: bool) -> None:
    if alias and not table.args.get("alias"):
        table.set("alias", exp.TableAlias(this=exp.to_identifier(name[2], quoted=True)))
    table.set("this", exp.to_identifier(".".join(name), quoted=True))
    table.set("db", exp.to_identifier("main", quoted=True))
    table.set("catalog", exp.to_identifier("temp", quoted=True))


def _shorten_columns(statement: Expr, name: tuple[str, ...]) -> None:
    """``d.s.t.c`` can only be said of a table that is still called so; ``t.c`` holds."""
    for column in statement.find_all(exp.Column):
        if column.args.get("db") and stored(column.args["table"]) == name[2]:
            column.set("db", None)
            column.set("catalog", None)
