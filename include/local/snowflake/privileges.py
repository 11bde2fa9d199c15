"""What a statement needs before it may run, and whether the session's role has it."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import Expr, exp

from local.snowflake import errors
from local.snowflake.names import quote
from local.snowflake.session import Session

_INTERNAL_DATABASES = {"_FS_GLOBAL", "SYSTEM", "TEMP", "MEMORY"}
_INTERNAL_SCHEMAS = {"_FS_INFORMATION_SCHEMA", "MAIN", "PG_CATALOG"}
_INFORMATION_SCHEMA = {"TABLES", "VIEWS", "COLUMNS", "SCHEMATA", "DATABASES", "LOAD_HISTORY"}
_ENGINE_FUNCTIONS = ("READ_", "DUCKDB_", "PRAGMA_", "PARQUET_", "SNIFF_", "ICEBERG_", "_FS_", "WRITE_")
_ENGINE_FUNCTION_NAMES = {
    "GLOB", "GETENV", "QUERY", "QUERY_TABLE", "GETVARIABLE", "CURRENT_SETTING", "WHICH_SECRET", "SUMMARY",
    "STORAGE_INFO", "SEQ_SCAN", "NEXTVAL", "CURRVAL", "TEST_ALL_TYPES", "JSON_EXECUTE_SERIALIZED_SQL",
    "FROM_SUBSTRAIT", "ERROR",
}  # fmt: skip
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.Copy, exp.TruncateTable)
_CREATABLE = {"TABLE", "VIEW", "SEQUENCE", "FILE FORMAT"}


@dataclass(frozen=True)
class Need:
    """Any one of ``privileges``, or OWNERSHIP, on a relation (kind TABLE) or another object.

    ``if_exists``: nothing is needed when there is no such object. No privileges at all means any privilege does.
    """

    privileges: tuple[str, ...]
    kind: str
    name: tuple[str, ...]
    if_exists: bool = False


def table_name(table: exp.Table, session: Session) -> tuple[str, ...]:
    """The stored (database, schema, name) that a table reference means in this session."""
    parts = [part for part in (table.args.get("catalog"), table.args.get("db"), table.this) if part]
    return session.complete([stored(part) for part in parts], 3)


def stored(identifier: Expr) -> str:
    quoted = isinstance(identifier, exp.Identifier) and identifier.args.get("quoted")
    return identifier.name if quoted else identifier.name.upper()


def tables_of(statement: Expr) -> Iterator[exp.Table]:
    """References to real tables and views: no CTEs, stages, files, table functions or values."""
    for table in statement.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not _is_cte(table) and not is_account_usage(table):
            yield table


def is_account_usage(table: exp.Table) -> bool:
    """Whether it is SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY, the one table of that database there is here."""
    return [part.name.upper() for part in table.parts] == ["SNOWFLAKE", "ACCOUNT_USAGE", "QUERY_HISTORY"]


def _is_cte(table: exp.Table) -> bool:
    if table.args.get("db"):
        return False
    node = table.parent
    while node is not None:
        with_ = node.args.get("with_")
        if with_ and any(stored(cte.args["alias"].this) == stored(table.this) for cte in with_.expressions):
            return True
        node = node.parent
    return False


def target_of(statement: Expr) -> exp.Table | None:
    """The table that a statement creates, writes, alters or drops."""
    if isinstance(statement, exp.Drop):
        return next(iter(statement.args.get("tables") or []), None)
    if isinstance(statement, exp.TruncateTable):
        return next(iter(statement.expressions), None)
    writes = (exp.Create, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Alter, exp.Copy, exp.Comment, exp.Describe)
    if isinstance(statement, writes):
        target = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
        return target if isinstance(target, exp.Table) else None
    return None


def is_temporary(statement: Expr) -> bool:
    properties = statement.args.get("properties")
    return isinstance(statement, exp.Create) and bool(properties and properties.find(exp.TemporaryProperty))


def needs(statement: Expr, session: Session) -> list[Need]:
    """Everything a statement needs, in the order in which Snowflake would complain."""
    target = target_of(statement)
    found = [
        Need(("SELECT",), "TABLE", table_name(table, session))
        for table in tables_of(statement)
        if table is not target and not _is_new_name(table, statement)
    ]
    if target is not None and isinstance(target.this, exp.Identifier):
        found += _target_needs(statement, table_name(target, session))
    return found


def _is_new_name(table: exp.Table, statement: Expr) -> bool:
    return isinstance(table.parent, (exp.AlterRename, exp.SwapTable)) or isinstance(statement, (exp.Show, exp.Use))


def _target_needs(statement: Expr, name: tuple[str, ...]) -> list[Need]:
    match statement:
        case exp.Create():
            kind = str(statement.kind).upper()
            creating = [] if is_temporary(statement) else [Need((f"CREATE {kind}",), "SCHEMA", name[:2])]
            if kind in ("TABLE", "VIEW") and statement.args.get("replace") and not is_temporary(statement):
                creating.append(Need(("OWNERSHIP",), "TABLE", name, if_exists=True))
            return creating or [Need((), "SCHEMA", name[:2])]
        case exp.Insert():
            wanted = ["INSERT"] + (["DELETE"] if statement.args.get("overwrite") else [])
        case exp.Copy():
            wanted = ["INSERT"]
        case exp.Update():
            wanted = ["UPDATE"]
        case exp.Delete():
            wanted = ["DELETE"]
        case exp.Merge():
            actions = [when.args["then"] for when in statement.args["whens"].expressions]
            kinds = ((exp.Insert, "INSERT"), (exp.Update, "UPDATE"), (exp.Var, "DELETE"))
            wanted = [word for kind, word in kinds if any(isinstance(action, kind) for action in actions)]
        case exp.TruncateTable():
            return [Need(("TRUNCATE",), "TABLE", name, if_exists=bool(statement.args.get("exists")))]
        case exp.Describe():
            return [Need((), "TABLE", name)]
        case exp.Drop() if str(statement.args.get("kind")).upper() not in ("TABLE", "VIEW"):
            return [Need(("OWNERSHIP",), str(statement.args["kind"]).upper(), name, if_exists=True)]
        case _:
            return [Need(("OWNERSHIP",), "TABLE", name, if_exists=bool(statement.args.get("exists")))]
    return [Need((privilege,), "TABLE", name) for privilege in wanted]


def check(statement: Expr, session: Session) -> None:
    """Refuse a statement that the session's role may not run.

    Raises:
        ProgrammingError: 2003 for an object the role may not know of, 3001 for a privilege it lacks on one it may.
    """
    for need in needs(statement, session):
        require(need, session)


def require(need: Need, session: Session) -> None:
    """Check one need of the session's role.

    Raises:
        ProgrammingError: as ``check``.
    """
    grants, roles = session.engine.catalog.grants, session.roles
    if need.name in session.temporary:
        return
    require_usage(need.name[: -1 if need.kind != "SCHEMA" else 2], session)
    if len(need.name) == 3 and need.name[1] == "INFORMATION_SCHEMA" and need.name[2] in _INFORMATION_SCHEMA:
        return
    known = grants.allows_any(roles, need.kind, need.name)
    if not known:
        if need.if_exists and grants.owner(need.kind, need.name) is None:
            return
        kind = "Object" if need.kind == "TABLE" else need.kind.capitalize()
        raise errors.missing(kind, quote_plain(need.name))
    if need.privileges and not grants.allows(roles, need.privileges, need.kind, need.name):
        raise errors.denied(grants.kind_of(need.name) or need.kind, need.name[-1])


def require_usage(container: tuple[str, ...], session: Session) -> None:
    """Check that the role may use a database, or a schema and its database.

    Raises:
        ProgrammingError: 2003 naming the one it may not know of or use.
    """
    grants, roles = session.engine.catalog.grants, session.roles
    if not can_use(session, "DATABASE", container[:1]):
        raise errors.missing("Database", container[0])
    schema = container[:2]
    if len(schema) < 2 or schema[1] == "INFORMATION_SCHEMA":
        return
    if schema[1].upper() in _INTERNAL_SCHEMAS or not grants.allows_any(roles, "SCHEMA", schema):
        raise errors.missing("Schema", quote_plain(schema))
    if not grants.allows(roles, ("USAGE",), "SCHEMA", schema):
        raise errors.missing("Schema", quote_plain(schema))


def can_use(session: Session, kind: str, name: tuple[str, ...]) -> bool:
    """Whether the role has USAGE (or OWNERSHIP) on a database or schema that exists."""
    if kind == "DATABASE" and (
        name[0].upper() in _INTERNAL_DATABASES or name[0] not in session.engine.database_names()
    ):
        return False
    return session.engine.catalog.grants.allows(session.roles, ("USAGE",), kind, name)


def require_account(privilege: str, session: Session) -> None:
    """Check an account-level privilege such as CREATE DATABASE.

    Raises:
        ProgrammingError: 3001.
    """
    if not session.engine.catalog.grants.allows(session.roles, (privilege,), "ACCOUNT", ("ACCOUNT",)):
        raise errors.denied("account", "ACCOUNT")


def require_object(kind: str, name: str, privileges: tuple[str, ...], session: Session) -> None:
    """Check that an account object exists and the role has one of the privileges, or OWNERSHIP, on it.

    Raises:
        ProgrammingError: 2003 if it is not there or the role may not know of it, 3001 if it lacks the privilege.
    """
    grants, roles = session.engine.catalog.grants, session.roles
    if not session.engine.catalog.find(kind, name) or not grants.allows_any(roles, kind, (name,)):
        raise errors.missing(kind.capitalize(), name)
    if not grants.allows(roles, privileges, kind, (name,)):
        raise errors.denied(kind, name)


def quote_plain(name: tuple[str, ...]) -> str:
    """A name as Snowflake's messages show it: dotted, quoted only where it must be."""
    return ".".join(part if part.isidentifier() and part == part.upper() else quote(part) for part in name)


def refuse_foreign(statement: Expr) -> None:
    """Refuse what DuckDB would run and Snowflake would not: its functions, its catalogs, files by name.

    Raises:
        ProgrammingError: as Snowflake would have put it.
    """
    if isinstance(statement, exp.Create):
        kind, properties = str(statement.kind).upper(), statement.args.get("properties")
        if kind not in _CREATABLE:
            raise errors.unsupported(f"CREATE {kind}")
        if properties and (special := properties.find(exp.MaterializedProperty, exp.ExternalProperty)):
            raise errors.unsupported(f"CREATE {special.key.removesuffix('property').upper()} {kind}")
    _refuse_hidden_writes(statement)
    for function in statement.find_all(exp.Anonymous):
        name = str(function.this).upper()
        if name.startswith(_ENGINE_FUNCTIONS) or name in _ENGINE_FUNCTION_NAMES:
            raise errors.error(f"SQL compilation error:\nUnknown function {name}.", 2140, "42601")
    for node in statement.find_all(exp.ReadCSV, exp.ReadParquet, exp.Pragma, exp.Attach, exp.Detach):
        raise errors.syntax(node.key.upper())
    for table in statement.find_all(exp.Table):
        database, schema = (stored(part) if part else "" for part in (table.args.get("catalog"), table.args.get("db")))
        if database.upper() in _INTERNAL_DATABASES or schema.upper() in _INTERNAL_SCHEMAS:
            raise errors.missing("Schema", f"{database}.{schema}".strip("."))
        if table.args.get("when"):
            raise errors.unsupported("Time Travel (AT, BEFORE)")
        if isinstance(table.this, exp.Literal) and not isinstance(statement, exp.Copy):
            raise errors.syntax(table.this.name)


def _refuse_hidden_writes(statement: Expr) -> None:
    """Refuse writes where only a statement's one target would be checked: in a CTE, or of several tables at once."""
    for node in statement.find_all(*_WRITES):
        if node is not statement and not isinstance(node.parent, (exp.When, exp.Alter)):
            raise errors.syntax(node.key.upper())
    several = statement.args.get("tables") or statement.args.get("expressions")
    if isinstance(statement, (exp.Drop, exp.TruncateTable)) and several and len(several) > 1:
        raise errors.syntax(",")
    if isinstance(statement, exp.MultitableInserts):
        raise errors.unsupported("INSERT into several tables")
