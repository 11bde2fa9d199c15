"""A contract's quality rules as expectations: what is to be true of its table, and which rows say that it is not.

A rule is what the contract's `quality` says, and what its fields say without it: `required` columns have no nulls, keys
and `unique` columns no duplicates, columns with an `enum` no other values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from testenv.checks.protocol import Severity
from testenv.checks.quality import sql
from testenv.core.contract import Contract, Rule
from testenv.core.errors import InvalidCatalog

NONE = {"mustBe": 0}
VALID, MISSING, PROPERTIES, PATTERN = "validValues", "missingValues", "properties", "pattern"
METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")

_SEVERITIES = {
    **dict.fromkeys(("info", "note", "low"), Severity.NOTE),
    **dict.fromkeys(("warning", "warn", "medium", "minor"), Severity.WARNING),
}
_BETWEEN = {
    "mustBe": ("min_value", "max_value"),
    "mustBeGreaterThan": ("min_value", "strict_min"),
    "mustBeGreaterOrEqualTo": ("min_value",),
    "mustBeLessThan": ("max_value", "strict_max"),
    "mustBeLessOrEqualTo": ("max_value",),
}


@dataclass(frozen=True)
class Expectation:
    """One rule, ready to be asked. `id` is the same for rules that ask the same of the same dataset.

    `rows` are those that the rule counts, `measure` the one number or value that `must` is about: statements with
    `{batch}`. `rows` is empty where a rule counts none. `type` and `arguments` are Great Expectations'.
    """

    id: str
    rule: Rule
    severity: Severity
    measure: str
    rows: str
    type: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table that it asks about, where the rule names any."""
        named = self.rule.arguments.get(PROPERTIES, ())
        paths = [self.rule.path, *named] if self.rule.path else [*named]
        return tuple(dict.fromkeys(path.replace("[]", "").split(".", 1)[0] for path in paths))


@dataclass(frozen=True)
class NotUnderstood:
    """A rule that nothing was made of, and why."""

    rule: Rule
    why: str


def severity_of(rule: Rule) -> Severity:
    """How bad a breach is: as the rule says; breaking where it does not, or says what we do not know."""
    return _SEVERITIES.get(rule.severity.lower(), Severity.BREAKING)


def rules(contract: Contract) -> tuple[Rule, ...]:
    """Every rule, written or implied, once each: of those that ask the same, the worse one."""
    found: dict[str, Rule] = {}
    for rule in (*contract.rules, *_implied(contract)):
        known = found.setdefault(asked(rule), rule)
        if [*Severity].index(severity_of(rule)) < [*Severity].index(severity_of(known)):
            found[asked(rule)] = rule
    return tuple(found.values())


def _implied(contract: Contract) -> Iterator[Rule]:
    for each in contract.fields:
        if each.required:
            yield Rule(name=f"{each.path} is required", metric="nullValues", path=each.path, must=NONE)
        if each.unique:
            yield Rule(name=f"{each.path} is unique", metric="duplicateValues", path=each.path, must=NONE)
        if each.allowed:
            values = {VALID: list(each.allowed)}
            name = f"{each.path} is one of its values"
            yield Rule(name=name, metric="invalidValues", path=each.path, arguments=values, must=NONE)
    if len(contract.key) > 1:
        columns = {PROPERTIES: list(contract.key)}
        yield Rule(name="the key is unique", metric="duplicateValues", arguments=columns, must=NONE)


def asked(rule: Rule) -> str:
    """What tells two rules of a dataset apart: all but name, dimension and severity."""
    arguments = {
        name: sorted(value, key=repr) if name in (VALID, MISSING) and isinstance(value, list) else value
        for name, value in rule.arguments.items()
    }
    unit = "percent" if rule.unit == "percent" else "rows"
    query = " ".join(rule.query.split())
    return json.dumps([rule.metric, query, rule.path, unit, arguments, rule.must], sort_keys=True, default=str)


def expectations(contract: Contract) -> tuple[list[Expectation], list[NotUnderstood]]:
    """All rules of the contract, each in one of the two lists; in the contract's order."""
    found, missed = [], []
    for rule in rules(contract):
        try:
            found.append(expectation(contract, rule))
        except InvalidCatalog as error:
            missed.append(NotUnderstood(rule, str(error)))
    return found, missed


def expectation(contract: Contract, rule: Rule) -> Expectation:
    """The rule, to be asked of the contract's table. Raises `InvalidCatalog` for one that is not understood."""
    if not rule.must:
        raise InvalidCatalog(f"{rule.name!r} says nothing that must hold. Add mustBe, mustBeLessThan or the like")
    if wrong := [name for name, value in rule.must.items() if not _usable(name, value)]:
        raise InvalidCatalog(f"{rule.name!r}: {wrong[0]} must be a number, or two in a list for a range")
    if rule.query:
        query = sql.named(rule.query.rstrip().rstrip(";"), contract.name)
        rows, measure = sql.counted_rows(query), sql.measured(query)
    elif rule.metric == "rowCount":
        rows, measure = "", sql.count(f"SELECT * FROM {sql.BATCH}")
    else:
        rows = _rows(rule)
        measure = sql.percent(rows) if rule.unit == "percent" else sql.count(rows)
    type_, arguments = _native(rule) or _by_query(rule, rows, measure)
    return Expectation(
        id=_id(contract, rule),
        rule=rule,
        severity=severity_of(rule),
        measure=measure,
        rows=rows,
        type=type_,
        arguments=arguments,
    )


def _id(contract: Contract, rule: Rule) -> str:
    digest = hashlib.sha256(asked(rule).encode()).hexdigest()[:10]
    return "/".join(filter(None, (contract.id, rule.metric or "query", rule.path, digest)))


def _usable(name: str, value: Any) -> bool:
    values = value if name.endswith("Between") else [value]
    numbers = isinstance(values, list) and all(isinstance(each, int | float) for each in values)
    return numbers and (len(values) == 2 or not name.endswith("Between"))


def _rows(rule: Rule) -> str:
    """The rows that a metric counts."""
    arguments = rule.arguments
    if rule.metric == "duplicateValues":
        return _duplicates([*arguments.get(PROPERTIES, ())] or [rule.path], rule)
    if rule.metric not in METRICS:
        raise InvalidCatalog(
            f"{rule.name!r}: the metric {rule.metric!r} is not understood. There are {', '.join(METRICS)}, and SQL"
        )
    if not rule.path:
        raise InvalidCatalog(f"{rule.name!r}: {rule.metric} is about a field. Write the rule below one")
    place, in_document = sql.place(rule.path), "." in rule.path or "[]" in rule.path
    if rule.metric == "nullValues":
        return place.rows(f"{place.value} IS NULL")
    if rule.metric == "missingValues":
        named = arguments.get(MISSING)
        if not isinstance(named, list):
            raise InvalidCatalog(f"{rule.name!r}: missingValues needs arguments: {{missingValues: [...]}}")
        texts = [value for value in named if value is not None]
        listed = f" OR {place.value} IN ({sql.listed(texts, in_document)})" if texts else ""
        return place.rows(f"({place.value} IS NULL{listed})")
    return place.rows(_invalid(rule, place.value, in_document))


def _invalid(rule: Rule, value: str, in_document: bool) -> str:
    valid, pattern = rule.arguments.get(VALID), rule.arguments.get(PATTERN)
    wrong = []
    if isinstance(valid, list) and valid:
        wrong.append(f"{value} NOT IN ({sql.listed(valid, in_document)})")
    if isinstance(pattern, str):
        wrong.append(f"NOT REGEXP_LIKE({value}, {sql.literal(pattern)})")
    if not wrong or rule.arguments.keys() - {VALID, PATTERN}:
        raise InvalidCatalog(
            f"{rule.name!r}: invalidValues is understood with the arguments validValues and pattern, "
            f"got {sorted(rule.arguments)}"
        )
    return f"{value} IS NOT NULL AND ({' OR '.join(wrong)})"


def _duplicates(paths: list[str], rule: Rule) -> str:
    """Rows whose values, none of them null, stand in another row too."""
    if paths == [""] or any("[]" in path for path in paths):
        raise InvalidCatalog(f"{rule.name!r}: duplicateValues is about a field, or arguments: {{properties: [...]}}")
    values = [sql.place(path).value for path in paths]
    there = " AND ".join(f"{value} IS NOT NULL" for value in values)
    return f"SELECT T.* FROM {sql.ROWS} WHERE {there} QUALIFY COUNT(*) OVER (PARTITION BY {', '.join(values)}) > 1"


def _native(rule: Rule) -> tuple[str, dict[str, Any]] | None:
    """Great Expectations' own expectation of the rule, where it has one."""
    if rule.query:
        return None
    if rule.metric == "rowCount":
        return _row_count(rule)
    if rule.must != NONE or "." in rule.path or "[]" in rule.path:
        return None
    match rule.metric:
        case "nullValues":
            return "ExpectColumnValuesToNotBeNull", {"column": rule.path}
        case "invalidValues" if rule.arguments.keys() == {VALID}:
            return "ExpectColumnValuesToBeInSet", {"column": rule.path, "value_set": list(rule.arguments[VALID])}
        case "duplicateValues" if not rule.arguments:
            return "ExpectColumnValuesToBeUnique", {"column": rule.path}
    return None


def _row_count(rule: Rule) -> tuple[str, dict[str, Any]] | None:
    if len(rule.must) != 1:
        return None
    [(name, bound)] = rule.must.items()
    if name == "mustBeBetween":
        return "ExpectTableRowCountToBeBetween", {"min_value": bound[0], "max_value": bound[1]}
    if name not in _BETWEEN:
        return None
    arguments = {key: True if key.startswith("strict") else bound for key in _BETWEEN[name]}
    return "ExpectTableRowCountToBeBetween", arguments


def _by_query(rule: Rule, rows: str, measure: str) -> tuple[str, dict[str, Any]]:
    """An expectation of no rows: those that are counted, or the value that keeps no bounds."""
    query = rows if rows and rule.must == NONE else sql.breach(measure, rule.must)
    return "UnexpectedRowsExpectation", {"unexpected_rows_query": query, "description": rule.name}
