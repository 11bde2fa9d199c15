"""MERGE by DuckDB's own MERGE. fakesnow rewrites it to several statements over a temporary table, which is not
atomic, fails inside BEGIN … COMMIT, and finds columns ambiguous that are not."""

from duckdb import DuckDBPyConnection
from sqlglot import exp

from local.snowflake import errors

_ACTIONS = (("INSERT", exp.Insert, "inserted"), ("UPDATE", exp.Update, "updated"), ("DELETE", exp.Var, "deleted"))


def prepare(merge: exp.Merge) -> exp.Merge:
    """Say what Snowflake leaves to be understood: bare columns in VALUES are the source's, those SET the target's."""
    source = merge.args["using"].alias_or_name
    for when in merge.args["whens"].expressions:
        action = when.args["then"]
        if isinstance(action, exp.Insert) and action.expression:
            for column in action.expression.find_all(exp.Column):
                if not column.table:
                    column.set("table", exp.to_identifier(source))
            for column in action.this.find_all(exp.Column) if action.this else ():
                column.set("table", None)
        elif isinstance(action, exp.Update):
            for assignment in action.expressions:
                assignment.this.set("table", None)
    return merge


def run(merge: exp.Merge, connection: DuckDBPyConnection, params: object) -> str:
    """Run a transformed MERGE; the query whose row tells the numbers of rows, as Snowflake replies.

    Raises:
        ProgrammingError: 100090 when two source rows match one target row, where Snowflake refuses to choose.
    """
    _refuse_duplicates(merge, connection, params)
    rows = connection.execute(merge.sql("duckdb") + " RETURNING merge_action", params).fetchall()
    done = [action for (action,) in rows]
    present = [when.args["then"] for when in merge.args["whens"].expressions]
    counts = [
        f'{done.count(word)} AS "number of rows {past}"'
        for word, kind, past in _ACTIONS
        if any(isinstance(action, kind) for action in present)
    ]
    return "SELECT " + ", ".join(counts)


def _refuse_duplicates(merge: exp.Merge, connection: DuckDBPyConnection, params: object) -> None:
    if not any(when.args.get("matched") for when in merge.args["whens"].expressions):
        return
    target, source = merge.this, merge.args["using"]
    conditions = [w.args.get("condition") for w in merge.args["whens"].expressions if w.args.get("matched")]
    acting = "" if None in conditions else " AND (" + " OR ".join(f"({c.sql('duckdb')})" for c in conditions) + ")"
    joined = f"{target.sql('duckdb')} JOIN {source.sql('duckdb')} ON ({merge.args['on'].sql('duckdb')}){acting}"
    row = exp.column("rowid", table=exp.to_identifier(target.alias_or_name, quoted=True)).sql("duckdb")
    query = f"SELECT 1 FROM {joined} GROUP BY {row} HAVING count(*) > 1 LIMIT 1"
    if any(c is not None and c.find(exp.Placeholder) for c in conditions):
        raise errors.unsupported("MERGE with bind variables in WHEN … AND conditions")
    # Those of the source and of ON come first in the statement, so they are the first of its parameters.
    bound = sum(1 for part in (source, merge.args["on"]) for _ in part.find_all(exp.Placeholder))
    if connection.execute(query, params[:bound] if isinstance(params, (list, tuple)) else params).fetchone():
        raise errors.error("Duplicate row detected during DML action", 100090, "42P18")
