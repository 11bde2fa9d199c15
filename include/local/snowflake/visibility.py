"""SHOW tells a role of what it may know of, and of nothing else."""

from sqlglot import Expr, exp

from local.snowflake.catalog import SCHEMA
from local.snowflake.names import literal
from local.snowflake.session import Session

_SCHEMA_OBJECTS = {"TABLES", "VIEWS", "OBJECTS"}


def roles_sql(session: Session) -> str:
    """The session's roles as a list for SQL's IN."""
    return ", ".join(literal(role) for role in sorted(session.roles))


def limit(show: exp.Show, query: exp.Select, session: Session) -> Expr:
    """A SHOW TABLES, VIEWS or OBJECTS, as the query it became, without the relations hidden from the role."""
    if str(show.name).upper() not in _SCHEMA_OBJECTS:
        return query
    return query.where(
        f"[database_name, schema_name, name] IN (SELECT on_name FROM {SCHEMA}.grants WHERE NOT future "
        f"AND grantee_type = 'ROLE' AND grantee IN ({roles_sql(session)}))",
        dialect="duckdb",
        copy=False,
    )
