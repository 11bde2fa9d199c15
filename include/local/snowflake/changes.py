"""What a statement that ran well changed: who owns what is new, and what the catalog is to remember or forget."""

from dataclasses import dataclass, replace

from fakesnow.transforms import upper_case_unquoted_identifiers
from sqlglot import Expr, exp

from local.snowflake import comments, information_schema
from local.snowflake.grants import Grant
from local.snowflake.privileges import is_temporary, table_name, target_of
from local.snowflake.session import Session

Name = tuple[str, ...]


@dataclass(frozen=True)
class Created:
    """A table, view, sequence or file format was created, or replaced one of its name."""

    kind: str
    name: Name
    replaced: bool = False
    copy_grants: bool = False
    transient: bool = False
    cluster_by: str | None = None
    definition: str | None = None  # of a view: the statement in DuckDB's terms, databases named as they were written
    column_comments: comments.Comments = ()


@dataclass(frozen=True)
class Dropped:
    kind: str
    name: Name


@dataclass(frozen=True)
class Renamed:
    kind: str
    old: Name
    new: Name


@dataclass(frozen=True)
class Altered:
    name: Name


@dataclass(frozen=True)
class Truncated:
    name: Name


Change = Created | Dropped | Renamed | Altered | Truncated


def change_of(statement: Expr, session: Session) -> Change | None:
    """The change that a statement will make if it succeeds; None for queries, DML and temporary objects."""
    target = target_of(statement)
    if target is None or not isinstance(target.this, exp.Identifier) or is_temporary(statement):
        return None
    name = table_name(target, session)
    if name in session.temporary:
        return None
    kind = str(statement.args.get("kind") or "").upper()
    match statement:
        case exp.Create():
            return _created(statement, kind, name)
        case exp.Drop():
            return Dropped(kind, name)
        case exp.TruncateTable():
            return Truncated(name)
        case exp.Alter():
            if renamed := next((a for a in statement.args["actions"] if isinstance(a, exp.AlterRename)), None):
                new = [p for p in (renamed.this.args.get("catalog"), renamed.this.args.get("db")) if p]
                new_name = (
                    table_name(renamed.this, session) if new else (*name[:2], table_name(renamed.this, session)[2])
                )
                return Renamed(kind, name, new_name)
            return Altered(name)
    return None


def _created(statement: exp.Create, kind: str, name: Name) -> Created:
    properties = statement.args.get("properties")
    cluster = properties and properties.find(exp.ClusterProperty)
    columns = statement.this.expressions if isinstance(statement.this, exp.Schema) else []
    keys = ", ".join(upper(key).sql("snowflake") for key in cluster.expressions) if cluster else ""
    return Created(
        kind,
        name,
        replaced=bool(statement.args.get("replace")),
        copy_grants=bool(properties and properties.find(exp.CopyGrantsProperty)),
        transient=bool(properties and properties.find(exp.TransientProperty)),
        cluster_by=f"LINEAR({keys})" if keys else None,
        column_comments=comments.declared(columns),
    )


def upper(key: Expr) -> Expr:
    """An expression with its unquoted identifiers as they are stored."""
    return key.transform(upper_case_unquoted_identifiers)


def apply(change: Change | None, session: Session) -> None:
    """Bring the catalog up to date with a change that DuckDB has made."""
    catalog = session.engine.catalog
    if change is None:
        return
    with catalog.transaction():
        match change:
            case Created():
                _apply_created(change, session)
            case Dropped(kind, name):
                catalog.grants.drop_object(kind, name)
                catalog.drop_relations(name)
            case Renamed(kind, old, new):
                catalog.grants.rename(kind, old, new)
                catalog.rename_relation(old, new)
                information_schema.forget(catalog, *new)
                information_schema.copy(catalog, old, new)
                information_schema.forget(catalog, *old)
                _rename_loads(session, old, new)
            case Altered(name):
                catalog.touch_relation(name)
            case Truncated(name):
                forget_loads(session, name)


def _apply_created(change: Created, session: Session) -> None:
    catalog = session.engine.catalog
    grants = catalog.grants
    if grants.owner(change.kind, change.name) and not change.replaced:
        return  # IF NOT EXISTS, and it did
    kept = [g for g in grants.on(change.kind, change.name) if change.copy_grants and g.privilege != "OWNERSHIP"]
    grants.replace_on(change.kind, change.name, [*_first_grants(session, change.kind, change.name), *kept])
    if change.kind in ("TABLE", "VIEW"):
        catalog.put_relation(
            change.name, transient=change.transient, cluster_by=change.cluster_by, definition=change.definition
        )
        comments.put(session._duck_conn, change.name, change.column_comments)


def own(session: Session, kind: str, name: Name) -> None:
    """Give a new object to the session's role, and to others what future grants promise."""
    session.engine.catalog.grants.add(*_first_grants(session, kind, name))


def _first_grants(session: Session, kind: str, name: Name) -> list[Grant]:
    promised = session.engine.catalog.grants.future_for(kind, name)
    owner = Grant("OWNERSHIP", kind, name, session.role, granted_by=session.role)
    return [owner, *(replace(g, future=False, on_name=name) for g in promised)]


def forget_loads(session: Session, name: Name) -> None:
    """Let COPY load the same files into a table again."""
    session.engine.connection.cursor().execute(
        f'DELETE FROM "{name[0]}"._fs_information_schema._fs_load_history WHERE SCHEMA_NAME = ? AND TABLE_NAME = ?',
        [*name[1:]],
    )


def _rename_loads(session: Session, old: Name, new: Name) -> None:
    if old[0] == new[0]:
        session.engine.connection.cursor().execute(
            f'UPDATE "{old[0]}"._fs_information_schema._fs_load_history SET SCHEMA_NAME = ?, TABLE_NAME = ? '
            "WHERE SCHEMA_NAME = ? AND TABLE_NAME = ?",
            [*new[1:], *old[1:]],
        )
