"""INFORMATION_SCHEMA and SHOW as Snowflake words them, over DuckDB's catalog and ours."""

from local.snowflake.catalog import SCHEMA, Catalog
from local.snowflake.names import literal, quote

_FS = "_fs_global._fs_information_schema"

_RELATIONS = f"""
FROM system.information_schema.tables t
LEFT JOIN {SCHEMA}.relations r
  ON (r.database, r.schema, r.name) = (t.table_catalog, t.table_schema, t.table_name)
LEFT JOIN {_FS}._fs_tables_ext x
  ON (x.ext_table_catalog, x.ext_table_schema, x.ext_table_name) = (t.table_catalog, t.table_schema, t.table_name)
LEFT JOIN duckdb_views() v
  ON (v.database_name, v.schema_name, v.view_name) = (t.table_catalog, t.table_schema, t.table_name)
LEFT JOIN duckdb_tables() d
  ON (d.database_name, d.schema_name, d.table_name) = (t.table_catalog, t.table_schema, t.table_name)
LEFT JOIN {SCHEMA}.grants g
  ON g.privilege = 'OWNERSHIP' AND NOT g.future AND len(g.on_name) = 3
  AND g.on_name = [t.table_catalog, t.table_schema, t.table_name]
WHERE t.table_schema NOT IN ('_fs_information_schema', 'main')
"""

ACCOUNT_VIEWS = f"""
CREATE OR REPLACE VIEW {_FS}._fs_show_objects AS
SELECT coalesce(r.created, to_timestamp(0)) AS created_on, t.table_name AS name, t.table_catalog AS database_name,
  t.table_schema AS schema_name,
  CASE WHEN t.table_type = 'BASE TABLE' THEN 'TABLE' ELSE t.table_type END AS kind,
  coalesce(x.comment, v.comment, d.comment, '') AS comment, coalesce(r.cluster_by, '') AS cluster_by,
  coalesce(d.estimated_size, 0) AS rows, 0 AS bytes, g.grantee AS owner, 1 AS retention_time,
  'ROLE' AS owner_role_type, 'N' AS is_hybrid,
  CASE WHEN r.dynamic IS NOT NULL THEN 'Y' ELSE 'N' END AS is_dynamic, 'N' AS is_iceberg, 'N' AS is_interactive
{_RELATIONS};

CREATE OR REPLACE VIEW {_FS}._fs_show_tables AS
SELECT o.created_on, o.name, CASE WHEN r.transient THEN 'TRANSIENT' ELSE 'TABLE' END AS kind, o.database_name,
  o.schema_name, o.comment, o.cluster_by, o.rows, o.bytes, o.owner, o.retention_time,
  'OFF' AS automatic_clustering, 'OFF' AS change_tracking, 'OFF' AS search_optimization,
  NULL AS search_optimization_progress, NULL AS search_optimization_bytes, 'N' AS is_external,
  'N' AS enable_schema_evolution, owner_role_type, 'N' AS is_event, NULL AS budget, is_hybrid, is_iceberg, is_dynamic,
  'N' AS is_immutable
FROM {_FS}._fs_show_objects o
LEFT JOIN {SCHEMA}.relations r ON (r.database, r.schema, r.name) = (o.database_name, o.schema_name, o.name)
WHERE o.kind = 'TABLE';

CREATE OR REPLACE VIEW {_FS}._fs_show_views AS
SELECT o.created_on, o.name, '' AS reserved, o.database_name, o.schema_name, o.owner, o.comment, v.sql AS text,
  false AS is_secure, false AS is_materialized, 'ROLE' AS owner_role_type, 'OFF' AS change_tracking
FROM {_FS}._fs_show_objects o
JOIN duckdb_views() v ON (v.database_name, v.schema_name, v.view_name) = (o.database_name, o.schema_name, o.name)
"""


def database_sql(database: str) -> str:
    """The views of one database's INFORMATION_SCHEMA that fakesnow leaves constant or short of columns."""
    schema = f"{quote(database)}._fs_information_schema"
    return f"""
ALTER TABLE {schema}._fs_load_history ADD COLUMN IF NOT EXISTS ETAG VARCHAR;
CREATE OR REPLACE VIEW {schema}._fs_tables AS
SELECT t.table_catalog AS "TABLE_CATALOG", t.table_schema AS "TABLE_SCHEMA", t.table_name AS "TABLE_NAME",
  g.grantee AS "TABLE_OWNER", t.table_type AS "TABLE_TYPE",
  CASE WHEN r.transient THEN 'YES' ELSE 'NO' END AS "IS_TRANSIENT", r.cluster_by AS "CLUSTERING_KEY",
  d.estimated_size AS "ROW_COUNT", CASE WHEN v.view_name IS NULL THEN 0 END AS "BYTES", 1 AS "RETENTION_TIME",
  NULL::VARCHAR AS "SELF_REFERENCING_COLUMN_NAME", NULL::VARCHAR AS "REFERENCE_GENERATION",
  NULL::VARCHAR AS "USER_DEFINED_TYPE_CATALOG", NULL::VARCHAR AS "USER_DEFINED_TYPE_SCHEMA",
  NULL::VARCHAR AS "USER_DEFINED_TYPE_NAME", 'YES' AS "IS_INSERTABLE_INTO", 'YES' AS "IS_TYPED",
  NULL::VARCHAR AS "COMMIT_ACTION", coalesce(r.created, to_timestamp(0)) AS "CREATED",
  coalesce(r.altered, to_timestamp(0)) AS "LAST_ALTERED", coalesce(r.altered, to_timestamp(0)) AS "LAST_DDL",
  g.grantee AS "LAST_DDL_BY", 'NO' AS "AUTO_CLUSTERING_ON",
  coalesce(x.comment, v.comment, d.comment) AS "COMMENT", 'NO' AS "IS_TEMPORARY", 'NO' AS "IS_ICEBERG",
  CASE WHEN r.dynamic IS NOT NULL THEN 'YES' ELSE 'NO' END AS "IS_DYNAMIC", 'NO' AS "IS_IMMUTABLE",
  'NO' AS "IS_HYBRID"
{_RELATIONS} AND t.table_catalog = {literal(database)};
"""


_OWN_TABLES = (
    ("_fs_tables_ext", "ext_table_catalog", "ext_table_schema", "ext_table_name"),
    ("_fs_columns_ext", "ext_table_catalog", "ext_table_schema", "ext_table_name"),
    ("_fs_stages", "database_name", "schema_name", "name"),
    ("_fs_file_formats", "database_name", "schema_name", "name"),
)


def forget(catalog: Catalog, *container: str) -> None:
    """Delete what fakesnow keeps outside the database's own file of a database, a schema or a table."""
    for table, *columns in _OWN_TABLES[:2] if len(container) == 3 else _OWN_TABLES:
        where = " AND ".join(f"{column} = ?" for column in columns[: len(container)])
        catalog.rows(f"DELETE FROM {_FS}.{table} WHERE {where}", [*container])


def copy(catalog: Catalog, source: tuple[str, ...], target: tuple[str, ...]) -> None:
    """Copy the same for a clone: of a database, a schema or a table."""
    for table, *columns in _OWN_TABLES[:2] if len(source) == 3 else _OWN_TABLES:
        named = columns[: len(source)]
        replaced = ", ".join(f"{literal(value)} AS {column}" for column, value in zip(named, target, strict=True))
        where = " AND ".join(f"{column} = ?" for column in named)
        catalog.rows(
            f"INSERT OR REPLACE INTO {_FS}.{table} SELECT * REPLACE ({replaced}) FROM {_FS}.{table} WHERE {where}",
            [*source],
        )


def rename_column(catalog: Catalog, table: tuple[str, ...], old: str, new: str) -> None:
    """Keep a column's length under its new name."""
    where = "(ext_table_catalog, ext_table_schema, ext_table_name, ext_column_name) = (?, ?, ?, ?)"
    catalog.rows(f"DELETE FROM {_FS}._fs_columns_ext WHERE {where}", [*table, new])
    catalog.rows(f"UPDATE {_FS}._fs_columns_ext SET ext_column_name = ? WHERE {where}", [new, *table, old])
