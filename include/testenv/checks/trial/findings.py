"""Findings about outputs that differ, and about runs that failed, in the words of people."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from testenv.checks.diff import Difference, Example
from testenv.checks.protocol import Finding, Severity, Where, Witness
from testenv.checks.trial.compare import Compared
from testenv.checks.trial.record import Run

MOST_ROWS = 5
"""Keys of rows that a finding names."""


def of_difference(
    rule: str,
    found: Compared,
    what: str,
    remedy: str,
    *,
    why: Iterable[str] = (),
    severity: Severity = Severity.BREAKING,
) -> Finding:
    """A finding about an output: what differs, in which columns and rows, with one of them as its witness.

    `what` says of what the difference is; `why` which thresholds are passed, if there are any.
    """
    output, difference = found.output, found.difference
    told = "; ".join([words_of(found), *why])
    return Finding(
        rule=rule,
        severity=severity,
        what=f"{output.id}: {what}: {told}",
        where=Where(
            dataset=f"{output.store}.{output.name}",
            pipeline=", ".join(output.writers),
            task=", ".join(each.rpartition(".")[2] for each in output.tasks),
            column=", ".join(difference.by_column) if difference else "",
            rows=rows_of(found),
        ),
        remedy=remedy,
        witness=witness_of(found),
    )


def of_failed(rule: str, run: Run, what: str, severity: Severity = Severity.BREAKING) -> Finding:
    """A finding about a run that failed by itself."""
    return Finding(
        rule=rule,
        severity=severity,
        what=f"{run.pipeline} for {run.logical_date} {what} failed: {run.error or 'its log says why'}",
        where=Where(pipeline=run.pipeline),
        remedy=f"Mend what the log says ({run.log or 'it has none'}), or what the code reads",
    )


def failures(rule: str, runs: Iterable[Run], moments: Collection[str], what: str) -> list[Finding]:
    """Of each pipeline's first failed run of head on the way to one of `moments`."""
    first: dict[str, Run] = {}
    for run in runs:
        if run.state == "failed" and run.side == "head" and run.moment in moments:
            first.setdefault(run.pipeline, run)
    return [of_failed(rule, run, what) for run in first.values()]


def words_of(found: Compared) -> str:
    """How an output differs, in a line."""
    before, after, difference = found.before, found.after, found.difference
    if before is None or after is None:
        there = found.output
        return f"it {'was not there before' if before is None else 'is gone'}, {there.fingerprint.rows} rows"
    if difference is None:
        return f"{before.fingerprint.rows} became {after.fingerprint.rows}"
    counts = (
        (difference.only_in_base, "rows gone"),
        (difference.only_in_head, "rows new"),
        (difference.changed, "rows changed"),
        (difference.duplicates[1], "keys that repeat"),
    )
    told = [f"{words}: {number}" for number, words in counts if number]
    if difference.by_column:
        told.append("in " + ", ".join(f"{name} ({number})" for name, number in difference.by_column.items()))
    for names, words in (
        (difference.columns_only_in_base, "columns gone:"),
        (difference.columns_only_in_head, "columns new:"),
        (tuple(f"{n}: {was} → {now}" for n, (was, now) in difference.retyped.items()), "other types:"),
    ):
        told += [f"{words} {', '.join(names)}"] if names else []
    return f"{difference.base_rows} rows became {difference.head_rows}: {'; '.join(told)}"


def rows_of(found: Compared) -> tuple[dict[str, JsonValue], ...]:
    """Keys of the first rows that differ; where the contract has no key, whole rows."""
    examples = found.difference.examples if found.difference else ()
    seen: list[dict[str, JsonValue]] = []
    for each in examples:
        if (row := _key(found, each)) not in seen:
            seen.append(row)
    return tuple(seen[:MOST_ROWS])


def witness_of(found: Compared) -> Witness | None:
    """One row that differs, as both moments have it; None where no row is known."""
    examples = found.difference.examples if found.difference else ()
    if not examples or found.before is None or found.after is None:
        return None
    chosen = min(examples, key=lambda each: _WORTH.get(each.kind, 9))
    content: dict[str, JsonValue] = {
        "kind": chosen.kind,
        "key": _key(found, chosen),
        "values": {name: [plain(one), plain(other)] for name, (one, other) in chosen.values.items()},
    }
    return Witness(kind="row", content=content, proved=True, how="both moments were queried for it")


_WORTH = {"changed": 0, "duplicate in head": 1, "only in head": 2, "only in base": 3}


def _key(found: Compared, example: Example) -> dict[str, JsonValue]:
    names = found.contract.key if found.contract else ()
    if example.key and len(names) == len(example.key):
        return {name: plain(value) for name, value in zip(names, example.key, strict=True)}
    side = 1 if example.kind == "only in head" else 0
    return {name: plain(values[side]) for name, values in example.values.items()}


def plain(value: Any) -> JsonValue:
    """A value as JSON has it, in one form."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else str(value)
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case list() | tuple():
            return [plain(each) for each in value]
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
    return str(value)


def is_empty(difference: Difference | None) -> bool:
    """Whether a comparison by rows, where there was one, found nothing."""
    return difference is not None and difference.is_empty
