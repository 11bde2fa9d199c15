"""Quality rules as Snowflake's SQL: the rows that a rule is about, what it measures, and whether its bounds hold.

Statements have `{batch}` where the table's name goes; braces of their own are doubled, as `str.format` has it. Great
Expectations puts a subquery with an alias there, so that none may follow: hence `WHOLE`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BATCH = "{batch}"
WHOLE = f"(SELECT * FROM {BATCH})"
ROWS = f"{WHOLE} AS T"
VALUE = "VALUE"

_COMPARISONS = {
    "mustBe": "=",
    "mustNotBe": "<>",
    "mustBeGreaterThan": ">",
    "mustBeGreaterOrEqualTo": ">=",
    "mustBeLessThan": "<",
    "mustBeLessOrEqualTo": "<=",
}
_COUNT = re.compile(r"\s*SELECT\s+COUNT\s*\(\s*\*\s*\)\s+(?P<rest>FROM\s.*\sWHERE\s.*)", re.IGNORECASE | re.DOTALL)
_GROUPED = re.compile(r"\b(GROUP\s+BY|HAVING|UNION|LIMIT|QUALIFY|EXCEPT|INTERSECT|MINUS)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A leaf of a row. `value` is its SQL, `there` what must be so that there is such a leaf; `source` is a FROM."""

    value: str
    there: str = ""
    source: str = ROWS

    def rows(self, condition: str) -> str:
        """The rows, or elements of lists in them, whose leaf is there and meets the condition."""
        where = " AND ".join(filter(None, (self.there, condition)))
        return f"SELECT T.* FROM {self.source} WHERE {where}"


def place(path: str) -> Place:
    """Where the leaf at `path` is: a column, or a path into a column that holds a JSON document."""
    top, *steps = path.split(".")
    if not steps and not top.endswith("[]"):
        return Place(f"T.{identifier(top)}")
    document = f"TRY_PARSE_JSON(T.{identifier(top.removesuffix('[]'))}::VARCHAR)"
    source, lists = ROWS, 0
    inside: list[str] = []
    if top.endswith("[]"):
        source, document, lists = _flattened(source, document, 0)
    for step in steps:
        inside.append(step.removesuffix("[]"))
        if step.endswith("[]"):
            source, document, lists = _flattened(source, _at(document, inside), lists)
            inside = []
    parent = _at(document, inside[:-1]) if inside else ""
    there = f"{parent}::VARCHAR IS NOT NULL" if parent else ""
    return Place(f"{_at(document, inside)}::VARCHAR", there, source)


def _flattened(source: str, document: str, lists: int) -> tuple[str, str, int]:
    return f"{source}, LATERAL FLATTEN(INPUT => {document}) AS E{lists}", f"E{lists}.VALUE", lists + 1


def _at(document: str, steps: Sequence[str]) -> str:
    return document + "".join(f"[{literal(step)}]" for step in steps)


def identifier(name: str) -> str:
    """A column as it is spelled."""
    return '"' + escaped(name).replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value that is compared."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return str(value)
    return "'" + escaped(str(value)).replace("\\", "\\\\").replace("'", "''") + "'"


def escaped(text: str) -> str:
    """Text that stays as it is where `{batch}` is put in."""
    return text.replace("{", "{{").replace("}", "}}")


def listed(values: Sequence[Any], as_text: bool) -> str:
    """Values of an IN list; within documents all are text."""
    return ", ".join(literal(_text(value) if as_text else value) for value in values)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def count(rows: str) -> str:
    """How many rows."""
    return f"SELECT COUNT(*) AS {VALUE} FROM ({rows})"


def percent(rows: str) -> str:
    """How many rows, of a hundred."""
    whole = f"SELECT COUNT(*) FROM {BATCH}"
    return f"SELECT 100.0 * COUNT(*) / NULLIF(({whole}), 0) AS {VALUE} FROM ({rows})"


def measured(query: str) -> str:
    """The one value of a query, whatever it calls it."""
    return f"SELECT {VALUE} FROM ({query}) AS MEASURED ({VALUE})"


def counted_rows(query: str) -> str:
    """The rows that `SELECT COUNT(*) FROM … WHERE …` counts; empty for any other query."""
    match = _COUNT.fullmatch(query)
    return f"SELECT * {match['rest']}" if match and not _GROUPED.search(query) else ""


def breach(measure: str, must: Mapping[str, Any]) -> str:
    """A row if what is measured does not keep the bounds; none if it does. NULL keeps none."""
    return f"SELECT {VALUE} FROM ({measure}) AS JUDGED WHERE NOT COALESCE({bounds(must)}, FALSE)"


def bounds(must: Mapping[str, Any]) -> str:
    """The bounds as a condition on `VALUE`."""
    found = []
    for name, bound in sorted(must.items()):
        if name in _COMPARISONS:
            found.append(f"{VALUE} {_COMPARISONS[name]} {literal(bound)}")
        else:
            low, high = bound
            negated = "NOT " if name.startswith("mustNot") else ""
            found.append(f"{VALUE} {negated}BETWEEN {literal(low)} AND {literal(high)}")
    return " AND ".join(found)


def named(query: str, table: str) -> str:
    """A contract's query with `{batch}` for the table's name, or for ODCS's placeholders of it."""
    text = re.sub(r"\$?\{(object|table|model|schema)\}", "\0", query)
    text = escaped(text).replace("\0", WHOLE)
    return replaced(text, {table: WHOLE})


def replaced(query: str, names: Mapping[str, str]) -> str:
    """The query with tables' names, `SCHEMA.TABLE` quoted or not, replaced; words in texts and comments are left."""
    if not names:
        return query
    wanted = {name.upper(): other for name, other in names.items()}
    parts = [_spelled(name) for name in sorted(names, key=len, reverse=True)]
    pattern = re.compile(
        rf"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|(?<![\w.\"$])(?P<name>{'|'.join(parts)})(?![\w\"$])", re.I | re.S
    )

    def put(match: re.Match[str]) -> str:
        found = match["name"]
        return wanted[re.sub(r"[\s\"]", "", found).upper()] if found else match[0]

    return pattern.sub(put, query)


def _spelled(name: str) -> str:
    return r"\s*\.\s*".join(f'(?:"{re.escape(part)}"|{re.escape(part)})' for part in name.split("."))
