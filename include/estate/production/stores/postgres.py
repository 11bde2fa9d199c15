"""The operational database."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from estate.production.settings import Settings
from estate.production.world import World
from estate.tables import SOURCE_TABLES

SCHEMA = Path(__file__).parents[2] / "schema" / "postgres.sql"
NULL = "\\N"


def fill(world: World, settings: Settings) -> dict[str, int]:
    """Replace all rows of all tables in one transaction, making the tables where needed; return the rows by table."""
    with closing(psycopg2.connect(settings.postgres_url)) as conn, conn, conn.cursor() as cursor:
        cursor.execute(SCHEMA.read_text())
        names = sql.SQL(", ").join(sql.Identifier(table.name) for table in SOURCE_TABLES)
        cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        for table in SOURCE_TABLES:
            columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
            copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL {})").format(
                sql.Identifier(table.name), columns, sql.Literal(NULL)
            )
            rows = world.tables[table.name]
            cursor.copy_expert(copy, _csv([row[column] for column in table.columns] for row in rows))
    return {table.name: len(world.tables[table.name]) for table in SOURCE_TABLES}


def _csv(rows: Iterable[list[Any]]) -> io.StringIO:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(
        [NULL if value is None else value for value in row] for row in rows
    )
    buffer.seek(0)
    return buffer
