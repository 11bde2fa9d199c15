"""Real tables of two environments, column by column, as the store declares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from testenv.checks.release import Column, Columns
from testenv.checks.schema.change import Change
from testenv.checks.schema.columns import column_changes
from testenv.checks.schema.rows import Shape
from testenv.checks.schema.sqltypes import parse_type


def table_changes(base: Columns, head: Columns, table: str, *, snowflake: bool) -> Iterator[Change]:
    """Every change of a column of a table. What it holds is judged by its type, not by its rows."""
    was, now = (
        [Shape(each.name, parse_type(each.type, snowflake=snowflake), each.type, not each.nullable) for each in side]
        for side in (base, head)
    )
    yield from column_changes(was, now, table)


def columns_of(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Columns from rows of Snowflake's INFORMATION_SCHEMA.COLUMNS, in their order."""
    ordered = sorted(rows, key=lambda row: int(row.get("ORDINAL_POSITION") or 0))
    return tuple(Column(row["COLUMN_NAME"], _type(row), row.get("IS_NULLABLE") != "NO") for row in ordered)


def _type(row: Mapping[str, Any]) -> str:
    name = str(row["DATA_TYPE"])
    if name == "NUMBER":
        return f"NUMBER({row['NUMERIC_PRECISION']},{row['NUMERIC_SCALE']})"
    if name in ("TEXT", "BINARY") and (length := row.get("CHARACTER_MAXIMUM_LENGTH")):
        return f"{'VARCHAR' if name == 'TEXT' else name}({length})"
    if (digits := row.get("DATETIME_PRECISION")) is not None and name.startswith(("TIME", "DATETIME")):
        return f"{name}({digits})"
    return name
