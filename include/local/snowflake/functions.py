"""SQL functions and operators that fakesnow lacks or answers wrongly, rewritten in the statement's tree."""

import re

import duckdb
from fakesnow.transforms import transforms as fakesnow_transforms
from sqlglot import Expr, exp

from local.snowflake import errors, lengths, macros
from local.snowflake.history import TABLE as HISTORY_TABLE
from local.snowflake.privileges import is_account_usage
from local.snowflake.session import Session

_SHORT_OFFSET = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)([+-])(\d)")
_HASH_MODULUS = 9223372036854775783  # the largest prime below 2**63: the sum of 64-bit hashes folded into a NUMBER

_RESERVED = {
    word
    for (word,) in duckdb.connect()
    .execute("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')")
    .fetchall()
}
"""Words that DuckDB reserves and Snowflake may not, such as AT: quoted where they are names."""

_CONTEXT: dict[type[Expr], str] = {
    exp.CurrentAccount: "account",
    exp.CurrentRole: "role",
    exp.CurrentUser: "user",
    exp.CurrentWarehouse: "warehouse",
    exp.CurrentDatabase: "database",
    exp.CurrentSchema: "schema",
}


def rewrite(node: Expr, session: Session) -> Expr:
    """One node of a statement's tree, in DuckDB's terms. For use with ``Expr.transform``."""
    match node:
        case exp.Func() if type(node) in _CONTEXT:
            return _context(node, session)
        case exp.Anonymous() if str(node.this).upper() == "LAST_QUERY_ID":
            return exp.Literal.string(session.last_query_id) if session.last_query_id else exp.null()
        case exp.ToChar() if node.args.get("format"):
            raise errors.unsupported(
                "TO_CHAR with a format, of a value whose type the text does not tell; cast it first"
            )
        case exp.Identifier() if not node.args.get("quoted") and node.name.lower() in _RESERVED:
            return exp.to_identifier(node.name.upper(), quoted=True)
        case exp.Div():
            return _divide(node, session)
        case exp.Window() if isinstance(node.this, exp.Avg):
            return _average(node, session)
        case exp.Avg() if not _in_pivot(node):
            return _average(node, session)
        case exp.DateTrunc() | exp.TimestampTrunc() if not isinstance(node.this, exp.Placeholder):
            return _date_trunc(node, session)
        case exp.ConvertTimezone() if not node.args.get("source_tz"):
            return _to_zone(node)
        case exp.HashAgg():
            return _hash_agg(node)
        case exp.Rand() if _orders_window(node):
            return _chance(node)
        case exp.TableFromRows() if _calls_query_history(node.this):
            return _query_history(session)
        case exp.Table() if is_account_usage(node):
            return _query_history(session, alias=node.alias)
        case exp.Cast() if type(node) is exp.Cast and (limit := lengths.limit_of(node.to)):
            return _cast_to_length(node, limit, session)
        case exp.Cast() if _is_null_array(node) and not isinstance(node.root(), exp.Create):
            return exp.Case().when(exp.false(), exp.Array())
        case exp.Cast() if node.this.is_string:
            node.set("this", exp.Literal.string(with_offset(node.this.name)))
    return node


def with_offset(text: str) -> str:
    """A text of a timestamp with its offset in full if that is of one digit, which DuckDB does not read."""
    found = _SHORT_OFFSET.fullmatch(text)
    return f"{found[1]}{found[2]}0{found[3]}:00" if found else text


def _is_null_array(node: exp.Cast) -> bool:
    """NULL::ARRAY, which is VARIANT's JSON in a table, and in a query what goes with a list of any type."""
    return type(node) is exp.Cast and node.is_type("array") and isinstance(node.this, exp.Null)


def _context(node: Expr, session: Session) -> Expr:
    value = getattr(session, _CONTEXT[type(node)])
    shown = exp.Literal.string(value) if value else exp.null()
    if isinstance(node.parent, exp.Select):
        return exp.alias_(shown, f"{node.sql('snowflake').upper().removesuffix('()')}()", quoted=True)
    return shown


def _named(value: Expr, original: Expr) -> Expr:
    """What stands for a column of a query keeps the column's name, which is its text."""
    if isinstance(original.parent, exp.Select) and original.arg_key == "expressions":
        return exp.alias_(value, original.sql("snowflake").upper(), quoted=True)
    return value


def _date_trunc(node: exp.DateTrunc | exp.TimestampTrunc, session: Session) -> Expr:
    """A DATE stays one; DuckDB makes it a TIMESTAMP."""
    value = node.this.transform(rewrite, session=session)  # as what is replaced is not walked further
    return _named(macros.call("_date_trunc", exp.Literal.string(node.args["unit"].name), value), node)


def _cast_to_length(node: exp.Cast, limit: int, session: Session) -> Expr:
    """A text that is too long is an error; DuckDB takes no notice of the length."""
    cast = node.copy()
    cast.set("this", node.this.transform(rewrite, session=session))
    return _named(lengths.fits(cast, limit), node)


def _to_zone(node: exp.ConvertTimezone) -> Expr:
    """To UTC, which is every session's zone; in any other, the offset that the value keeps would be lost."""
    if node.args["target_tz"].name.upper() != "UTC":
        raise errors.unsupported("CONVERT_TIMEZONE to a zone other than UTC without the zone that it is from")
    return exp.cast(node.args["timestamp"], "TIMESTAMPTZ", dialect="duckdb")


def _divide(node: exp.Div, session: Session) -> Expr:
    """A quotient of NUMBERs is one, and a zero divisor an error; DuckDB gives a DOUBLE, and infinity or NULL."""
    a, b = (side.transform(rewrite, session=session) for side in (node.this, node.expression))
    quotient = exp.Div(this=a, expression=macros.call("_divisor", b))
    if node.find(exp.Placeholder):  # its type would be guessed from the scale that is wanted
        return _named(quotient, node)
    return _named(macros.call("_quotient", quotient, a.copy(), b.copy()), node)


def _average(node: Expr, session: Session) -> Expr:
    """AVG of a NUMBER is one, as a quotient is. ``node`` is the call, or the window that it is called over."""
    name = node.copy()
    average = node.this if isinstance(node, exp.Window) else node
    for part in [*average.iter_expressions(), *node.iter_expressions()]:
        if part is not average:
            part.replace(part.transform(rewrite, session=session))
    argument = average.this.expressions[0] if isinstance(average.this, exp.Distinct) else average.this
    typed = argument.copy() if isinstance(node, exp.Window) else exp.Min(this=argument.copy())
    name.parent, name.arg_key = node.parent, node.arg_key
    return _named(macros.call("_quotient", node.copy(), typed, exp.Literal.number(1)), name)


def _in_pivot(call: Expr) -> bool:
    return isinstance(call.find_ancestor(exp.Select, exp.Pivot), exp.Pivot)


def _hash_agg(node: exp.HashAgg) -> Expr:
    """Order does not matter to it and duplicates do, as in Snowflake; the values differ from Snowflake's."""
    arguments = [
        exp.Columns(this=exp.Star(), unpack=True) if isinstance(a, exp.Star) else a.copy()
        for a in [node.this, *node.expressions]
    ]
    total = exp.Anonymous(this="sum", expressions=[exp.Anonymous(this="hash", expressions=arguments)])
    folded = exp.Mod(this=total, expression=exp.Literal.number(_HASH_MODULUS))
    value = exp.cast(exp.func("coalesce", folded, exp.Literal.number(0)), "BIGINT", dialect="duckdb")
    return _named(value, node)


def _orders_window(node: Expr) -> bool:
    order = node.find_ancestor(exp.Order, exp.Select)
    return isinstance(order, exp.Order) and isinstance(order.parent, exp.Window)


def _chance(node: exp.Rand) -> Expr:
    """RANDOM() where DuckDB takes nothing volatile: the row's own hash, another with each transaction or seed."""
    select = node.find_ancestor(exp.Select) or exp.Select()
    sources = [each.this for each in (select.args.get("from_"), *(select.args.get("joins") or ())) if each]
    seed = node.this.copy() if node.this else exp.Anonymous(this="now")
    rows = [exp.column(source.alias_or_name, quoted=True) for source in sources if source.alias_or_name]
    return exp.Anonymous(this="hash", expressions=[seed, *rows])


def _calls_query_history(call: Expr) -> bool:
    return isinstance(call, exp.Dot) and call.expression.name.upper().startswith("QUERY_HISTORY")


def _query_history(session: Session, alias: str = "") -> Expr:
    """What the session may see of the history: all of it for a role that monitors the account, else its user's own."""
    session.engine.history.flush()
    query = exp.select("*").from_(HISTORY_TABLE)
    grants = session.engine.catalog.grants
    if not grants.allows(session.roles, ("MONITOR USAGE",), "ACCOUNT", ("ACCOUNT",)):
        query = query.where(exp.column("USER_NAME").eq(session.user))
    return query.order_by("START_TIME DESC").subquery(alias or "QUERY_HISTORY")


def aggregate_keeping_type(node: Expr) -> Expr:
    """Name SUM, AVG and the like as Snowflake does, and leave the type of their argument.

    In place of fakesnow's ``numeric_agg_implicit_cast``, which makes every sum a FLOAT.
    """
    if isinstance(node, fakesnow_transforms._NUMERIC_ONLY_AGGS) and isinstance(node.parent, exp.Select):
        name = fakesnow_transforms._numeric_agg_col_name(node, node.this)
        return exp.alias_(node, name, quoted=True) if name else node
    return node
