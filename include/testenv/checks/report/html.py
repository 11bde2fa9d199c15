"""The report as a page: the verdict, three things to look at, then each check with its evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testenv import page
from testenv.checks.protocol import Finding, Outcome, Severity
from testenv.checks.report.model import Report
from testenv.checks.report.things import headline, things, took

TEMPLATE = Path(__file__).with_name("report.html.jinja")

ROWS = 20
"""Rows of evidence that are shown of one finding; report.json has all."""

LOOKS = {
    Outcome.PASSED: "good",
    Outcome.FAILED: "bad",
    Outcome.ERROR: "warn",
    Outcome.NOT_APPLICABLE: "few",
    Severity.BREAKING: "bad",
    Severity.WARNING: "warn",
    Severity.NOTE: "few",
}
"""How an outcome or a severity is coloured."""


def render(report: Report, links: Mapping[str, str] | None = None) -> str:
    """The page, HTML. `links` are shown beside the verdict: words → address."""
    return page.render(
        TEMPLATE,
        report=report,
        things=things(report),
        headline=headline(report),
        took=took(report),
        looks=LOOKS,
        links=links or {},
        evidence=evidence,
        place=place,
        cell=cell,
        shown=ROWS,
    )


def evidence(finding: Finding) -> tuple[list[str], list[list[Any]]] | None:
    """Columns and rows of a finding's example: of its witness, else the keys of the rows it names; None for neither."""
    content = finding.witness.content if finding.witness else None
    listed = content if isinstance(content, list) else [content]
    rows = [row for row in listed if isinstance(row, dict)]
    if rows and len(rows) == len(listed):
        return _table(rows)
    return _table(finding.where.rows) if finding.where.rows else None


def _table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return columns, [[row.get(column, "") for column in columns] for row in rows[:ROWS]]


def place(finding: Finding) -> str:
    """Where a finding is, in one line."""
    where = finding.where
    named = [
        where.dataset + (f".{where.column}" if where.dataset and where.column else ""),
        where.pipeline + (f" / {where.task}" if where.pipeline and where.task else ""),
        where.file,
    ]
    return " · ".join(each for each in named if each) or where.column


def cell(value: Any) -> str:
    """A value as a table shows it: NULL and texts can be told apart from their names."""
    if value is None:
        return "NULL"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
