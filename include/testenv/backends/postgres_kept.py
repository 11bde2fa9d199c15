"""Carrying kept tables of an environment's database over into the copy that takes its place.

A kept table comes with its rows, its columns, defaults, keys, checks, indexes and the state of its sequences, whatever
the new version has in its place. Foreign keys from and to it are made anew without a check of the rows that are there:
the kept rows may refer to what the new version has no longer. What is written from then on is checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from testenv.backends.postgres_server import execute, query

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

SPOOL = 64 << 20
"""Bytes of a table that are held in memory; what is more goes through a file that has no name."""

_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname = ANY(%s)
"""

_COLUMNS = """
SELECT quote_ident(attname), format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attidentity,
       attgenerated <> ''
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = to_regclass(format('public.%%I', %s)) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""

_CONSTRAINTS = """
SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint
WHERE conrelid = to_regclass(format('public.%%I', %s)) AND contype IN ('p', 'u', 'c', 'x')
ORDER BY contype = 'c', conname
"""

_INDEXES = """
SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = to_regclass(format('public.%%I', %s))
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
ORDER BY 1
"""

_FOREIGN_KEYS = """
SELECT conrelid::regclass::text, confrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""

_SEQUENCES = """
SELECT quote_ident(s.relname), quote_ident(a.attname), format_type(seqtypid, NULL), d.deptype = 'i'
FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
JOIN pg_sequence ON seqrelid = s.oid
WHERE d.refobjid = to_regclass(format('public.%%I', %s)) AND d.deptype IN ('a', 'i')
"""


def carry(old: Connection, new: Connection, tables: Sequence[str]) -> list[str]:
    """Put `tables` of the database `old` into `new`, in the place of its own; returns those that `old` has.

    To be done before `new` is anyone's: its tables are the control plane's until they are handed over.
    """
    there = sorted(name for (name,) in query(old, _TABLES, list(tables)))
    keys = _foreign_keys(old, new, there)
    for table in there:
        execute(new, "DROP TABLE IF EXISTS public.{} CASCADE", table)
        for statement in _definition(old, table):
            _run(new, statement)
        _copy(old, new, table)
        for statement in _afterwards(old, table):
            _run(new, statement)
    for table, name, definition in keys:
        _add_unchecked(new, table, name, definition)
    return there


def _definition(old: Connection, table: str) -> Iterator[str]:
    sequences = query(old, _SEQUENCES, table)
    for name, _, type_, is_identity in sequences:
        if not is_identity:  # its default needs it; an identity brings its own
            yield f"CREATE SEQUENCE IF NOT EXISTS public.{name} AS {type_}"
    columns = ", ".join(_column(*row) for row in query(old, _COLUMNS, table))
    yield f"CREATE TABLE public.{_quoted(old, table)} ({columns})"
    for name, column, _, is_identity in sequences:
        if not is_identity:
            yield f"ALTER SEQUENCE public.{name} OWNED BY public.{_quoted(old, table)}.{column}"


def _column(name: str, type_: str, required: bool, default: str | None, identity: str, generated: bool) -> str:
    if identity:
        rest = f" GENERATED {'ALWAYS' if identity == 'a' else 'BY DEFAULT'} AS IDENTITY"
    elif generated:
        rest = f" GENERATED ALWAYS AS ({default}) STORED"
    else:
        rest = f" DEFAULT {default}" if default else ""
    return f"{name} {type_}{rest}{' NOT NULL' if required else ''}"


def _afterwards(old: Connection, table: str) -> Iterator[str]:
    """Keys, checks, indexes and where its sequences stand: faster once the rows are there."""
    yield from (statement for (statement,) in query(old, _CONSTRAINTS, table))
    yield from (statement for (statement,) in query(old, _INDEXES, table))
    for name, column, _, _ in query(old, _SEQUENCES, table):
        [(value, called)] = query(old, f"SELECT last_value, is_called FROM public.{name}")
        sequence = f"pg_get_serial_sequence('public.{_quoted(old, table)}', trim('\"' FROM '{column}'))"
        yield f"SELECT setval({sequence}, {int(value)}, {str(bool(called)).lower()})"


def _copy(old: Connection, new: Connection, table: str) -> None:
    columns = ", ".join(
        row[0] for row in query(old, _COLUMNS, table) if not row[5]
    )  # generated ones come by themselves
    target = f"public.{_quoted(old, table)} ({columns})"
    with tempfile.SpooledTemporaryFile(SPOOL) as rows, old.cursor() as source, new.cursor() as sink:
        source.copy_expert(f"COPY {target} TO STDOUT", rows)
        rows.seek(0)
        sink.copy_expert(f"COPY {target} FROM STDIN", rows)


def _foreign_keys(old: Connection, new: Connection, tables: Sequence[str]) -> list[tuple[str, str, str]]:
    """Table, name and definition of the keys to make anew: of kept tables as they are, to them as the new ones are."""
    kept = {_quoted(old, table) for table in tables}
    own = [(table, name, text) for table, _, name, text in query(old, _FOREIGN_KEYS) if table in kept]
    others = [
        (table, name, text) for table, to, name, text in query(new, _FOREIGN_KEYS) if to in kept and table not in kept
    ]
    return [*own, *others]


def _add_unchecked(new: Connection, table: str, name: str, definition: str) -> None:
    """Left out where the other side has not the columns or the key for it any more."""
    from psycopg2 import errors

    unchecked = definition if definition.endswith("NOT VALID") else f"{definition} NOT VALID"
    try:
        _run(new, f"ALTER TABLE public.{table} ADD CONSTRAINT {_quoted(new, name)} {unchecked}")
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidForeignKey, errors.DatatypeMismatch):
        return


def _quoted(connection: Connection, name: str) -> str:
    return str(query(connection, "SELECT quote_ident(%s)", name)[0][0])


def _run(connection: Connection, statement: str) -> None:
    """A statement that the server itself has quoted, as it stands."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def has_table(connection: Connection, table: str) -> bool:
    """Whether there is such a table."""
    return bool(query(connection, _TABLES, [table]))


def running(connection: Connection) -> list[Any]:
    """DAG runs that an Airflow's metadata database has as running."""
    return query(connection, "SELECT dag_id, run_id FROM dag_run WHERE state = 'running' ORDER BY 1, 2")
