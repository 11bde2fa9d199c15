"""After a crash: the catalog and the data, which are written one after the other, agree again."""

from collections.abc import Iterable

import duckdb

from local.snowflake.catalog import SCHEMA, Catalog
from local.snowflake.grants import Grant

_HIDDEN = "('main', 'pg_catalog', 'information_schema', '_fs_information_schema')"
_SCHEMAS = f"SELECT database_name, schema_name FROM duckdb_schemas() WHERE schema_name NOT IN {_HIDDEN}"
_RELATIONS = f"""
SELECT 'TABLE', database_name, schema_name, table_name FROM duckdb_tables() WHERE schema_name NOT IN {_HIDDEN}
UNION ALL
SELECT 'VIEW', database_name, schema_name, view_name FROM duckdb_views() WHERE schema_name NOT IN {_HIDDEN}
"""

Name = tuple[str, ...]


def reconcile(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Give what nobody owns to the owner of what it is in, and forget grants and notes of what is not there.

    What nobody owns was made by a statement that the crash cut off before its client was told.
    """
    databases = {item.name for item in catalog.objects("DATABASE")}
    schemas = {(d, s) for d, s in connection.execute(_SCHEMAS).fetchall() if d in databases}
    relations = {tuple(name): kind for kind, *name in connection.execute(_RELATIONS).fetchall() if name[0] in databases}
    with catalog.transaction():
        _adopt(catalog, "SCHEMA", schemas)
        for kind in ("TABLE", "VIEW"):
            _adopt(catalog, kind, (name for name, its in relations.items() if its == kind))
        there = {("DATABASE", (name,)) for name in databases} | {("SCHEMA", name) for name in schemas}
        there |= {(kind, name) for name in relations for kind in ("TABLE", "VIEW", "DYNAMIC TABLE")}
        kinds = {kind for kind, _ in there} | {"DATABASE", "SCHEMA", "TABLE", "VIEW", "DYNAMIC TABLE"}
        catalog.grants.remove(
            [
                g
                for g in catalog.grants.all()
                if g.on_type in kinds and not g.future and (g.on_type, g.on_name) not in there
            ]
        )
        for name in catalog.rows(f"SELECT database, schema, name FROM {SCHEMA}.relations"):
            if name not in relations:
                catalog.drop_relations(name)


def _adopt(catalog: Catalog, kind: str, names: Iterable[Name]) -> None:
    grants = catalog.grants
    orphans = [name for name in names if grants.owner(kind, name) is None]
    for name in orphans:
        owner = grants.owner("SCHEMA", name[:2]) if len(name) > 2 else grants.owner("DATABASE", name[:1])
        grants.add(Grant("OWNERSHIP", kind, name, owner or "ACCOUNTADMIN"))
